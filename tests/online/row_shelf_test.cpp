// Versions of models that predict rows, beside those that rank items.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include "online/live_check.h"
#include "online/live_shop.h"
#include "online/model_shelf.h"
#include "online/row_bundle.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LiveShop;
using testing::row_bundle;

class RowShelfTest : public ::testing::Test {
 protected:
  RowShelfTest() {
    live_.put_items();
    open();
  }

  void open() {
    shelf_.reset();
    ModelShelf::Options options;
    options.database = live_.folder / "shop.db";
    options.log = [this](const std::string& message) { log_ += message + "\n"; };
    shelf_ = std::make_unique<ModelShelf>(*live_.shop, options);
  }
  ModelVersion publish(const std::string& version, float mean) {
    return shelf_->publish(row_bundle(live_.folder / ("rows-" + version), mean));
  }
  double predicted() {
    RowQuestion question;
    question.query = {"query", {"x"}, {{"1"}}, {}};
    return live_.shop->predict("small-rows", question).answer.predictions.at(0).distribution.mean;
  }
  static std::string complaint(const std::function<void()>& call) {
    try {
      call();
    } catch (const InvalidInput& problem) {
      return problem.what();
    }
    return "";
  }

  LiveShop live_;
  std::unique_ptr<ModelShelf> shelf_;
  std::string log_;
};

TEST_F(RowShelfTest, PublishActivateRollBackRemoveAndStartAgain) {
  const ModelVersion a = publish("a", 0.25F), b = publish("b", 0.5F);
  EXPECT_EQ(predicted(), 0.5);
  shelf_->activate("small-rows", "1");
  EXPECT_EQ(predicted(), 0.25);
  shelf_->rollback("small-rows");
  EXPECT_EQ(predicted(), 0.5);
  EXPECT_EQ(publish("b", 0.5F).version, b.version);
  shelf_->remove("small-rows", a.version);
  EXPECT_EQ(shelf_->list().size(), 1);
  shelf_.reset();
  live_.open();
  open();
  EXPECT_EQ(predicted(), 0.5);
  EXPECT_EQ(log_, "");
}

TEST_F(RowShelfTest, WhatCannotBeServedIsRefusedAndTheLiveOneStays) {
  publish("a", 0.25F);
  EXPECT_THAT(complaint([&] { shelf_->publish(testing::unservable_row_bundle(live_.folder / "no-form")); }),
              HasSubstr("'training-only' answers only with the library that trains, so this model cannot be served"));
  const std::string damaged = row_bundle(live_.folder / "damaged", 0.5F);
  std::ofstream(damaged + "/weights.safetensors", std::ios::app) << "!";
  EXPECT_THAT(complaint([&] { shelf_->publish(damaged); }), HasSubstr("damaged"));
  EXPECT_EQ(predicted(), 0.25);
  EXPECT_EQ(shelf_->list().size(), 1);
}

TEST_F(RowShelfTest, TheyHaveNoShadowAndNothingToCheck) {
  publish("a", 0.25F);
  shelf_->publish(row_bundle(live_.folder / "rows-b", 0.5F), false);
  EXPECT_THAT(complaint([&] { shelf_->shadow("small-rows", "2"); }), HasSubstr("`fewshop model compare NEW OLD`"));
  EXPECT_THAT(complaint([&] { check_live(live_.folder / "rows-b", live_.folder / "shop.db"); }),
              HasSubstr("its rows come with the questions"));
  EXPECT_TRUE(shelf_->shadows().empty());
}

TEST_F(RowShelfTest, ListsAreOfOtherScenarios) {
  publish("a", 0.25F);
  EXPECT_EQ(live_.recommend("u").served, "popular") << "no model ranks";
  live_.publish("items");
  EXPECT_EQ(live_.recommend("u").scenario, "small-ranking");
  EXPECT_THAT(complaint([&] {
                live_.shop->recommend(live_.shop->model_or_null("small-rows"), {"u", "", std::nullopt}, {});
              }),
              HasSubstr("'small-rows' asks about rows, which POST /api/scenarios/small-rows/predict answers; expected "
                        "one that rates or ranks items: small-ranking"));
  EXPECT_THAT(complaint([&] { live_.shop->predict("small-ranking", {}); }), HasSubstr("that predicts rows is live"));
  std::vector<std::string> names;
  for (const auto& scenario : live_.shop->scenarios()) names.push_back(scenario.name);
  EXPECT_THAT(names, ElementsAre("small-ranking", "small-rows"));
  EXPECT_EQ(live_.shop->figures().models, 2);
}

TEST_F(RowShelfTest, AScenarioHasOneLiveModelOfEitherKind) {
  live_.publish("items");
  live_.shop->publish("rows", row_bundle(live_.folder / "rows", 0.25F, "small-ranking"));
  EXPECT_EQ(live_.shop->model_or_null(""), nullptr);
  EXPECT_EQ(live_.shop->row_model("small-ranking")->version(), "rows");
  live_.publish("again");
  EXPECT_EQ(live_.shop->row_model("small-ranking"), nullptr);
  EXPECT_EQ(live_.shop->model("")->version(), "again");
  EXPECT_EQ(live_.shop->scenarios().size(), 1);
  live_.shop->retire("small-ranking");
  EXPECT_TRUE(live_.shop->scenarios().empty());
}

TEST_F(RowShelfTest, TheyAreNotCountedAnewAndReceiptsSayIt) {
  const std::string version = publish("a", 0.25F).version;
  live_.event("e1", "u", "item-1");
  while (live_.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::promise<nlohmann::json> receipt;
  live_.shop->forget("u", [&](const Outcome&, const nlohmann::json& made) { receipt.set_value(made); });
  EXPECT_EQ(receipt.get_future().get().at("models")[0].at("version"), version);
  std::promise<void> recounted;
  shelf_->background([&] { recounted.set_value(); });
  recounted.get_future().wait();
  EXPECT_THAT(log_, HasSubstr("models that predict rows are not counted anew; train it again"));
  EXPECT_THAT(live_.shop->receipts("u")[0].at("models").dump(), HasSubstr("as trained: models that predict rows"));
  EXPECT_EQ(predicted(), 0.25);
}

}  // namespace
}  // namespace fewshop
