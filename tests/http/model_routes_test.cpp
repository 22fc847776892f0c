// Versions of models over HTTP, and swaps under load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "http/shop_server.h"
#include "runtime/small_model.h"
#include "serve.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

/// A served shop of 50 items and 20 users with some purchases, whose clock stands still.
class ModelRoutesTest : public ::testing::Test {
 protected:
  ModelRoutesTest() {
    ShopServer::Options options;
    options.config.database.data_store = folder_ / "shop.db";
    options.config.server.port = 0;
    options.config.server.log = folder_ / "log";
    options.program = "/bin/false";
    options.now = [] { return 1'700'000'000 * kSecond; };
    server_ = std::make_unique<ShopServer>(std::move(options));
    client_ = std::make_unique<Client>(address());
    for (int i = 0; i < kItems; ++i)
      post("/api/item", {{"ItemId", "item-" + std::to_string(i)}, {"Labels", {{"colour", i % 2 ? "red" : "blue"}}}});
    for (int u = 0; u < kUsers; ++u) {
      post("/api/user", {{"UserId", user(u)}, {"Labels", {{"age", "old"}}}});
      json events = json::array();
      for (int i = 0; i < 3; ++i)
        events.push_back({{"event", "purchase"},
                          {"user_id", user(u)},
                          {"item_id", "item-" + std::to_string((7 * u + i) % kItems)},
                          {"timestamp", 1'600'000'000 + i}});
      post("/api/events", events);
    }
    while (server_->shop().queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  static std::string user(int u) { return "u" + std::to_string(u); }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

  json post(const std::string& path, const json& body, int status = 200) {
    const Answer answer = client_->post(path, body.dump());
    EXPECT_EQ(answer.status, status) << answer.body;
    return json::parse(answer.body);
  }
  std::string bundle(const std::string& version, Problem problem = Problem::kRanking, bool live = true) {
    testing::SmallModelOptions options;
    options.problem = problem;
    options.items = kItems;
    options.live = live;
    options.version = version;
    const std::string path = folder_ / ("bundle-" + version);
    json report = json::object();
    report["splits"]["test"]["metrics"]["ndcg@10"] = {{"value", version == "a" ? 0.25 : 0.5}, {"low", 0.1}};
    report["splits"]["test"]["metrics"]["mrr@20"] = {{"value", nullptr}};
    testing::small_model(options)->save(path, report, json::object());
    return path;
  }
  std::string publish(const std::string& version) {
    return post("/api/models", {{"path", bundle(version)}}).at("version");
  }
  std::string answering() { return std::string(client_->get("/api/recommend/u1").header("x-model-version")); }

  static constexpr int kItems = 50, kUsers = 20;
  testing::TempDir folder_;
  std::unique_ptr<ShopServer> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(ModelRoutesTest, QualityOfVersionsIsListedAndThatOfTheLiveOneMeasured) {
  const std::string gauge = R"(fewshop_model_quality{metric="ndcg@10",model="small-ranking",split="test"} )";
  const auto metrics = [&] { return client_->get("/metrics").body; };
  EXPECT_THAT(metrics(), Not(HasSubstr(gauge)));
  const std::string a = publish("a");
  EXPECT_THAT(metrics(), HasSubstr(gauge + "0.25"));
  publish("b");
  EXPECT_THAT(metrics(), HasSubstr(gauge + "0.5"));
  EXPECT_THAT(metrics(), Not(HasSubstr("mrr@20")));
  const json models = json::parse(client_->get("/api/models").body).at("models");
  EXPECT_EQ(models[0].at("quality"), (json{{"test", {{"ndcg@10", 0.25}}}}));
  EXPECT_EQ(post("/api/models/small-ranking/activate", {{"version", a}}).at("quality"), models[0].at("quality"));
  EXPECT_THAT(metrics(), HasSubstr(gauge + "0.25"));
}

TEST_F(ModelRoutesTest, PublishActivateRollBackRemove) {
  const std::string a = publish("a"), b = publish("b");
  EXPECT_EQ(answering(), "small-ranking/" + b);
  EXPECT_EQ(post("/api/models/small-ranking/activate", {{"version", a}}).at("live"), true);
  EXPECT_EQ(answering(), "small-ranking/" + a);
  post("/api/models/small-ranking/rollback", json::object());
  EXPECT_EQ(answering(), "small-ranking/" + b);
  const json models = json::parse(client_->get("/api/models").body).at("models");
  ASSERT_EQ(models.size(), 2);
  EXPECT_EQ(models[0].at("version"), a);
  EXPECT_EQ(models[1].at("live"), true);
  EXPECT_EQ(client_->request("DELETE", "/api/models/small-ranking/" + b).status, 409);
  EXPECT_EQ(client_->request("DELETE", "/api/models/small-ranking/" + a).status, 200);
  EXPECT_EQ(client_->request("DELETE", "/api/models/small-ranking/" + a).status, 404);
  EXPECT_EQ(code_of(client_->post("/api/models/nothing/rollback", "")), "not_found");
}

TEST_F(ModelRoutesTest, WhatCannotBeServedIsAConflictThatNamesThePart) {
  const std::string a = publish("a");
  Answer answer = client_->post("/api/models", json{{"path", bundle("n", Problem::kRanking, false)}}.dump());
  EXPECT_EQ(answer.status, 409);
  EXPECT_THAT(answer.body, HasSubstr("it has no [live]"));
  answer = client_->post("/api/models", json{{"path", bundle("r", Problem::kRating)}}.dump());
  EXPECT_EQ(answer.status, 409);
  EXPECT_THAT(answer.body, HasSubstr("[live] does not make the rows"));
  EXPECT_EQ(client_->post("/api/models", json{{"path", folder_ / "nowhere"}}.dump()).status, 400);
  EXPECT_EQ(client_->post("/api/models", "{}").status, 400);
  EXPECT_EQ(client_->post("/api/models", json{{"path", folder_ / "nowhere"}, {"activate", 7}}.dump()).status, 400);
  EXPECT_EQ(answering(), "small-ranking/" + a);
}

TEST_F(ModelRoutesTest, TheLiveVersionIsCheckedAgainstItsRows) {
  publish("a");
  const json check = post("/api/models/small-ranking/check", json::object());
  EXPECT_EQ(check.at("users"), kUsers);
  EXPECT_EQ(check.at("rows"), 3 * kUsers);
  EXPECT_EQ(check.at("difference"), "");
}

TEST_F(ModelRoutesTest, AShadowIsCounted) {
  const std::string a = publish("a");
  post("/api/models", {{"path", bundle("b")}, {"activate", false}});
  post("/api/models/small-ranking/shadow", {{"version", "2"}});
  for (int i = 0; i < 40; ++i) EXPECT_EQ(answering(), "small-ranking/" + a);
  // What waits on the shelf's thread before this has been done then.
  post("/api/models/small-ranking/check", json::object());
  const json count = json::parse(client_->get("/api/models").body).at("shadows").at("small-ranking");
  EXPECT_GE(count.at("asked").get<int>() + count.at("dropped").get<int>(), 4);
  post("/api/models/small-ranking/shadow", {{"version", nullptr}});
  EXPECT_TRUE(json::parse(client_->get("/api/models").body).at("shadows").empty());
  EXPECT_EQ(client_->post("/api/models/small-ranking/shadow", "{}").status, 400);
}

TEST_F(ModelRoutesTest, ATrainingThatFailsIsATaskWithAnError) {
  const std::string a = publish("a");
  const json task = post("/api/models/small-ranking/train", json::object());
  EXPECT_EQ(task.at("Name"), "train small-ranking");
  json tasks;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    tasks = json::parse(client_->get("/api/dashboard/tasks").body);
  } while (tasks[0].at("FinishTime").is_null());
  EXPECT_EQ(tasks[0].at("Status"), "Failed");
  EXPECT_THAT(tasks[0].at("Error").get<std::string>(), HasSubstr("`fewshop train` ended with status 1"));
  EXPECT_EQ(answering(), "small-ranking/" + a);
  EXPECT_EQ(code_of(client_->post("/api/models/nothing/train", "")), "not_found");
}

// 50,000 requests of two clients while 200 times another version becomes live: every answer is there, and whole: the
// list of the version that it names.
TEST_F(ModelRoutesTest, SwapsUnderLoadFailAndMixNothing) {
  constexpr int kRequests = 50'000, kSwaps = 200;
  std::map<std::string, std::vector<std::string>> expected;  // version -> body by user
  std::vector<std::string> versions;
  for (const char* name : {"a", "b"}) {
    versions.push_back(publish(name));
    for (int u = 0; u < kUsers; ++u)
      expected["small-ranking/" + versions.back()].push_back(client_->get("/api/recommend/" + user(u)).body);
  }
  ASSERT_NE(expected.begin()->second, expected.rbegin()->second);
  std::atomic<int> asked = 0, failed = 0, mixed = 0, swaps = 0;
  std::map<std::string, int> answers[2];
  const auto ask = [&](int number) {
    Client client(address());
    for (int i = 0; i < kRequests / 2; ++i, ++asked) {
      const int u = i % kUsers;
      const Answer answer = client.get("/api/recommend/" + user(u));
      const std::string version(answer.header("x-model-version"));
      if (answer.status != 200)
        ++failed;
      else if (const auto body = expected.find(version); body == expected.end() || body->second[u] != answer.body)
        ++mixed;
      ++answers[number][version];
    }
  };
  std::thread first(ask, 0), second(ask, 1);
  for (int s = 0; s < kSwaps; ++s) {
    while (asked < s * (kRequests / kSwaps) && asked < kRequests)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const Answer answer =
        client_->post("/api/models/small-ranking/activate", json{{"version", versions[s % 2]}}.dump());
    swaps += answer.status == 200;
  }
  first.join();
  second.join();
  EXPECT_EQ(swaps, kSwaps);
  EXPECT_EQ(asked, kRequests);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(mixed, 0);
  for (const auto& count : answers) EXPECT_EQ(count.size(), 2);  // both have answered both clients
}

}  // namespace
}  // namespace fewshop::http
