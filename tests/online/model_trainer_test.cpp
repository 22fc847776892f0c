#include "online/model_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <future>

#include "online/live_shop.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::LiveShop;
using ::testing::Not;

/// A trainer whose program is a script: it "trains" the bundle "new" and says of it what a test wants.
class ModelTrainerTest : public ::testing::Test {
 protected:
  ModelTrainerTest() {
    live_.put_items();
    ModelShelf::Options options;
    options.database = live_.folder / "shop.db";
    options.check_users = 0;
    shelf_ = std::make_unique<ModelShelf>(*live_.shop, options);
    shelf_->publish(bundle("old"));
    bundle("new");
    const std::string trained = live_.folder / "new", verdict = live_.folder / "verdict";
    script("shift\ncase \"$1\" in\n  train) while [ \"$1\" != --out ]; do shift; done; cp -r " + trained +
           " \"$2\"; echo '{\"scenario\": \"small-ranking\"}' ;;\n  model) cat " + verdict + " ;;\nesac\n");
  }

  std::string bundle(const std::string& version) {
    testing::SmallModelOptions options;
    options.items = 50;
    options.live = true;
    options.version = version;
    const std::string folder = live_.folder / version;
    testing::small_model(options)->save(folder, nlohmann::json::object(), nlohmann::json::object());
    return folder;
  }
  void script(const std::string& text) {
    fs::permissions(live_.folder.write("program", "#!/bin/sh\n" + text), fs::perms::owner_all);
  }
  void says(const std::string& verdict) {
    live_.folder.write("verdict", R"({"scenario": "small-ranking", "metric": "ndcg@10", "verdict": ")" + verdict +
                                      R"(", "splits": {"test": {"tasks": 40,
      "candidate": {"value": 0.3, "low": 0.2, "high": 0.4}, "running": {"value": 0.2, "low": 0.1, "high": 0.3},
      "difference": {"value": 0.1, "low": null, "high": null}}}})");
  }
  void start(double retrain_hours = 0) {
    ModelTrainer::Options options;
    options.program = live_.folder / "program";
    options.retrain_hours = retrain_hours;
    options.log = [this](const std::string& line) {
      const std::lock_guard lock(log_mutex_);
      log_ += line + "\n";
    };
    trainer_ = std::make_unique<ModelTrainer>(
        *shelf_, jobs_, [this] { return live_.now.load(); }, options);
  }
  Jobs::Record wait(int64_t id) {
    while (jobs_.get(id).finish == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return jobs_.get(id);
  }
  Jobs::Record train() { return wait(trainer_->train("small-ranking").id); }
  std::string live() { return shelf_->live("small-ranking")->version.substr(0, 1); }

  std::string log() {
    const std::lock_guard lock(log_mutex_);
    return log_;
  }

  std::mutex log_mutex_;
  std::string log_;
  LiveShop live_;
  std::unique_ptr<ModelShelf> shelf_;
  Jobs jobs_{[this] { return live_.now.load(); }};
  std::unique_ptr<ModelTrainer> trainer_;
};

TEST_F(ModelTrainerTest, ATrainingBeginsAgainWhenSomebodyIsForgottenMeanwhile) {
  const std::string runs = live_.folder / "runs", go = live_.folder / "go", trained = live_.folder / "new",
                    verdict = live_.folder / "verdict";
  script("shift\ncase \"$1\" in\n  train) echo run >> " + runs + "; while [ ! -e " + go +
         " ]; do sleep 0.02; done; while [ \"$1\" != --out ]; do shift; done; cp -r " + trained +
         " \"$2\"; echo '{\"scenario\": \"small-ranking\"}' ;;\n  model) cat " + verdict + " ;;\nesac\n");
  says("better");
  start();
  live_.event("e", "somebody", "item-1");
  const auto job = trainer_->train("small-ranking");
  while (!fs::exists(runs)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::promise<void> forgotten;
  live_.shop->forget("somebody", [&](const Outcome&, const nlohmann::json&) { forgotten.set_value(); });
  forgotten.get_future().wait();
  live_.now += kSecond;
  live_.folder.write("go", "");
  EXPECT_THAT(wait(job.id).result, HasSubstr("is live in place of 1-"));
  EXPECT_EQ(testing::read_whole(runs), "run\nrun\n");
  EXPECT_EQ(shelf_->list().size(), 2);  // the first one was not published
}

TEST_F(ModelTrainerTest, WhatOtherTrainingsHaveLeftGoesWhenSomebodyIsForgottenAndTheRunningOneStays) {
  const std::string running = live_.folder / "shop.db.models/.training/small-ranking/begun",
                    left = live_.folder / "shop.db.models/.training/another";
  ASSERT_EQ(shelf_->folder(), live_.folder / "shop.db.models");
  script("touch " + running + "; exec sleep 100\n");
  start();
  live_.event("e", "somebody", "item-1");
  trainer_->train("small-ranking");
  while (!fs::exists(running)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  fs::create_directories(left + "/bundle");
  std::promise<void> forgotten, done;
  live_.shop->forget("somebody", [&](const Outcome&, const nlohmann::json&) { forgotten.set_value(); });
  forgotten.get_future().wait();
  shelf_->background([&] { done.set_value(); });  // behind the shelf's own work
  done.get_future().wait();
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(running));
  // The one that is stopped now removes its own, as it began before.
  trainer_->stop();
  EXPECT_FALSE(fs::exists(running));
}

TEST_F(ModelTrainerTest, ANewVersionGoesLiveUnlessItIsProvenWorse) {
  start();
  for (const char* verdict : {"better", "same", "undecided"}) {
    says(verdict);
    const Jobs::Record done = train();
    EXPECT_EQ(done.error, "") << verdict;
    EXPECT_EQ(live(), "2") << verdict;
    EXPECT_THAT(done.result, HasSubstr("is live in place of 1-"));
    EXPECT_THAT(done.result, HasSubstr("difference 0.1000 (unknown to unknown), 40 tasks"));
    shelf_->rollback("small-ranking");
  }
  for (const char* verdict : {"worse", "unknown"}) {
    says(verdict);
    const Jobs::Record done = train();
    EXPECT_EQ(live(), "1") << verdict;
    EXPECT_THAT(done.result, HasSubstr("stays live"));
    EXPECT_EQ(shelf_->list().size(), 2);  // on the shelf all the same
  }
}

TEST_F(ModelTrainerTest, TheLastWordsOfATrainingThatFailsAreTheError) {
  script("echo 'fewshop: shop.db: has no rows' >&2; exit 2\n");
  start();
  const Jobs::Record done = train();
  EXPECT_EQ(done.status, Jobs::Status::kFailed);
  EXPECT_THAT(done.error, HasSubstr("`fewshop train` ended with status 2: shop.db: has no rows"));
  EXPECT_EQ(live(), "1");
}

TEST_F(ModelTrainerTest, ProgressOfTheTrainingIsThatOfTheTask) {
  const std::string go = live_.folder / "go";
  script("echo 'progress 0.250 features of items' >&2; while [ ! -e " + go + " ]; do sleep 0.02; done; exit 2\n");
  start();
  const int64_t job = trainer_->train("small-ranking").id;
  while (jobs_.get(job).part.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto task = to_json(jobs_.get(job));
  EXPECT_EQ(task["Count"], 0);
  EXPECT_EQ(task["step"], "train");
  EXPECT_EQ(task["part"], "features of items");
  EXPECT_EQ(task["share"], 0.25);
  live_.folder.write("go", "");
  EXPECT_THAT(wait(job).error, HasSubstr("ended with status 2: "));
}

TEST_F(ModelTrainerTest, LogsNameNobodyThoughWhoAsksIsTold) {
  script("echo \"fewshop: shop.db: task 'ann@example.org' has no rows\" >&2; exit 2\n");
  start();
  const Jobs::Record failed = train();
  EXPECT_THAT(failed.error, HasSubstr("ann@example.org"));
  EXPECT_THAT(log(), HasSubstr("training failed: `fewshop train` ended with status 2; why: "));
  EXPECT_THAT(log(), Not(HasSubstr("ann")));
}

TEST_F(ModelTrainerTest, ARowDifferenceIsLoggedByTheHashOfItsUser) {
  Change user;
  user.users.push_back({.user_id = "ann@example.org", .labels = {{"age", "old"}}, .comment = {}});
  live_.shop->change(std::move(user));
  live_.event("e1", "ann@example.org", "item-1");
  while (live_.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ModelShelf::Options options;
  options.database = live_.folder / "shop.db";
  shelf_ = std::make_unique<ModelShelf>(*live_.shop, options);  // checks what is published
  testing::SmallModelOptions of_model;
  of_model.items = 50;
  of_model.live = true;
  of_model.version = "other";
  const auto model = testing::small_model(of_model);
  const_cast<Scenario&>(model->scenario()).live_events.erase("purchase");
  fs::remove_all(live_.folder / "new");
  model->save(live_.folder / "new", nlohmann::json::object(), nlohmann::json::object());
  says("better");
  start();
  const Jobs::Record failed = train();
  EXPECT_THAT(failed.error, HasSubstr("[live] does not make the rows that [rows] reads"));
  for (const std::string& text : {failed.error, log()}) {
    EXPECT_THAT(text, Not(HasSubstr("ann")));
    EXPECT_THAT(text, HasSubstr("the user with the keyed hash " + live_.shop->hash_of("ann@example.org")));
  }
  try {
    shelf_->publish(live_.folder / "new");
    ADD_FAILURE();
  } catch (const InvalidInput& problem) {
    EXPECT_THAT(problem.what(), HasSubstr("user 'ann@example.org'"));
  }
}

TEST_F(ModelTrainerTest, OneTrainingOfAScenarioAtATimeAndItEndsWithTheServer) {
  script("exec sleep 100\n");
  start();
  const int64_t job = trainer_->train("small-ranking").id;
  EXPECT_THROW(trainer_->train("small-ranking"), InvalidInput);
  EXPECT_THROW(trainer_->train("nothing"), UnknownModel);
  const auto begin = std::chrono::steady_clock::now();
  trainer_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(jobs_.get(job).status, Jobs::Status::kFailed);
  EXPECT_THAT(jobs_.get(job).error, HasSubstr("the server was stopped"));
}

TEST_F(ModelTrainerTest, TheScheduleTrainsWhatIsOlderThanItSays) {
  says("better");
  start(24);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(jobs_.list().empty());
  trainer_.reset();
  live_.now += 25 * 3600 * kSecond;
  start(24);
  while (jobs_.list().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(wait(jobs_.list().front().id).error, "");
  EXPECT_EQ(live(), "2");
}

}  // namespace
}  // namespace fewshop
