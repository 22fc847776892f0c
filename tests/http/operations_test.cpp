// What operators look at: readiness, figures, metrics, the dashboard that comes with the program.
#include <atomic>
#include <fstream>
#include <set>

#include "core/error.h"
#include "http/shop_server.h"
#include "serve.h"
#include "shop_serve.h"
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

TEST(Operations, PagesOfTheConfiguredOriginsMayAsk) {
  const ShopServe shop([](ShopServer::Options& options) {
    options.config.server.cors_origins = "https://shop.example, https://www.shop.example";
  });
  const auto client = shop.client();
  for (const std::string origin : {"https://shop.example", "https://www.shop.example"}) {
    const Answer flight =
        client->request("OPTIONS", "/api/events", "", {{"Origin", origin}, {"Access-Control-Request-Method", "POST"}});
    EXPECT_EQ(flight.status, 204);
    EXPECT_EQ(flight.header("access-control-allow-origin"), origin);
    const Answer answer = client->get("/api/recommend/u?n=3", {{"Origin", origin}});
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("access-control-allow-origin"), origin);
  }
  const Answer other = client->get("/api/recommend/u?n=3", {{"Origin", "https://other.example"}});
  EXPECT_EQ(other.header("access-control-allow-origin"), "");
  EXPECT_EQ(other.status, 403) << "without a key no page of another site may ask";
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
  EXPECT_EQ(value_of(text, "fewshop_cold_requests_ratio{kind=\"item\"}"), 0);
  EXPECT_EQ(value_of(text, "fewshop_cold_requests_ratio{kind=\"scenario\"}"), 1);
  EXPECT_EQ(value_of(text, "fewshop_ready"), 1);
  EXPECT_GT(value_of(text, "fewshop_memory_inuse_bytes{data=\"process\"}"), 1e6);
  // A second look counts nothing twice.
  EXPECT_EQ(value_of(client.get("/metrics").body, "fewshop_feedback_events_total{event=\"purchase\"}"), 1);
}

TEST(Operations, ListsOfManyItemsAreMadeTogetherUnderLoad) {
  ShopServe serve(
      [](ShopServer::Options& options) {
        options.config.server.threads = 1;
        options.config.models.share_from = 2000;
        options.now = [] { return 1'800'000'000 * kSecond; };  // scores change as rows grow older
      },
      2000);
  for (int u = 0; u < 8; ++u)
    Client(serve.address())
        .post("/api/events", json{{"event", "purchase"},
                                  {"user_id", "u" + std::to_string(u)},
                                  {"item_id", "item-" + std::to_string(100 * u)}}
                                 .dump());
  const auto ask = [](Client& client, int u) {
    const auto answer = client.get("/api/recommend/u" + std::to_string(u), {{"X-API-Version", "2"}});
    EXPECT_EQ(answer.status, 200);
    return answer.body;
  };
  std::vector<std::string> alone;
  Client one(serve.address());
  for (int u = 0; u < 8; ++u) alone.push_back(ask(one, u));
  const auto positives =
      value_of(one.get("/metrics").body, "fewshop_positive_feedbacks_total{model=\"small-ranking\"}");
  EXPECT_EQ(positives, 8);
  const auto shared = [&] {
    return value_of(one.get("/metrics").body, "fewshop_shared_lists_total{model=\"small-ranking\"}");
  };
  EXPECT_EQ(shared(), 0);
  for (int round = 0; round < 100 && shared() == 0; ++round) {
    std::vector<std::thread> clients;
    for (int u = 0; u < 8; ++u)
      clients.emplace_back([&, u] {
        Client client(serve.address());
        for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(client, u), alone[u]);
      });
    for (std::thread& client : clients) client.join();
  }
  EXPECT_GT(shared(), 1);
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

TEST(Operations, WhatIsBroughtIntoEffectAgainAfterAFailedReadIsCountedOnce) {
  const testing::TempDir folder;
  testing::FaultVfs vfs;
  const auto server = serve(folder, vfs.name());
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  EXPECT_EQ(client.post("/api/events", R"({"event":"purchase","user_id":"u","item_id":"known"})").status, 200);
  while (server->shop().queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // The first event counts at once; the second names an item that has to be read first.
  vfs.fail_reads_after_sync(2);
  EXPECT_EQ(client
                .post("/api/events", R"([{"event":"view_item","user_id":"u","item_id":"known"},
                                         {"event":"view_item","user_id":"u","item_id":"fresh"}])")
                .status,
            200);
  const auto popular = body_of(client.get("/api/popular"));
  ASSERT_EQ(popular.size(), 2) << popular.dump();
  EXPECT_EQ(popular[0], (json{{"Id", "known"}, {"Score", 2}}));
  EXPECT_EQ(popular[1], (json{{"Id", "fresh"}, {"Score", 1}}));
  EXPECT_EQ(server->shop().events_by_kind().at("view_item"), 2);
  std::ifstream log(folder / "log");
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(log), {}), HasSubstr("disk I/O error"));
}

TEST(Operations, WhoWasNotForgottenIsNotTakenForForgotten) {
  const testing::TempDir folder;
  testing::FaultVfs vfs;
  const auto server = serve(folder, vfs.name());
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  const auto post = [&](const char* id) {
    return client
        .post("/api/events", json{{"event", "like"},
                                  {"event_id", id},
                                  {"user_id", "u"},
                                  {"item_id", "i"},
                                  {"timestamp", "2026-01-01T00:00:00Z"}}
                                 .dump())
        .status;
  };
  EXPECT_EQ(post("first"), 200);
  while (server->shop().queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  vfs.fail_sync(1);
  EXPECT_EQ(client.request("DELETE", "/api/user/u").status, 503);
  EXPECT_EQ(post("second"), 200);
  EXPECT_EQ(body_of(client.get("/api/user/u/export"))["events"].size(), 2);
}

TEST(Operations, KindsOfEventAreBoundedAndOnlyNewOnesAreRefused) {
  const testing::TempDir folder;
  auto server = serve(folder);
  const auto post = [&](const json& events) {
    Client client("http://127.0.0.1:" + std::to_string(server->port()));
    return body_of(client.post("/api/events", events.dump()));
  };
  const auto kinds = [](int64_t first, int64_t count) {
    json events = json::array();
    for (int64_t i = first; i < first + count; ++i) events.push_back({{"event", "kind_" + std::to_string(i)}});
    return events;
  };
  EXPECT_EQ(post(kinds(0, Shop::kMostKinds))["accepted"], Shop::kMostKinds);
  for (int start = 0; start < 2; ++start) {
    json mixed = kinds(Shop::kMostKinds, 2);
    mixed.insert(mixed.begin() + 1, kinds(7, 1).front());
    const auto answer = post(mixed);
    EXPECT_EQ(answer["accepted"], 1);
    ASSERT_EQ(answer["rejected"].size(), 2);
    EXPECT_EQ(answer["rejected"][1]["index"], 2);
    EXPECT_THAT(answer["rejected"][0]["reason"].get<std::string>(),
                HasSubstr("there are 10000 kinds of event already, expected one of them, got \"kind_10000\""));
    server.reset();  // a new start does not make room
    server = serve(folder);
  }
}

TEST(Operations, LinesThatAreWrittenOutCanBeStoredElsewhere) {
  const testing::TempDir folder, other;
  const auto from = serve(folder), to = serve(other);
  Client source("http://127.0.0.1:" + std::to_string(from->port())),
      target("http://127.0.0.1:" + std::to_string(to->port()));
  for (int i = 0; i < 5; ++i) {
    const std::string id = "\u00e4 /" + std::to_string(i);
    source.post("/api/item", json{{"ItemId", id}, {"Labels", {{"price", i}}}, {"Categories", {"c"}}}.dump());
    source.post("/api/user", json{{"UserId", id}, {"Comment", "says \"hello\"\n"}}.dump());
    source.post(
        "/api/feedback",
        json{{"FeedbackType", "like"}, {"UserId", id}, {"ItemId", id}, {"Timestamp", "2026-01-01T00:00:00Z"}}.dump());
  }
  for (const std::string what : {"users", "items", "feedback"}) {
    std::string all = source.get("/api/bulk/" + what).body, paged, cursor;
    do {
      const auto page = source.get("/api/bulk/" + what + "?n=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
      paged += page.body;
      cursor = std::string(page.header("x-next-cursor"));
    } while (!cursor.empty());
    EXPECT_EQ(paged, all);
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 5) << all;
    EXPECT_EQ(body_of(target.post("/api/bulk/" + what, all))["RowAffected"], 5) << what;
    EXPECT_EQ(target.get("/api/bulk/" + what).body, all);
  }
}

TEST(Operations, AnItemsFeedbackComesInPages) {
  const testing::TempDir folder;
  const auto server = serve(folder);
  Client client("http://127.0.0.1:" + std::to_string(server->port()));
  json feedback = json::array();
  for (int u = 0; u < 25; ++u)
    for (const char* type : {"like", "read"})
      feedback.push_back(
          {{"FeedbackType", type}, {"UserId", "\u00fc-" + std::to_string(u)}, {"ItemId", "i"}, {"Value", 1}});
  client.post("/api/feedback", feedback.dump());
  std::vector<std::string> all, paged;
  const auto take = [](const json& list, std::vector<std::string>& to) {
    for (const auto& one : list)
      to.push_back(one["UserId"].get<std::string>() + one["FeedbackType"].get<std::string>());
  };
  take(body_of(client.get("/api/item/i/feedback")), all);
  EXPECT_EQ(all.size(), 50);
  // In the queue first, in the tables afterwards: the pages are the same.
  std::string cursor;
  for (int page = 0; page < 20; ++page) {
    const auto answer = client.get("/api/item/i/feedback?n=7" + (cursor.empty() ? "" : "&cursor=" + cursor));
    const auto list = body_of(answer);
    EXPECT_LE(list.size(), 7);
    take(list, paged);
    cursor = std::string(answer.header("x-next-cursor"));
    if (cursor.empty()) break;
    if (page == 2)
      while (server->shop().queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(paged, all);
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
