#pragma once

#include "learner/recount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <sqlite3.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "bundle/bundle.h"
#include "bundle/tensor_file.h"
#include "core/cancel.h"
#include "learner/baseline/baseline.h"
#include "learner/check_scenario.h"
#include "online/model_shelf.h"
#include "scenario/read.h"
#include "support/temp_dir.h"
#include "task/problem.h"

namespace fewshop::testing {

constexpr Micros kBegin = 1'700'000'000 * kSecond;
constexpr int kItems = 25, kUsers = 60;
constexpr const char *kGone = "u17", *kGuest = "phone-of-u17";

constexpr const char* kRating = R"(
name = "rated"
problem = "rating"
[rows]
table = "events"
task = "user_id"
item = "item_id"
target = "rating"
time = "time"
event = "event"
[items]
table = "items"
key = "item_id"
[live]
events = { rate = "rating" }
[split]
time = { valid = "2023-12-04", test = "2023-12-14" }
[episode]
query = 2
[report]
metrics = ["mae"]
baselines = ["global-mean", "item-mean", "bias", "item-knn", "als"]
)";

constexpr const char* kRanking = R"(
name = "ranked"
problem = "ranking"
[rows]
sql = "select user_id, item_id, time, event from events"
task = "user_id"
item = "item_id"
time = "time"
event = "event"
[items]
table = "items"
key = "item_id"
[live]
events = { rate = 1 }
[split]
time = { valid = "2023-12-04", test = "2023-12-14" }
[episode]
query = 2
[report]
metrics = ["ndcg@10"]
baselines = ["popularity", "item-knn", "session-knn", "ease"]
)";

/// A shop where users come one after the other; `with` that one and its guest, or without.
class People {
 public:
  explicit People(bool with) {
    Shop::Options options;
    options.database = database();
    shop = std::make_unique<Shop>(options);
    Change items;
    for (int i = 0; i < kItems; ++i) {
      ItemRecord item;
      item.item_id = fmt::format("i{}", i);
      items.items.push_back(std::move(item));
    }
    shop->change(std::move(items));
    if (with) {
      Change join;
      join.joins.push_back({kGuest, kGone, true});
      shop->change(std::move(join));
    }
    Random random(3);
    for (int u = 0; u < kUsers; ++u) {
      const std::string user = fmt::format("u{}", u);
      for (int e = 0; e < 8; ++e) {
        const Micros time = kBegin + (u * 12 + e) * kDay / 24;
        const int item = static_cast<int>(random.below(kItems)), rating = 1 + static_cast<int>(random.below(5));
        if (user != kGone)
          rate(user, "", item, rating, time);
        else if (with)
          rate(e % 2 == 0 ? user : "", e % 2 == 0 ? "" : kGuest, item, rating, time);
      }
    }
    settle();
  }

  std::string database() const { return folder / "shop.db"; }
  ModelShelf::Options shelf_options() const {
    ModelShelf::Options options;
    options.database = database();
    return options;
  }

  void rate(const std::string& user, const std::string& client, int item, int rating, Micros time) {
    Event event;
    event.event_id = fmt::format("e{}", ++events_);
    event.event = "rate";
    event.time = time;
    event.user_id = user;
    event.client_id = client;
    event.items.push_back({.item_id = fmt::format("i{}", item), .rating = static_cast<double>(rating)});
    rated_.events.push_back(std::move(event));
  }
  void settle() {
    shop->change(std::exchange(rated_, {}));
    while (shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  /// The last fit of a training: every baseline of the scenario, with the first constants of its grid.
  std::string train(const std::string& text, const std::string& name) const {
    const Micros read = system_time();
    const LoadedProblem problem = load_problem(with_catalogue_defaults(parse_scenario(text, "test.toml")), database());
    TaskSet tasks = problem.partition.train_last;
    const auto& valid = problem.partition.valid_last;
    tasks.insert(tasks.end(), valid.begin(), valid.end());
    const FitInput input{problem.data, problem.scenario, tasks, nullptr, 1, 0};
    Model::Parts parts;
    nlohmann::json constants = nlohmann::json::object();
    for (const auto& baseline : problem.scenario.baselines) {
      constants[baseline] = find_baseline(baseline)->grid(input).front();
      parts.members.push_back(std::move(find_baseline(baseline)->fit(input, {constants[baseline]}).at(0)));
    }
    parts.manifest = {{"constants", constants}};
    parts.scenario = problem.scenario;
    parts.encoders = problem.encoders;
    parts.item_ids = problem.data.item_ids;
    parts.kinds = problem.data.kinds;
    parts.item_counts = item_counts(problem.data, tasks);
    parts.baselines = problem.scenario.baselines;
    parts.best_baseline = parts.baselines.front();
    parts.gate.enabled = true;
    parts.gate.sizes = {0};
    parts.gate.baseline = {0};
    parts.gate.open.assign(kItemCells, 0);
    parts.target_low = 1;
    parts.target_high = 5;
    if (!problem.scenario.live_events.empty())
      parts.trained_on = trained_on(problem.data, problem.events_through, problem.partition.train_last, tasks);
    Model(std::move(parts)).save(folder / name, nlohmann::json::object(), {{"data_read", format_time(read)}});
    return folder / name;
  }

  nlohmann::json forget(const std::string& user) const {
    std::mutex mutex;
    std::condition_variable ready;
    nlohmann::json answer;
    shop->forget(user, [&](const Outcome&, const nlohmann::json& receipt) {
      const std::lock_guard lock(mutex);
      answer = receipt;
      ready.notify_one();
    });
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return !answer.is_null(); });
    return answer;
  }

  TempDir folder;
  std::unique_ptr<Shop> shop;

 private:
  int events_ = 0;
  Change rated_;  // not yet stored
};

inline std::string bytes_of(const Model::Parts& parts, const std::string& name) {
  for (const auto& member : parts.members)
    if (member->name() == name) {
      TensorFile file;
      member->save(file);
      return file.serialize();
    }
  return "none";
}

/// The members that count are byte for byte those of a training without the person; the others are what they were.
inline void expect_counts_of(const std::string& corrected, const std::string& before, const std::string& reference) {
  const auto a = Model::read_parts(corrected), old = Model::read_parts(before), b = Model::read_parts(reference);
  EXPECT_EQ(a.item_counts, b.item_counts);
  EXPECT_NE(old.item_counts, b.item_counts);
  for (const auto& member : a.members) {
    const std::string name(member->name());
    if (is_counted(name)) {
      EXPECT_TRUE(bytes_of(a, name) == bytes_of(b, name)) << name;
      EXPECT_FALSE(bytes_of(old, name) == bytes_of(b, name)) << name;
    } else {
      EXPECT_TRUE(bytes_of(a, name) == bytes_of(old, name)) << name;
    }
  }
  EXPECT_EQ(a.trained_on->train, b.trained_on->train);
  EXPECT_EQ(a.trained_on->valid, b.trained_on->valid);
}

inline void remove_older_than(const People& people, Micros begin) {
  Change change;
  ShopStore::Place place;
  const auto old = [&](std::string_view, Micros time) { return time < begin; };
  people.shop->store().scan_rows(place, 100'000, old, change.old_rows);
  people.shop->change(std::move(change));
}

inline void wait_for_recount(const People& people) {
  while (!people.shop->receipts_without_models().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

}  // namespace fewshop::testing
