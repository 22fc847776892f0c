// What operators look at: readiness, figures, metrics, the dashboard that comes with the program.
#include <atomic>
#include <fstream>
#include <set>

#include "core/error.h"
#include "http/shop_server.h"
#include "serve.h"
#include "store/fault_vfs.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<ShopServer> serve(const testing::TempDir& folder, const std::string& vfs = "") {
  ShopServer::Options options;
  options.vfs = vfs;
  options.config.database.data_store = folder / "shop.db";
  options.config.server.port = 0;
  options.config.server.log = folder / "log";
  return std::make_unique<ShopServer>(std::move(options));
}

/// The value of a line of /metrics; -1 where there is none.
double value_of(const std::string& text, const std::string& line) {
  const size_t at = text.find("\n" + line + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size() + 2));
}

TEST(Operations, MetricsFollowWhatTheShopDoes) {
  const testing::TempDir folder;
  const auto server = serve(folder);
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  client.post("/api/events",
              R"([{"event":"purchase","user_id":"u","item_id":"i"},{"event":"view_item","item_id":"i"}])");
  client.get("/api/recommend/u");
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text = client.get("/metrics").body;
    if (value_of(text, "fewshop_items_total") == 1) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(value_of(text, "fewshop_items_total"), 1);
  EXPECT_EQ(value_of(text, "fewshop_feedbacks_total"), 2);
  EXPECT_EQ(value_of(text, "fewshop_feedback_events_total{event=\"purchase\"}"), 1);
  EXPECT_EQ(value_of(text, "fewshop_rank_requests_total{model=\"popular\"}"), 1);
  EXPECT_EQ(value_of(text, "fewshop_rank_latency_seconds_count{model=\"popular\"}"), 1);
  EXPECT_EQ(value_of(text, "fewshop_event_to_effect_seconds_count"), 1);
  EXPECT_EQ(value_of(text, "fewshop_cold_requests_ratio{kind=\"user\"}"), 1);
  EXPECT_EQ(value_of(text, "fewshop_ready"), 1);
  EXPECT_GT(value_of(text, "fewshop_memory_inuse_bytes{data=\"process\"}"), 1e6);
  // A second look counts nothing twice.
  EXPECT_EQ(value_of(client.get("/metrics").body, "fewshop_feedback_events_total{event=\"purchase\"}"), 1);
}

TEST(Operations, StatsTellTheServerAndTheShop) {
  const testing::TempDir folder;
  const auto server = serve(folder);
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  const auto stats = body_of(client.get("/api/dashboard/stats"));
  EXPECT_EQ(stats["ready"], true);
  EXPECT_EQ(stats["version"], FEWSHOP_VERSION);
  EXPECT_GE(stats["uptime_seconds"], 0);
  EXPECT_TRUE(stats["models"].is_array());
  EXPECT_EQ(client.get("/api/health/ready").status, 200);
}

TEST(Operations, ADiskThatRefusesWritesIsToldUntilItTakesThemAgain) {
  const testing::TempDir folder;
  testing::FaultVfs vfs;
  const auto server = serve(folder, vfs.name());
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  const auto post = [&](const std::string& id) {
    return client.post("/api/events", json{{"event", "search"}, {"event_id", id}}.dump()).status;
  };
  EXPECT_EQ(post("1"), 200);
  EXPECT_EQ(client.get("/api/health/ready").status, 200);
  vfs.limit_size(0);
  EXPECT_EQ(post("2"), 503);
  const auto refused = client.get("/api/health/ready");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("refuses writes"));
  EXPECT_THAT(refused.body, Not(HasSubstr("shop.db")));
  EXPECT_EQ(client.get("/api/health/live").status, 200);
  EXPECT_EQ(client.get("/api/users").status, 200);
  vfs.limit_size(-1);
  // Nobody writes, and it becomes ready all the same.
  int status = 503;
  for (int i = 0; i < 500 && status != 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    status = client.get("/api/health/ready").status;
  }
  EXPECT_EQ(status, 200);
  EXPECT_EQ(post("3"), 200);
}

TEST(Config, RetentionIsByKindOfEvent) {
  const auto nothing = [](const std::string&) { return std::optional<std::string>(); };
  const auto config = read_config("", {"retention.view_item=90", "retention.purchase=0.5"}, nothing);
  EXPECT_EQ(config.retention, (std::map<std::string, double>{{"purchase", 0.5}, {"view_item", 90}}));
  EXPECT_TRUE(read_config("", {}, nothing).retention.empty());
  for (const char* wrong : {"retention.view_item=-1", "retention.view_item=\"x\"", "retention=3"})
    EXPECT_THROW(read_config("", {wrong}, nothing), InvalidInput) << wrong;
  EXPECT_THAT(default_config(), HasSubstr("[retention]"));
}

TEST(Operations, ForgettingOverHttpGivesAReceipt) {
  const testing::TempDir folder;
  const auto server = serve(folder);
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  client.post("/api/events", R"({"event":"purchase","user_id":"ann","item_id":"i"})");
  EXPECT_EQ(body_of(client.get("/api/user/ann/export"))["events"].size(), 1);
  const auto answer = body_of(client.request("DELETE", "/api/user/ann"));
  EXPECT_EQ(answer["RowAffected"], 1);
  EXPECT_EQ(answer["receipt"]["removed"]["events"], 1);
  EXPECT_EQ(answer["receipt"]["check"]["newcomer"], true);
  EXPECT_TRUE(body_of(client.get("/api/user/ann/export"))["events"].empty());
  EXPECT_EQ(body_of(client.get("/api/forgotten"))["forgotten"][0]["id"], answer["receipt"]["id"]);
  EXPECT_EQ(body_of(client.get("/api/forgotten?user_id=ann"))["forgotten"].size(), 1);
  EXPECT_EQ(body_of(client.get("/api/forgotten?user_id=bob"))["forgotten"].size(), 0);
  EXPECT_EQ(body_of(client.request("DELETE", "/api/user/nobody"))["RowAffected"], 0);
}

/// The names in an expression of Prometheus that are ours.
std::set<std::string> names_in(const std::string& expression) {
  std::set<std::string> names;
  for (size_t at = expression.find("fewshop_"); at != std::string::npos; at = expression.find("fewshop_", at + 1)) {
    size_t end = at;
    while (end < expression.size() &&
           (std::isalnum(static_cast<unsigned char>(expression[end])) || expression[end] == '_'))
      ++end;
    names.insert(expression.substr(at, end - at));
  }
  return names;
}

TEST(Operations, EveryMetricOfTheDashboardExists) {
  const testing::TempDir folder;
  const auto server = serve(folder);
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  client.post("/api/events", R"({"event":"purchase","user_id":"u","item_id":"i"})");
  client.get("/api/recommend/u");
  const std::string text = client.get("/metrics").body;
  std::ifstream file(std::string(FEWSHOP_SOURCE_DIR) + "/packaging/grafana-dashboard.json");
  const auto dashboard = json::parse(file);
  int checked = 0;
  for (const auto& panel : dashboard.at("panels"))
    for (const auto& target : panel.value("targets", json::array()))
      for (std::string name : names_in(target.at("expr"))) {
        for (const std::string suffix : {"_bucket", "_sum", "_count"})
          if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
        EXPECT_THAT(text, HasSubstr("# TYPE " + name + " ")) << panel.at("title");
        ++checked;
      }
  EXPECT_GT(checked, 10);
}

}  // namespace
}  // namespace fewshop::http
