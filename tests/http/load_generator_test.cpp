#include "http/load_generator.h"

#include <gtest/gtest.h>

#include <atomic>

#include "http/server.h"

namespace fewshop::http {
namespace {

class LoadGenerator : public ::testing::Test {
 protected:
  LoadGenerator() {
    router_.add({.method = Method::kGet,
                 .path = "/ping",
                 .tag = "test",
                 .summary = "Answers.",
                 .handle = [this](std::shared_ptr<const Request> request, Reply reply) {
                   ++asked_;
                   if (request->query_flag("bad")) throw HttpError(400, "bad", "bad");
                   reply(Response::json({{"pong", true}}));
                 }});
    server_ = std::make_unique<Server>(router_, ServerOptions{});
    server_->start();
    load_.port = server_->port();
    load_.connections = 4;
    load_.seconds = 0.5;
    load_.request = [](int64_t) { return request_text("GET", "/ping"); };
  }

  Router router_;
  std::atomic<int> asked_ = 0;
  std::unique_ptr<Server> server_;
  Load load_;
};

TEST_F(LoadGenerator, SendsAtTheRateAskedForAndSleepsInBetween) {
  load_.rate = 200;
  const LoadResult result = run_load(load_);
  EXPECT_EQ(result.requests, asked_);
  EXPECT_EQ(result.failed(), 0);
  // 100 of them are due; fewer where the machine was busy elsewhere.
  EXPECT_GE(result.requests, 20);
  EXPECT_LE(result.requests, 101);
  EXPECT_LT(result.cpu_seconds, 0.3 * result.seconds) << "what it takes is taken from the server that it measures";
}

TEST_F(LoadGenerator, WithoutARateSendsWhenAnswered) {
  load_.seconds = 0.2;
  load_.request = [](int64_t i) { return request_text("GET", i % 2 == 0 ? "/ping" : "/ping?bad=true"); };
  const LoadResult result = run_load(load_);
  EXPECT_EQ(result.requests, asked_);
  EXPECT_GE(result.requests, 8);
  EXPECT_NEAR(static_cast<double>(result.failed()), result.requests / 2.0, 4);
  EXPECT_LE(result.percentile(0.5), result.percentile(0.99));
}

}  // namespace
}  // namespace fewshop::http
