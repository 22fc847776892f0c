// What answers consist of, on the routes of a whole server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// A ranking and a rating model; u1 and u2 have bought item-1 and item-2, u2 also item-3, u3 only item-4.
class AnswersTest : public ::testing::Test {
 protected:
  AnswersTest() {
    serve_.publish("rates", "7", Problem::kRating);
    client_ = serve_.client();
    for (const auto& [user, items] :
         std::map<std::string, std::vector<int>>{{"u1", {1, 2}}, {"u2", {1, 2, 3}}, {"u3", {4}}})
      for (const int item : items) buy(user, "item-" + std::to_string(item));
  }

  void buy(const std::string& user, const std::string& item) {
    EXPECT_EQ(client_->post("/api/events", event_body(user + item, user, item)).status, 200);
  }
  Answer ask(const std::string& target, const Client::Headers& headers = {}) { return client_->get(target, headers); }
  json get(const std::string& target, const Client::Headers& headers = {}) {
    const Answer answer = ask(target, headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return body_of(answer);
  }
  json post(const std::string& target, const json& body, int status = 200) {
    const Answer answer = client_->post(target, body.dump());
    EXPECT_EQ(answer.status, status) << answer.body;
    return body_of(answer);
  }
  static std::vector<std::string> ids(const json& list) {
    std::vector<std::string> found;
    for (const json& entry : list) found.push_back(entry.is_string() ? entry : entry.at("Id"));
    return found;
  }
  static std::set<std::string> members(const json& object) {
    std::set<std::string> names;
    for (const auto& entry : object.items()) names.insert(entry.key());
    return names;
  }
  /// `total` = prior + sum of contributions, as far as doubles that were added in another order agree.
  static void expect_adds_up(double total, const json& explained) {
    double sum = explained.at("prior"), size = std::abs(sum);
    for (const json& reason : explained.at("reasons")) {
      sum += reason.at("contribution").get<double>();
      size += std::abs(reason.at("contribution").get<double>());
    }
    EXPECT_NEAR(total, sum, 1e-6 * std::max(1.0, size));
  }

  ShopServe serve_;
  std::unique_ptr<Client> client_;
};

TEST_F(AnswersTest, AListIsIdsAndItsHeadersSayWhatAnswered) {
  const Answer answer = ask("/api/recommend/u1?n=5"), other = ask("/api/recommend/u1?n=5");
  const json list = body_of(answer);
  ASSERT_EQ(list.size(), 5);
  for (const json& id : list) EXPECT_TRUE(id.is_string());
  EXPECT_THAT(ids(list), Not(::testing::Contains("item-1")));
  EXPECT_EQ(answer.header("x-model-version"), "small-ranking/1");
  EXPECT_EQ(answer.header("x-served"), "adapted");
  EXPECT_FALSE(answer.header("x-recommendation-id").empty());
  EXPECT_NE(answer.header("x-recommendation-id"), other.header("x-recommendation-id"));
  const Answer stranger = ask("/api/recommend/nobody");
  EXPECT_EQ(stranger.header("x-served"), "popularity");
  const Answer popular = ask("/api/popular");
  EXPECT_FALSE(popular.header("x-recommendation-id").empty());
  EXPECT_EQ(popular.header("x-model-version"), "");
  EXPECT_EQ(popular.header("x-served"), "popular");
}

TEST_F(AnswersTest, Version2AddsScoresAndIntervals) {
  for (const char* path : {"/api/recommend/u1", "/api/recommend/u1/even"}) {
    const auto plain = ids(get(path));
    const json list = get(path, {{"X-API-Version", "2"}});
    EXPECT_EQ(ids(list), plain);
    double before = INFINITY;
    for (const json& entry : list) {
      EXPECT_EQ(members(entry), (std::set<std::string>{"Id", "Score", "low", "high", "prior", "reasons"}));
      EXPECT_LE(entry.at("low"), entry.at("Score"));
      EXPECT_GE(entry.at("high"), entry.at("Score"));
      EXPECT_LE(entry.at("Score"), before);
      before = entry.at("Score");
    }
    EXPECT_TRUE(get(path, {{"X-API-Version", "1"}})[0].is_string());
  }
}

TEST_F(AnswersTest, ReasonsAddUpToTheScoreWhereverTheyAreGiven) {
  const json plain = get("/api/recommend/u1", {{"X-API-Version", "2"}});
  const json session = {{{"FeedbackType", "purchase"}, {"UserId", "x"}, {"ItemId", "item-1"}},
                        {{"FeedbackType", "purchase"}, {"UserId", "x"}, {"ItemId", "item-2"}}};
  const std::vector<json> lists = {get("/api/recommend/u1?explain=true"),
                                   get("/api/collaborative-filtering/u1?explain=true"),
                                   post("/api/session/recommend?explain=true", session),
                                   post("/api/recommend", {{"user_id", "u1"}, {"explain", true}}).at("items")};
  for (const json& list : lists) {
    EXPECT_EQ(list.size(), 10);
    for (const json& entry : list) {
      EXPECT_EQ(members(entry), (std::set<std::string>{"Id", "Score", "low", "high", "prior", "reasons"}));
      expect_adds_up(entry.at("Score"), entry);
      ASSERT_EQ(entry.at("reasons").size(), 2);  // one for each row of the support
      std::set<std::string> rows;
      for (const json& reason : entry.at("reasons")) {
        EXPECT_EQ(members(reason), (std::set<std::string>{"row", "item", "contribution"}));
        rows.insert(std::to_string(reason.at("row").get<int>()) + " " + reason.at("item").get<std::string>());
      }
      EXPECT_EQ(rows, (std::set<std::string>{"0 item-1", "1 item-2"}));
    }
  }
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_NEAR(plain[i].at("Score").get<double>(), lists[0][i].at("Score").get<double>(), 1e-5);
  for (const json& entry : get("/api/popular?explain=true")) EXPECT_EQ(members(entry).count("prior"), 0);
}

TEST_F(AnswersTest, WithoutAModelTheScoreIsThePrior) {
  serve_.server->shop().retire("small-ranking");
  const json list = get("/api/recommend/u1?explain=true");
  EXPECT_EQ(list[0].at("Id"), "item-1");
  EXPECT_EQ(list[0].at("Score"), 2);
  for (const json& entry : list) expect_adds_up(entry.at("Score"), entry);
  EXPECT_EQ(ask("/api/recommend/u1").header("x-served"), "popular");
}

TEST_F(AnswersTest, CollaborativeFilteringIsTheListWithScores) {
  const Answer answer = ask("/api/collaborative-filtering/u1?n=7");
  EXPECT_EQ(answer.header("x-model-version"), "small-ranking/1");
  const json list = body_of(answer);
  EXPECT_EQ(ids(list), ids(get("/api/recommend/u1?n=7")));
  for (const json& entry : list) EXPECT_EQ(members(entry), (std::set<std::string>{"Id", "Score"}));
  EXPECT_THAT(ids(get("/api/collaborative-filtering/u1?n=1000&include_seen=true")), ::testing::Contains("item-1"));
}

TEST_F(AnswersTest, WriteBackIsForRecommendedListsOnly) {
  const auto feedback = [&] { return get("/api/user/u1/feedback").size(); };
  const size_t before = feedback();
  get("/api/collaborative-filtering/u1?write-back-type=purchase");
  post("/api/session/recommend?write-back-type=purchase", json::array());
  EXPECT_EQ(feedback(), before);
  get("/api/recommend/u1?n=3&write-back-type=purchase");
  EXPECT_EQ(feedback(), before + 3);
}

TEST_F(AnswersTest, ABodyOfTooManyEventsIsTooLarge) {
  json events = json::array();
  for (int i = 0; i < 10'001; ++i) events.push_back({{"event", "view_item"}, {"user_id", "u"}, {"item_id", "item-1"}});
  const json refusal = post("/api/events", events, 413);
  EXPECT_EQ(refusal.at("error").at("code"), "too_many_values") << refusal.dump();
  events.erase(0);
  EXPECT_EQ(post("/api/events", events).at("accepted"), 10'000);
}

TEST_F(AnswersTest, ListsThatNobodyIsAskedFor) {
  const json popular = get("/api/popular?n=3");
  EXPECT_EQ(popular, get("/api/non-personalized/popular?n=3"));
  EXPECT_THAT(ids(popular), ElementsAre("item-1", "item-2", "item-3"));
  EXPECT_EQ(popular[0].at("Score"), 2);
  EXPECT_EQ(get("/api/latest?n=3"), get("/api/non-personalized/latest?n=3"));
  EXPECT_EQ(ids(get("/api/popular/even?n=2")), (std::vector<std::string>{"item-2", "item-4"}));
}

TEST_F(AnswersTest, UsersWithTheSameItems) {
  const json users = get("/api/user-to-user/any/u1");
  EXPECT_EQ(users, get("/api/user/u1/neighbors"));
  ASSERT_EQ(users.size(), 1);
  EXPECT_EQ(users[0].at("Id"), "u2");
  EXPECT_NEAR(users[0].at("Score").get<double>(), 2 / std::sqrt(2.0 * 3.0), 1e-12);
  EXPECT_EQ(get("/api/user-to-user/any/u1?offset=1"), json::array());
}

TEST_F(AnswersTest, ItemsThatGoWithAnItem) {
  const json also = get("/api/item-to-item/also/item-1");
  EXPECT_EQ(also, get("/api/item/item-1/neighbors"));
  EXPECT_THAT(ids(also), ElementsAre("item-2", "item-3"));
  EXPECT_EQ(ask("/api/item-to-item/also/item-1").header("x-model-version"), "");
  EXPECT_EQ(get("/api/item/never-heard-of/neighbors"), json::array());
  const Answer similar = ask("/api/item-to-item/similar/item-1?n=4");
  EXPECT_EQ(similar.header("x-model-version"), "small-ranking/1");
  EXPECT_EQ(body_of(similar).size(), 4);
  const Answer other = ask("/api/item-to-item/other/item-1");
  EXPECT_EQ(other.status, 400);
  EXPECT_THAT(other.body, HasSubstr("expected 'similar'"));
}

TEST_F(AnswersTest, BoostsAndDiversityAreListedApartFromReasons) {
  const json list = get("/api/recommend/u1?n=20&explain=true&diversity=0.6&boost=1:price%20%3C%2025");
  int boosted = 0, moved = 0;
  for (const json& entry : list) {
    expect_adds_up(entry.at("Score"), entry);
    if (entry.contains("boost")) {
      ++boosted;
      EXPECT_GT(entry.at("boost"), 0);
      EXPECT_LT(std::stoi(entry.at("Id").get<std::string>().substr(5)), 25);
    }
    if (entry.contains("diversity")) {
      ++moved;
      EXPECT_LT(entry.at("diversity"), 0);
      EXPECT_GE(entry.at("diversity"), -0.6);
    }
  }
  EXPECT_GT(boosted, 0);
  EXPECT_GT(moved, 0);
  EXPECT_FALSE(list[0].contains("diversity"));  // nothing stands before it
  for (const json& entry : get("/api/recommend/u1?explain=true")) EXPECT_FALSE(entry.contains("diversity"));
}

TEST_F(AnswersTest, AGuideScoresTheItemAndItsNeighbours) {
  const json guide = post("/api/guide?scenario=small-ranking", {{"item_id", "item-1"}, {"user_id", "u1"}, {"n", 4}});
  EXPECT_EQ(members(guide), (std::set<std::string>{"interest", "related", "complementary", "recommendation_id",
                                                   "scenario", "model_version"}));
  EXPECT_EQ(members(guide.at("interest")), (std::set<std::string>{"score", "low", "high"}));
  EXPECT_LE(guide.at("interest").at("low"), guide.at("interest").at("score"));
  EXPECT_GE(guide.at("interest").at("high"), guide.at("interest").at("score"));
  const json scored = post("/api/scenarios/small-ranking/predict",
                           {{"task", {{"user_id", "u1"}}}, {"query", {{{"item_id", "item-1"}}}}});
  EXPECT_NEAR(scored.at("predictions")[0].at("value").get<double>(), guide.at("interest").at("score").get<double>(),
              1e-5);
  EXPECT_EQ(guide.at("related").size(), 4);
  for (const auto& id : ids(guide.at("related")))
    EXPECT_THAT(ids(get("/api/item-to-item/similar/item-1?n=20")), ::testing::Contains(id));
  EXPECT_THAT(ids(guide.at("complementary")), ::testing::UnorderedElementsAre("item-2", "item-3"));
  for (const char* list : {"related", "complementary"}) {
    double before = INFINITY;
    for (const json& entry : guide.at(list)) {
      EXPECT_EQ(members(entry), (std::set<std::string>{"Id", "Score", "low", "high", "prior", "reasons"}));
      expect_adds_up(entry.at("Score"), entry);
      EXPECT_LE(entry.at("Score"), before);
      before = entry.at("Score");
    }
  }
}

TEST_F(AnswersTest, AListOfPagesGivesAListOfGuides) {
  const json a = {{"item_id", "item-1"}, {"user_id", "u1"}}, b = {{"item_id", "item-2"}, {"client_id", "g"}, {"n", 2}};
  json guides = post("/api/guide", {a, b}), alone = {post("/api/guide", a), post("/api/guide", b)};
  ASSERT_EQ(guides.size(), 2);
  EXPECT_NE(guides[0].at("recommendation_id"), guides[1].at("recommendation_id"));
  for (json* list : {&guides, &alone})
    for (json& guide : *list) guide.erase("recommendation_id");
  EXPECT_EQ(guides, alone);
  EXPECT_EQ(post("/api/guide", json::array()), json::array());
  const json other = {{"item_id", "item-1"}, {"scenario", "rates"}}, unknown = {{"item_id", "nothing"}},
             few = {{"item_id", "item-1"}, {"n", 0}};
  for (const json& wrong : {other, unknown, few, json::array({a, 7}), json(std::vector(1001, a)), json("text")})
    post("/api/guide", wrong, 400);
}

TEST_F(AnswersTest, WithoutAModelAGuideShowsWhatTheSamePeopleBought) {
  serve_.server->shop().retire("small-ranking");
  const json guide = post("/api/guide", {{"item_id", "item-1"}, {"user_id", "u1"}});
  EXPECT_TRUE(guide.at("interest").is_null());
  EXPECT_EQ(guide.at("model_version"), "");
  EXPECT_THAT(ids(guide.at("complementary")), ElementsAre("item-2", "item-3"));
  EXPECT_EQ(guide.at("related"), guide.at("complementary"));
}

TEST_F(AnswersTest, PredictionsSayWhatTheyAreMadeOf) {
  json query = json::array();
  for (int i = 0; i < 50; ++i) query.push_back({{"item_id", "item-" + std::to_string(i)}});
  for (const std::string scenario : {"rates", "small-ranking"}) {
    const bool rates = scenario == "rates";
    const std::string path = "/api/scenarios/" + scenario + "/predict";
    const json answer = post(path, {{"task", {{"user_id", "u1"}}}, {"query", query}, {"explain", true}});
    EXPECT_EQ(members(answer), (std::set<std::string>{"predictions", "model_version", "support"}));
    EXPECT_EQ(answer.at("model_version"), rates ? "7" : "1");
    EXPECT_EQ(answer.at("support"), 2);
    ASSERT_EQ(answer.at("predictions").size(), 50);
    for (const json& one : answer.at("predictions")) {
      EXPECT_EQ(members(one),
                (std::set<std::string>{"value", "low", "high", "family", "served", "prior", "link", "reasons"}));
      EXPECT_EQ(one.at("family"), rates ? "gaussian" : "scores");
      EXPECT_EQ(one.at("served"), "adapted");
      EXPECT_EQ(one.at("reasons").size(), 2);
      expect_adds_up(one.at("link"), one);
      const double link = one.at("link"), value = one.at("value");
      EXPECT_NEAR(value, rates ? std::clamp(link, 1.0, 5.0) : link, 1e-4);
      EXPECT_LE(one.at("low"), one.at("value"));
      EXPECT_GE(one.at("high"), one.at("value"));
    }
    json plain = post(path, {{"task", {{"user_id", "u1"}}}, {"query", query}});
    for (const json& one : plain.at("predictions"))
      EXPECT_EQ(members(one), (std::set<std::string>{"value", "low", "high", "family", "served"}));
  }
}

TEST_F(AnswersTest, NoSupportIsTheStoredRowsAndAnEmptyListIsNone) {
  const json query = {{{"item_id", "item-7"}}, {{"item_id", "item-8"}}};
  const std::string path = "/api/scenarios/rates/predict";
  const json stored = post(path, {{"task", {{"user_id", "u1"}}}, {"query", query}});
  EXPECT_EQ(post(path, {{"task", {{"user_id", "u1"}}}, {"support", nullptr}, {"query", query}}), stored);
  const json none = post(path, {{"task", {{"user_id", "u1"}}}, {"support", json::array()}, {"query", query}});
  EXPECT_EQ(stored.at("support"), 2);
  EXPECT_EQ(none.at("support"), 0);
  EXPECT_NE(none.at("predictions"), stored.at("predictions"));
  EXPECT_EQ(post(path, {{"task", {{"user_id", "nobody"}}}, {"query", query}}), none);
  EXPECT_EQ(post(path, {{"support", json::array()}, {"query", query}}), none);
  const json one = {{"item_id", "item-1"}, {"rating", 4.5}, {"time", "2026-11-01"}};
  EXPECT_EQ(post(path, {{"support", json::array({one})}, {"query", query}}).at("support"), 1);
  post(path, {{"query", query}}, 400);  // neither rows nor whose
}

TEST_F(AnswersTest, PredictionsCanBeAskedForAsOfATime) {
  const auto buy_at = [&](const std::string& item, const std::string& time) {
    const json event = {{"event", "purchase"}, {"user_id", "t"}, {"item_id", item}, {"timestamp", time}};
    EXPECT_EQ(client_->post("/api/events", event.dump()).status, 200);
  };
  buy_at("item-1", "2023-01-01T00:00:00Z");
  buy_at("item-2", "2023-03-01T00:00:00Z");
  buy_at("item-3", "2190-01-01T00:00:00Z");
  for (const std::string scenario : {"rates", "small-ranking"}) {
    const std::string path = "/api/scenarios/" + scenario + "/predict";
    json question = {{"task", {{"user_id", "t"}}}, {"query", {{{"item_id", "item-7"}}, {{"item_id", "item-8"}}}}};
    const json now = post(path, question);
    const auto at = [&](const std::string& time) {
      json asked = question;
      asked["at"] = time;
      return post(path, asked);
    };
    EXPECT_EQ(now.at("support"), 2);
    EXPECT_EQ(at("2022-12-31T00:00:00Z").at("support"), 0);
    EXPECT_EQ(at("2023-02-01T00:00:00Z").at("support"), 1) << "what came later is no support";
    const json then = at("2023-03-02T00:00:00Z"), later = at("2023-09-01T00:00:00Z");
    EXPECT_EQ(then.at("support"), 2);
    EXPECT_NE(then.at("predictions"), later.at("predictions")) << "ages count from there";
    EXPECT_NE(then.at("predictions"), now.at("predictions"));
    EXPECT_EQ(at("2191-01-01T00:00:00Z").at("support"), 3);

    // The same rows, stated by the question.
    question["support"] = json::array();
    for (const auto& [item, time] : {std::pair("item-1", "2023-01-01"), std::pair("item-2", "2023-03-01")})
      question["support"].push_back({{"item_id", item}, {"rating", 4.5}, {"time", time}, {"event", "purchase"}});
    EXPECT_EQ(at("2023-03-02T00:00:00Z"), then);
    EXPECT_EQ(at("2023-09-01T00:00:00Z"), later);
    question["at"] = 3;
    EXPECT_THAT(post(path, question, 400).dump(), HasSubstr("at: expected a time"));
  }
}

TEST_F(AnswersTest, MembersThatAQuestionDoesNotKnowAreRefusedByName) {
  const json query = {{{"item_id", "item-7"}}};
  const json wrong = {{"task", {{"user_id", "u1"}}}, {"suport", json::array()}, {"query", query}};
  for (const json& body : {wrong, json::array({{{"task", {{"user_id", "u1"}}}, {"query", query}}, wrong})})
    EXPECT_THAT(post("/api/scenarios/rates/predict", body, 400).dump(),
                HasSubstr("unknown member 'suport'; known: task, support, query, explain, at"));
  EXPECT_THAT(post("/api/guide", {{"item_id", "item-1"}, {"user", "u1"}}, 400).dump(),
              HasSubstr("unknown member 'user'; known: item_id, user_id, client_id, n; the scenario"));
  EXPECT_THAT(post("/api/recommend", {{"user", "u1"}}, 400).dump(), HasSubstr("unknown member 'user'; known: "));
}

TEST_F(AnswersTest, AListOfBodiesGivesAListOfPredictions) {
  const std::string path = "/api/scenarios/rates/predict";
  const json a = {{"task", {{"user_id", "u1"}}}, {"query", {{{"item_id", "item-7"}}}}},
             b = {{"support", json::array()}, {"query", {{{"item_id", "item-8"}}, {{"item_id", "item-9"}}}}};
  const json answers = post(path, {a, b});
  ASSERT_EQ(answers.size(), 2);
  EXPECT_EQ(answers[0], post(path, a));
  EXPECT_EQ(answers[1], post(path, b));
  post(path, {a, 7}, 400);
}

}  // namespace
}  // namespace fewshop::http
