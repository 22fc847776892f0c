// Models that predict rows over HTTP: published, asked, swapped under load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "online/row_bundle.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using testing::after_two;
using ::testing::HasSubstr;
using testing::row_bundle;

constexpr const char* kPredict = "/api/scenarios/small-rows/predict";

/// A served shop with a model that ranks, and one of rows whose prior is 0.25.
class RowRoutesTest : public ::testing::Test {
 protected:
  RowRoutesTest() : client_(shop_.client()) { first_ = publish(0.25F); }

  std::string publish(float mean) {
    const std::string path = row_bundle(shop_.folder / ("rows-" + std::to_string(mean)), mean);
    return ask("/api/models", {{"path", path}}).at("version");
  }
  json ask(const std::string& path, const json& body, int status = 200) {
    const Answer answer = client_->post(path, body.dump());
    EXPECT_EQ(answer.status, status) << answer.body;
    return json::parse(answer.body);
  }
  std::string complaint(const json& body, const std::string& path = kPredict) {
    return ask(path, body, 400).at("error").at("message");
  }
  static json two_ones() { return {{{"x", 1}, {"colour", "red"}, {"target", 1}}, {{"x", -0.5}, {"target", true}}}; }

  ShopServe shop_;
  std::unique_ptr<Client> client_;
  std::string first_;
};

TEST_F(RowRoutesTest, WithAndWithoutSupport) {
  const json query = {{{"x", 0.1}, {"colour", "green"}}, {{"x", nullptr}}};
  json answer = ask(kPredict, {{"support", two_ones()}, {"query", query}, {"task", {{"age", "old"}}}});
  EXPECT_EQ(answer.at("model_version"), first_);
  EXPECT_EQ(answer.at("support"), 2);
  ASSERT_EQ(answer.at("predictions").size(), 2);
  const json& prediction = answer.at("predictions")[0];
  EXPECT_NEAR(prediction.at("value").get<double>(), after_two(0.25), 1e-12);
  EXPECT_EQ(prediction.at("family"), "bernoulli");
  EXPECT_EQ(prediction.at("probabilities").at("1"), prediction.at("value"));
  EXPECT_TRUE(prediction.at("low").is_null());
  EXPECT_EQ(prediction.at("served"), "adapted");
  EXPECT_FALSE(prediction.contains("reasons"));
  for (const json& body : {json{{"query", query}}, json{{"query", query}, {"support", json::array()}},
                           json{{"query", query}, {"support", nullptr}, {"task", nullptr}}}) {
    answer = ask(kPredict, body);
    EXPECT_EQ(answer.at("predictions")[0].at("value"), 0.25);
    EXPECT_EQ(answer.at("predictions")[0].at("served"), "majority");
    EXPECT_EQ(answer.at("support"), 0);
  }
  answer = ask(kPredict, json::array({{{"query", query}}, {{"query", query}, {"support", two_ones()}}}));
  EXPECT_EQ(answer[0].at("support"), 0);
  EXPECT_EQ(answer[1].at("support"), 2);
}

TEST_F(RowRoutesTest, ExplanationsAddUpToTheLink) {
  const json answer = ask(kPredict, {{"support", two_ones()}, {"query", {{{"x", 1}}}}, {"explain", true}});
  const json& prediction = answer.at("predictions")[0];
  double sum = prediction.at("prior");
  for (const json& reason : prediction.at("reasons")) sum += reason.at("contribution").get<double>();
  const double value = prediction.at("value");
  EXPECT_NEAR(sum, prediction.at("link").get<double>(), 1e-9);
  EXPECT_NEAR(sum, std::log(value / (1 - value)), 1e-9);
  EXPECT_EQ(prediction.at("reasons").size(), 2);
}

TEST_F(RowRoutesTest, WhatCannotBeReadIs400NamingThePlace) {
  const json query = {{{"x", 1}}};
  EXPECT_THAT(complaint({{"query", {{{"size", 1}}}}}), HasSubstr("query: scenario small-rows has no column 'size'"));
  EXPECT_EQ(complaint({{"query", {{{"x", "big"}}}}}), "query: row 1: x: expected a number, got 'big'");
  EXPECT_EQ(complaint({{"query", query}, {"support", {{{"x", 1}, {"target", nullptr}}}}}),
            "support: row 1: target is empty");
  EXPECT_THAT(complaint({{"query", query}, {"support", {{{"x", 1}}}}}),
              HasSubstr("support: expected a column 'target'"));
  EXPECT_THAT(complaint({{"query", query}, {"task", {{"colour", "red"}}}}), HasSubstr("task: scenario small-rows"));
  EXPECT_THAT(complaint({{"query", query}, {"task", 3}}), HasSubstr("task: expected a JSON object"));
  EXPECT_THAT(complaint({{"query", query}, {"at", 3}}), HasSubstr("at: expected a time"));
  EXPECT_EQ(complaint({{"query", query}, {"suport", json::array()}}),
            "unknown member 'suport'; known: task, support, query, explain, at");
  EXPECT_THAT(complaint({{"query", query}, {"support", 3}}), HasSubstr("support: expected a list of rows"));
  EXPECT_THAT(complaint({{"query", {{{"x", json::array()}}}}}), HasSubstr("query.x: expected a text"));
  EXPECT_EQ(complaint({{"support", two_ones()}, {"query", json::array()}}), "query: no rows");
  EXPECT_EQ(complaint(json::array({3})), "the body: expected a JSON object, got 3");
  EXPECT_THAT(complaint({{"query", query}, {"explain", "yes"}}),
              HasSubstr("explain: expected true or false, got \"yes\""));
}

TEST_F(RowRoutesTest, ListedBesideThoseOfItemsAndNotTakenForLists) {
  const json scenarios = json::parse(client_->get("/api/scenarios").body).at("scenarios");
  ASSERT_EQ(scenarios.size(), 2);
  EXPECT_EQ(scenarios[0].at("problem"), "ranking");
  EXPECT_EQ(scenarios[1].at("name"), "small-rows");
  EXPECT_EQ(scenarios[1].at("problem"), "binary");
  EXPECT_EQ(scenarios[1].at("version"), first_);
  EXPECT_EQ(client_->get("/api/recommend/u1").header("x-model-version"), "small-ranking/1")
      << "the only one that ranks";
  const Answer answer = client_->get("/api/recommend/u1?scenario=small-rows");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("'small-rows' asks about rows"));
  EXPECT_THAT(complaint({{"user_id", "u1"}, {"scenario", "small-rows"}}, "/api/recommend"),
              HasSubstr("asks about rows"));
  EXPECT_THAT(complaint({{"item_id", "item-1"}}, "/api/guide?scenario=small-rows"), HasSubstr("asks about rows"));
}

TEST_F(RowRoutesTest, RefusalsAreConflictsAndTheLiveVersionStays) {
  const auto refused = [&](const std::string& path, const json& body) {
    return ask(path, body, 409).at("error").at("message").get<std::string>();
  };
  EXPECT_THAT(refused("/api/models", {{"path", testing::unservable_row_bundle(shop_.folder / "no-form")}}),
              HasSubstr("'training-only' answers only with the library that trains"));
  const std::string damaged = row_bundle(shop_.folder / "damaged", 0.5F);
  std::ofstream(damaged + "/gate.json", std::ios::app) << " ";
  EXPECT_THAT(refused("/api/models", {{"path", damaged}}), HasSubstr("gate.json"));
  publish(0.5F);
  EXPECT_THAT(refused("/api/models/small-rows/shadow", {{"version", "1"}}), HasSubstr("such models have no shadow"));
  EXPECT_THAT(refused("/api/models/small-rows/check", json::object()), HasSubstr("there is nothing to check"));
  EXPECT_EQ(ask(kPredict, {{"query", {{{"x", 1}}}}}).at("predictions")[0].at("value"), 0.5);
}

TEST_F(RowRoutesTest, AnswersAreCounted) {
  for (int i = 0; i < 3; ++i) ask(kPredict, {{"support", two_ones()}, {"query", {{{"x", 1}}}}});
  const std::string metrics = client_->get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("fewshop_adapt_latency_seconds_count{model=\"small-rows\"} 3"));
  EXPECT_THAT(metrics, HasSubstr("fewshop_rank_requests_total{model=\"small-rows\"} 3"));
  EXPECT_THAT(metrics, HasSubstr("fewshop_models_live 2"));
}

// 20,000 requests of two clients while 100 times another version becomes live: all are answered, each by one version.
TEST_F(RowRoutesTest, SwapsUnderLoadFailAndMixNothing) {
  constexpr int kRequests = 20'000, kSwaps = 100;
  const std::map<std::string, double> expected = {{first_, after_two(0.25)}, {publish(0.5F), after_two(0.5)}};
  const std::string body = json{{"support", two_ones()}, {"query", {{{"x", 1}}, {{"x", 2}}}}}.dump();
  std::atomic<int> asked = 0, failed = 0, mixed = 0;
  std::map<std::string, std::atomic<int>> answers;
  for (const auto& entry : expected) answers[entry.first] = 0;
  const auto ask_often = [&] {
    Client client(shop_.address());
    for (int i = 0; i < kRequests / 2; ++i, ++asked) {
      const Answer answer = client.post(kPredict, body);
      if (answer.status != 200) {
        ++failed;
        continue;
      }
      const json object = json::parse(answer.body);
      ++answers.at(object.at("model_version"));
      for (const json& prediction : object.at("predictions"))
        if (std::abs(prediction.at("value").get<double>() - expected.at(object.at("model_version"))) > 1e-6) ++mixed;
    }
  };
  std::thread first(ask_often), second(ask_often);
  for (int s = 0; s < kSwaps; ++s) {
    while (asked < s * (kRequests / kSwaps) && asked < kRequests)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ask("/api/models/small-rows/activate", {{"version", s % 2 == 0 ? "1" : "2"}});
  }
  first.join();
  second.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(mixed, 0);
  for (const auto& [version, count] : answers) EXPECT_GT(count, 0) << version;
}

TEST_F(RowRoutesTest, TheDocumentSaysWhatAPredictionIs) {
  const json document = json::parse(client_->get("/apidocs.json").body);
  const json& prediction = document.at("components").at("schemas").at("Prediction").at("properties");
  for (const char* name : {"value", "low", "high", "family", "probabilities", "served", "prior", "link", "reasons"})
    EXPECT_TRUE(prediction.contains(name)) << name;
}

}  // namespace
}  // namespace fewshop::http
