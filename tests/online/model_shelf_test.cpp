#include "online/model_shelf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <future>

#include "online/live_shop.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LiveShop;

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const InvalidInput& problem) {
    return problem.what();
  }
  return "";
}

class ModelShelfTest : public ::testing::Test {
 protected:
  ModelShelfTest() {
    live_.put_items();
    Change change;
    UserRecord user;
    user.user_id = "u";
    user.labels = {{"age", "old"}};
    change.users.push_back(user);
    live_.shop->change(std::move(change));
    open();
  }

  void open(int keep = 5) {
    shelf_.reset();
    ModelShelf::Options options;
    options.database = live_.folder / "shop.db";
    options.keep = keep;
    options.shadow_every = 1;
    options.log = [this](const std::string& message) { log_ += message + "\n"; };
    shelf_ = std::make_unique<ModelShelf>(*live_.shop, options);
  }
  /// Everything anew, as after a crash.
  void restart() {
    shelf_.reset();
    live_.open();
    open();
  }

  std::string bundle(const std::string& version) {
    testing::SmallModelOptions options;
    options.items = 50;
    options.live = true;
    options.version = version;
    const std::string folder = live_.folder / ("bundle-" + version);
    testing::small_model(options)->save(folder, nlohmann::json::object(), nlohmann::json::object());
    return folder;
  }
  ModelVersion publish(const std::string& version, bool activate = true) {
    return shelf_->publish(bundle(version), activate);
  }
  std::string live() { return shelf_->live("small-ranking")->version; }
  std::string answering() { return live_.recommend("u").version; }
  std::vector<std::string> versions() {
    std::vector<std::string> list;
    for (const auto& version : shelf_->list()) list.push_back(version.version.substr(0, version.version.find('-')));
    return list;
  }

  LiveShop live_;
  std::unique_ptr<ModelShelf> shelf_;
  std::string log_;
};

TEST_F(ModelShelfTest, WhatIsPublishedAnswersAndIsStillLiveAfterARestart) {
  EXPECT_EQ(answering(), "");
  const ModelVersion first = publish("a");
  EXPECT_THAT(first.version, ::testing::MatchesRegex("1-[0-9a-f]{8}"));
  EXPECT_EQ(answering(), first.version);
  EXPECT_EQ(first.folder, live_.folder / ("shop.db.models/small-ranking/" + first.version));
  fs::remove_all(live_.folder / "bundle-a");  // the shelf has its own copy
  restart();
  EXPECT_EQ(answering(), first.version);
  EXPECT_EQ(log_, "");
}

TEST_F(ModelShelfTest, ActivateAndRollBack) {
  const auto a = publish("a").version, b = publish("b").version, c = publish("c", false).version;
  EXPECT_EQ(answering(), b);
  shelf_->activate("small-ranking", "3");  // the number is enough
  EXPECT_EQ(answering(), c);
  EXPECT_EQ(shelf_->rollback("small-ranking").version, b);
  EXPECT_EQ(answering(), b);
  restart();
  EXPECT_EQ(shelf_->rollback("small-ranking").version, a);
  EXPECT_EQ(answering(), a);
  EXPECT_THAT(message_of([&] { shelf_->rollback("small-ranking"); }), HasSubstr("nothing to go back to"));
}

TEST_F(ModelShelfTest, TheSameBundleIsOneVersion) {
  const auto a = publish("a").version;
  publish("b");
  EXPECT_EQ(publish("a").version, a);
  EXPECT_EQ(answering(), a);
  EXPECT_THAT(versions(), ElementsAre("1", "2"));
}

TEST_F(ModelShelfTest, KeepsTheLastVersionsAndThoseInUse) {
  open(3);
  publish("a");
  publish("b");
  shelf_->activate("small-ranking", "1");  // in use: 1, and 2 to go back to
  publish("c", false);
  publish("d", false);
  publish("e", false);
  EXPECT_THAT(versions(), ElementsAre("1", "2", "5"));
  EXPECT_EQ(std::distance(fs::directory_iterator(live_.folder / "shop.db.models/small-ranking"), {}), 3);
}

TEST_F(ModelShelfTest, ADamagedBundleIsRefusedAndTheLiveOneStays) {
  const auto a = publish("a").version;
  const std::string damaged = bundle("b");
  {
    std::fstream file(damaged + "/weights.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    if (!file) file.open(damaged + "/encoders.json", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('!');
  }
  EXPECT_THAT(message_of([&] { shelf_->publish(damaged); }), HasSubstr("damaged"));
  EXPECT_THAT(message_of([&] { shelf_->publish(live_.folder / "nowhere"); }), HasSubstr("no such bundle"));
  EXPECT_EQ(answering(), a);
  EXPECT_THAT(versions(), ElementsAre("1"));
}

TEST_F(ModelShelfTest, AScenarioThatCannotBeServedIsRefusedByName) {
  testing::SmallModelOptions options;
  options.items = 50;
  const std::string folder = live_.folder / "not-live";
  testing::small_model(options)->save(folder, nlohmann::json::object(), nlohmann::json::object());
  EXPECT_THAT(message_of([&] { shelf_->publish(folder); }), HasSubstr("it has no [live]"));
}

TEST_F(ModelShelfTest, AScenarioWhoseLiveDoesNotReproduceItsRowsIsRefused) {
  live_.event("e1", "u", "item-1");
  while (live_.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  testing::SmallModelOptions options;
  options.items = 50;
  options.live = true;
  options.problem = Problem::kRating;  // [rows] reads a rating that the event does not have
  const std::string folder = live_.folder / "rating";
  testing::small_model(options)->save(folder, nlohmann::json::object(), nlohmann::json::object());
  EXPECT_THAT(message_of([&] { shelf_->publish(folder); }), HasSubstr("[live] does not make the rows"));
  EXPECT_TRUE(shelf_->list().empty());
}

TEST_F(ModelShelfTest, AVersionThatIsLostOnTheDiskIsReportedAtStart) {
  const ModelVersion a = publish("a");
  const auto b = publish("b").version;
  fs::remove_all(live_.folder / ("shop.db.models/small-ranking/" + b));
  restart();
  EXPECT_EQ(answering(), "");
  EXPECT_THAT(log_, HasSubstr("version " + b + " was live and cannot be loaded"));
  EXPECT_EQ(shelf_->rollback("small-ranking").version, a.version);
  EXPECT_EQ(answering(), a.version);
}

TEST_F(ModelShelfTest, PublishingItAgainMendsAVersionThatIsLostOrDamaged) {
  const std::string a = publish("a").version;
  const fs::path folder = live_.folder / ("shop.db.models/small-ranking/" + a);
  for (const bool lost : {true, false}) {
    if (lost)
      fs::remove_all(folder);
    else
      fs::resize_file(folder / "manifest.json", 10);
    restart();
    EXPECT_EQ(answering(), "");
    EXPECT_EQ(publish("a").version, a);
    EXPECT_EQ(answering(), a);
    EXPECT_THAT(log_, HasSubstr("its files are written anew"));
    restart();
    EXPECT_EQ(answering(), a);
    log_.clear();
  }
}

TEST_F(ModelShelfTest, AShadowIsAskedTheSameAndAnswersNobody) {
  const auto a = publish("a").version, b = publish("b", false).version;
  shelf_->shadow("small-ranking", "2");
  for (int i = 0; i < 20; ++i) {
    live_.event("e" + std::to_string(i), "u", "item-" + std::to_string(i));
    EXPECT_EQ(answering(), a);
  }
  std::promise<void> done;
  shelf_->background([&] { done.set_value(); });
  done.get_future().wait();
  ShadowCount count = shelf_->shadows().at("small-ranking");
  EXPECT_EQ(count.version, b);
  EXPECT_EQ(count.asked + count.dropped, 20);
  EXPECT_GT(count.asked, 0);
  EXPECT_LT(count.overlap, static_cast<double>(count.asked));  // another model, other lists
  EXPECT_THAT(message_of([&] { shelf_->remove("small-ranking", "2"); }), HasSubstr("is the shadow"));
  shelf_->shadow("small-ranking", std::nullopt);
  EXPECT_TRUE(shelf_->shadows().empty());
  EXPECT_THAT(message_of([&] { shelf_->shadow("small-ranking", "1"); }), HasSubstr("is live"));
}

TEST_F(ModelShelfTest, RemovesWhatIsNotInUse) {
  publish("a");
  publish("b", false);
  shelf_->remove("small-ranking", "2");
  EXPECT_THAT(versions(), ElementsAre("1"));
  EXPECT_THAT(message_of([&] { shelf_->remove("small-ranking", "1"); }), HasSubstr("is live; activate another one"));
  EXPECT_THAT(message_of([&] { shelf_->remove("small-ranking", "7"); }),
              HasSubstr("has no version '7'; there are: 1-"));
  EXPECT_THAT(message_of([&] { shelf_->activate("other", "1"); }), HasSubstr("there are: small-ranking"));
}

}  // namespace
}  // namespace fewshop
