#include "http/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/access_log.h"
#include "serve.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, RequestsAreCountedByTemplateAndStatus) {
  Metrics metrics;
  Serve serve({}, {.authorize = {},
                   .observe = [&](const Request&, const Route* route, int status, double seconds,
                                  size_t) { metrics.observe(route, status, seconds); },
                   .log_error = {}});
  add_metrics_route(serve.router, metrics, "");
  const auto client = serve.client();
  client->get("/user/alice");
  client->get("/user/bob");
  client->get("/alice");
  const Answer answer = client->get("/metrics");
  EXPECT_THAT(std::string(answer.header("content-type")), HasSubstr("text/plain"));
  EXPECT_THAT(answer.body, HasSubstr(R"(fewshop_server_requests_total{api="GET /user/{id}",code="200"} 2)"));
  EXPECT_THAT(answer.body, HasSubstr(R"(fewshop_server_requests_total{api="other",code="404"} 1)"));
  EXPECT_THAT(answer.body, HasSubstr(R"(fewshop_server_rest_api_request_seconds_count{api="GET /user/{id}"} 2)"));
  EXPECT_THAT(answer.body, Not(HasSubstr("alice")));
}

TEST(AccessLog, LinesAreJsonWithTemplatesAndNoIds) {
  const testing::TempDir folder;
  const std::string path = folder / "access.log";
  {
    AccessLog log(path);
    Serve serve({}, {.authorize = {},
                     .observe = [&](const Request& request, const Route* route, int status, double seconds,
                                    size_t bytes) { log.request(request, route, status, seconds, bytes); },
                     .log_error = [&](const Request& request, const Route* route,
                                      const std::string& message) { log.error(request, route, message); }});
    serve.get("/fail", [](auto, Reply) { throw std::runtime_error("a \"reason\""); });
    const auto client = serve.client();
    client->get("/user/alice?token=secret", {{"X-Request-ID", "r-1"}});
    client->get("/alice");
    client->get("/fail");
    serve.server().stop();
  }
  std::istringstream lines(testing::read_whole(path));
  std::vector<nlohmann::json> read;
  for (std::string line; std::getline(lines, line);) read.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(read.size(), 4);
  EXPECT_EQ(read[0]["route"], "/user/{id}");
  EXPECT_EQ(read[0]["request_id"], "r-1");
  EXPECT_EQ(read[0]["status"], 200);
  EXPECT_EQ(read[0]["level"], "info");
  EXPECT_EQ(read[1]["route"], "-");
  EXPECT_EQ(read[2]["message"], "a \"reason\"");
  EXPECT_EQ(read[3]["level"], "error");
  EXPECT_EQ(read[3]["request_id"], read[2]["request_id"]);
  EXPECT_THAT(testing::read_whole(path), Not(HasSubstr("alice")));
  EXPECT_THAT(testing::read_whole(path), Not(HasSubstr("secret")));
}

TEST(AccessLog, LinesAreInTheFileAMomentLaterThoughTheLogGoesOn) {
  const testing::TempDir folder;
  AccessLog log(folder / "access.log");
  log.message(AccessLog::Level::kInfo, "listening");
  const auto begin = std::chrono::steady_clock::now();
  const auto text = [&] { return testing::read_whole(folder / "access.log"); };
  while (text().empty() && std::chrono::steady_clock::now() - begin < std::chrono::seconds(30))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_THAT(text(), HasSubstr("listening"));
}

TEST(AccessLog, AFileThatCannotBeWrittenIsToldAtOnce) {
  EXPECT_THROW(AccessLog("/proc/none/access.log"), std::exception);
}

}  // namespace
}  // namespace fewshop::http
