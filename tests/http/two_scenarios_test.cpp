// Several models live at once: the one that a request names answers, and one version of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

/// "first" and "second" rank, "rates" does not; `by_default`: [recommend] scenario.
struct TwoScenarios {
  explicit TwoScenarios(const std::string& by_default = "")
      : serve([by_default](ShopServer::Options& options) {
          options.config.recommend.scenario = by_default;
          options.now = [] { return 1'700'000'000 * kSecond; };
        }) {
    serve.server->shop().retire("small-ranking");
    for (const char* name : {"first", "second"}) serve.publish(name, "1");
    serve.publish("rates", "1", Problem::kRating);
    client = serve.client();
    for (const char* user : {"u1", "u2", "u3"})
      for (const char* item : {"item-1", "item-2", "item-3"})
        client->post("/api/events", event_body(std::string(user) + item, user, item));
  }

  /// A question to every route that takes its scenario from the query.
  Answer ask(const std::string& route, const std::string& query) {
    static const std::map<std::string, std::string> bodies = {
        {"/api/session/recommend", R"([{"FeedbackType":"purchase","UserId":"u1","ItemId":"item-1"}])"},
        {"/api/guide", R"({"item_id":"item-1","user_id":"u1","n":4})"}};
    const auto body = bodies.find(route);
    return body == bodies.end() ? client->get(route + query) : client->post(route + query, body->second);
  }
  static std::vector<std::string> routes() {
    return {"/api/recommend/u1",      "/api/recommend/u1/even",           "/api/collaborative-filtering/u1",
            "/api/session/recommend", "/api/item-to-item/similar/item-1", "/api/guide"};
  }
  /// Which model it was that answered, and what it said.
  static std::string model_of(const Answer& answer) {
    const std::string header(answer.header("x-model-version"));
    if (!header.empty()) return header;
    const json body = body_of(answer);
    return body.at("scenario").get<std::string>() + "/" + body.at("model_version").get<std::string>();
  }
  static std::vector<std::string> ids_of(const json& list) {
    std::vector<std::string> ids;
    for (const json& entry : list) ids.push_back(entry.is_string() ? entry : entry.at("Id"));
    return ids;
  }

  ShopServe serve;
  std::unique_ptr<Client> client;
};

TEST(TwoScenarios, TheNamedOneAnswersOnEveryRoute) {
  TwoScenarios shop;
  for (const std::string& route : TwoScenarios::routes()) {
    SCOPED_TRACE(route);
    std::map<std::string, json> said;
    for (const char* name : {"first", "second"}) {
      const Answer answer = shop.ask(route, std::string("?scenario=") + name);
      ASSERT_EQ(answer.status, 200) << answer.body;
      EXPECT_EQ(TwoScenarios::model_of(answer), std::string(name) + "/1");
      const json body = body_of(answer);
      said[name] = body.is_object() ? body.at("related") : body;
    }
    EXPECT_NE(said["first"], said["second"]);
  }
}

TEST(TwoScenarios, WhatIsRelatedIsWhatTheNamedModelFindsSimilar) {
  TwoScenarios shop;
  for (const std::string name : {"first", "second"}) {
    const json guide = body_of(shop.ask("/api/guide", "?scenario=" + name));
    const auto similar =
        TwoScenarios::ids_of(body_of(shop.client->get("/api/item-to-item/similar/item-1?n=20&scenario=" + name)));
    ASSERT_EQ(guide.at("related").size(), 4);
    for (const auto& id : TwoScenarios::ids_of(guide.at("related"))) EXPECT_THAT(similar, ::testing::Contains(id));
  }
}

TEST(TwoScenarios, WithoutADefaultTheCandidatesAreNamed) {
  TwoScenarios shop;
  auto expect_named = [](const Answer& answer) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(body_of(answer).at("error").at("message"),
              "scenario: several rank items (first, second); name one with ?scenario=, or set [recommend] scenario");
  };
  for (const std::string& route : TwoScenarios::routes()) {
    SCOPED_TRACE(route);
    expect_named(shop.ask(route, ""));
    const Answer unknown = shop.ask(route, "?scenario=third");
    EXPECT_EQ(unknown.status, 400);
    EXPECT_THAT(unknown.body, HasSubstr("scenario: no model of 'third' is live; live: first, rates, second"));
  }
  expect_named(shop.client->post("/api/recommend", R"([{"user_id":"u1","scenario":"first"},{"user_id":"u1"}])"));
  EXPECT_EQ(shop.client->get("/api/popular").status, 200);
  EXPECT_EQ(shop.client->get("/api/item-to-item/also/item-1").status, 200);
}

TEST(TwoScenarios, TheConfiguredOneAnswersWhereNoneIsNamed) {
  TwoScenarios shop("second");
  for (const std::string& route : TwoScenarios::routes()) {
    SCOPED_TRACE(route);
    EXPECT_EQ(TwoScenarios::model_of(shop.ask(route, "")), "second/1");
    EXPECT_EQ(TwoScenarios::model_of(shop.ask(route, "?scenario=first")), "first/1");
  }
  const json answers =
      body_of(shop.client->post("/api/recommend", R"([{"user_id":"u1","scenario":"first"},{"user_id":"u1"}])"));
  EXPECT_EQ(answers[0].at("scenario"), "first");
  EXPECT_EQ(answers[1].at("scenario"), "second");
}

TEST(TwoScenarios, AModelOfRatingsGuidesWhereItIsNamed) {
  TwoScenarios shop;
  const json guide = body_of(shop.ask("/api/guide", "?scenario=rates"));
  EXPECT_EQ(guide.at("scenario"), "rates");
  EXPECT_GE(guide.at("interest").at("score"), 1);
  EXPECT_LE(guide.at("interest").at("score"), 5);
}

// While two versions take turns, every answer is whole: its numbers are those of the version that it names, and a list
// of answers is of one.
TEST(TwoScenarios, SwapsMixNothing) {
  TwoScenarios shop("first");
  const std::map<std::string, std::string> questions = {
      {"/api/guide",
       R"([{"item_id":"item-1","user_id":"u1"},{"item_id":"item-2","user_id":"u2"},{"item_id":"item-3"}])"},
      {"/api/scenarios/first/predict",
       R"([{"task":{"user_id":"u1"},"query":[{"item_id":"item-7"}]},{"support":[],"query":[{"item_id":"item-8"}]}])"},
      {"/api/recommend", R"([{"user_id":"u1"},{"user_id":"u2"},{"client_id":"g"}])"}};
  const auto asked = [](Client& client, const std::string& route, const std::string& body) {
    json answers = body_of(client.post(route, body));
    for (json& answer : answers) answer.erase("recommendation_id");
    return answers;
  };
  std::map<std::string, std::map<std::string, json>> expected;  // route -> version -> answers
  std::map<std::string, std::string> bundles;
  for (const std::string version : {"1", "2"}) {
    bundles[version] = shop.serve.bundle("first", version);
    shop.serve.server->shop().publish(version, bundles[version]);
    for (const auto& [route, body] : questions) expected[route][version] = asked(*shop.client, route, body);
  }
  for (const auto& [route, of] : expected) EXPECT_NE(of.at("1"), of.at("2")) << route;
  std::atomic<bool> stop = false;
  std::thread swaps([&] {
    for (int i = 0; !stop; ++i) shop.serve.server->shop().publish(i % 2 ? "1" : "2", bundles[i % 2 ? "1" : "2"]);
  });
  std::set<std::string> seen;
  int mixed = 0;
  for (int i = 0; i < 600; ++i)
    for (const auto& [route, body] : questions) {
      const json answers = asked(*shop.client, route, body);
      const std::string version = answers.at(0).at("model_version");
      seen.insert(version);
      mixed += answers != expected[route][version];
    }
  stop = true;
  swaps.join();
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(seen.size(), 2);
}

}  // namespace
}  // namespace fewshop::http
