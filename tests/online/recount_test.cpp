// Counts of fitted versions after somebody was forgotten, against fits that never knew the person.
#include "learner/recount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/fsuid.h>
#include <unistd.h>

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
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

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
    json constants = json::object();
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
    Model(std::move(parts)).save(folder / name, json::object(), {{"data_read", format_time(read)}});
    return folder / name;
  }

  json forget(const std::string& user) const {
    std::mutex mutex;
    std::condition_variable ready;
    json answer;
    shop->forget(user, [&](const Outcome&, const json& receipt) {
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

std::string bytes_of(const Model::Parts& parts, const std::string& name) {
  for (const auto& member : parts.members)
    if (member->name() == name) {
      TensorFile file;
      member->save(file);
      return file.serialize();
    }
  return "none";
}

class RecountTest : public ::testing::TestWithParam<const char*> {};

/// The members that count are byte for byte those of a training without the person; the others are what they were.
void expect_counts_of(const std::string& corrected, const std::string& before, const std::string& reference) {
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

TEST_P(RecountTest, EveryVersionCountsAsIfThePersonHadNeverBeenThere) {
  People with(true), without(false);
  const std::string first = with.train(GetParam(), "first"), reference = without.train(GetParam(), "reference");
  const std::string name = Model::load(first)->scenario().name;
  ModelShelf shelf(*with.shop, with.shelf_options());
  shelf.publish(first);
  // What comes after the training is no part of its counts.
  for (int e = 0; e < 5; ++e) {
    with.rate("u3", "", e, 5, kBegin + e);
    without.rate("u3", "", e, 5, kBegin + e);
    with.rate(kGone, "", e, 5, kBegin + e);
  }
  with.settle();
  without.settle();
  const std::string second = with.train(GetParam(), "second"), reference2 = without.train(GetParam(), "reference2");
  shelf.publish(second);
  const json receipt = with.forget(kGone);
  EXPECT_EQ(receipt["pending"], true);
  EXPECT_EQ(receipt["models"].size(), 2);
  EXPECT_EQ(receipt["models"][0]["counts"], "to be counted anew");
  while (!with.shop->receipts_without_models().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));

  const auto versions = shelf.list();
  ASSERT_EQ(versions.size(), 2);
  expect_counts_of(versions[0].folder, first, reference);
  expect_counts_of(versions[1].folder, second, reference2);
  EXPECT_EQ(read_bundle(versions[0].folder).manifest["corrected"]["rows"],
            Model::read_parts(reference).trained_on->rows);
  const json after = with.shop->receipts(kGone).at(0);
  EXPECT_THAT(after["waits_for"], Not(Contains("models")));
  ASSERT_EQ(after["models"].size(), 2);
  for (const auto& model : after["models"]) {
    EXPECT_THAT(model["counts"].get<std::string>(), HasSubstr("counted anew from ")) << model.dump(2);
    for (const auto& member : model["counted"]) EXPECT_FALSE(model["may_hold"].contains(member));
    EXPECT_FALSE(model["may_hold"].empty());  // als, ease
  }
  // The version that answers is the corrected one.
  EXPECT_EQ(with.shop->model(name)->version(), versions[1].version);
  {
    const auto live = with.shop->model(name);
    const LiveModel::Access access(*live);
    EXPECT_EQ(access.model().item_counts(), Model::read_parts(versions[1].folder).item_counts);
  }
  // Once more changes nothing, and a new start finds nothing to do.
  EXPECT_FALSE(recount(versions[0].folder, with.database(), 0).changed);

  // The folder that was trained first still has the person: published again, it is counted anew.
  shelf.remove(name, versions[0].version);
  const ModelVersion again = shelf.publish(first, false);
  expect_counts_of(again.folder, first, reference);
}

INSTANTIATE_TEST_SUITE_P(Problems, RecountTest, ::testing::Values(kRating, kRanking),
                         [](const auto& info) { return info.index == 0 ? "Rating" : "Ranking"; });

TEST(Recount, APassThatDidNotComeToItsEndIsDoneAtTheNextStart) {
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  {
    ModelShelf shelf(*with.shop, with.shelf_options());
    shelf.publish(first);
    // The shelf's thread has other things to do until it is stopped.
    shelf.background([] { std::this_thread::sleep_for(std::chrono::milliseconds(300)); });
    with.forget(kGone);
  }
  ASSERT_EQ(with.shop->receipts_without_models().size(), 1);
  Shop::Options options;
  options.database = with.database();
  with.shop.reset();
  with.shop = std::make_unique<Shop>(options);
  ModelShelf shelf(*with.shop, with.shelf_options());
  while (!with.shop->receipts_without_models().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  expect_counts_of(shelf.list().at(0).folder, first, reference);
}

void wait_for_recount(const People& people) {
  while (!people.shop->receipts_without_models().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

TEST(Recount, WhoseRowsWentOneByOneIsTakenOutOfTheCountsToo) {
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  ModelShelf shelf(*with.shop, with.shelf_options());
  shelf.publish(first);
  Change change;
  for (int i = 0; i < kItems; ++i) change.deleted_feedback.push_back({"", kGone, fmt::format("i{}", i)});
  with.shop->change(std::move(change));
  EXPECT_EQ(with.forget(kGone)["removed"]["events"], 0);
  wait_for_recount(with);
  expect_counts_of(shelf.list().at(0).folder, first, reference);
}

TEST(Recount, FilesThatAreOlderThanTheForgettingAreCountedAnewAtTheStart) {
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  json setting;
  const std::string copy = with.folder / "copy";
  {
    ModelShelf shelf(*with.shop, with.shelf_options());
    shelf.publish(first);
    // As a dump and a copy of the folder hold them.
    setting = with.shop->store().setting("models").value();
    std::filesystem::copy(shelf.folder(), copy, std::filesystem::copy_options::recursive);
    with.forget(kGone);
    wait_for_recount(with);
  }
  Change change;
  change.settings.emplace_back("models", setting);
  with.shop->change(std::move(change));
  ModelShelf::Options options = with.shelf_options();
  options.folder = copy;
  ModelShelf shelf(*with.shop, options);
  std::promise<void> done;
  shelf.background([&] { done.set_value(); });  // behind what the shelf asked for at its start
  done.get_future().wait();
  expect_counts_of(shelf.list().at(0).folder, first, reference);
  const Bundle counted = read_bundle(shelf.list().at(0).folder);
  ModelShelf again(*with.shop, options);  // nothing is left to do
  std::promise<void> idle;
  again.background([&] { idle.set_value(); });
  idle.get_future().wait();
  EXPECT_EQ(read_bundle(again.list().at(0).folder).run["corrected"], counted.run["corrected"]);
}

/// What the thread that runs this may write: nothing that root owns, or everything again.
void write_as(uid_t user) { setfsuid(user); }

TEST(Recount, WhatFailsForAReasonThatMayPassIsTriedAgain) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can take the right to write from one thread";
  constexpr uid_t kNobody = 65534;
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  std::vector<std::string> log;
  std::mutex log_mutex;
  ModelShelf::Options options = with.shelf_options();
  options.log = [&](const std::string& line) {
    const std::lock_guard lock(log_mutex);
    log.push_back(line);
  };
  ModelShelf shelf(*with.shop, options);
  shelf.publish(first);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(with.folder.path()))
    std::filesystem::permissions(entry.path(), std::filesystem::perms(entry.is_directory() ? 0755 : 0644));
  std::filesystem::permissions(with.folder.path(), std::filesystem::perms(0755));
  shelf.background([] { write_as(kNobody); });
  with.forget(kGone);
  std::promise<void> tried, looked;
  shelf.background([&] {
    write_as(0);
    tried.set_value();
    looked.get_future().wait();
  });
  tried.get_future().wait();
  EXPECT_EQ(with.shop->receipts_without_models().size(), 1);
  const json waiting = with.shop->receipts(kGone).at(0);
  EXPECT_EQ(waiting["pending"], true);
  EXPECT_THAT(waiting["models"][0]["counts"].get<std::string>(), HasSubstr("as trained, to be tried again: "));
  {
    const std::lock_guard lock(log_mutex);
    EXPECT_THAT(log, Contains(HasSubstr("cannot be counted anew for now: ")));
  }
  looked.set_value();
  wait_for_recount(with);
  expect_counts_of(shelf.list().at(0).folder, first, reference);
  EXPECT_THAT(with.shop->receipts(kGone).at(0)["models"][0]["counts"].get<std::string>(),
              HasSubstr("counted anew from "));
}

TEST(Recount, APublishThatFailedIsCountedAnewWhenItIsTriedAgain) {
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  ModelShelf shelf(*with.shop, with.shelf_options());
  with.forget(kGone);
  wait_for_recount(with);
  sqlite3* other = nullptr;  // a program that holds the database for longer than the shop waits
  ASSERT_EQ(sqlite3_open(with.database().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "begin immediate", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_THROW(shelf.publish(first), Failure);
  sqlite3_close(other);
  const ModelVersion version = shelf.publish(first);
  EXPECT_TRUE(version.live);
  expect_counts_of(version.folder, first, reference);
  const auto live = with.shop->model("ranked");
  const LiveModel::Access access(*live);
  EXPECT_EQ(access.model().item_counts(), Model::read_parts(reference).item_counts);
}

TEST(Recount, FilesThatAreWrittenAnewAreCountedAnewAlsoWhereTheyAnswer) {
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  ModelShelf shelf(*with.shop, with.shelf_options());
  const std::string folder = shelf.publish(first).folder;
  with.forget(kGone);
  wait_for_recount(with);
  std::ofstream(folder + "/members/popularity.safetensors", std::ios::app) << "damaged";
  for (const bool activate : {false, true}) {
    shelf.publish(first, activate);
    expect_counts_of(folder, first, reference);
    const auto live = with.shop->model("ranked");
    const LiveModel::Access access(*live);
    EXPECT_EQ(access.model().item_counts(), Model::read_parts(reference).item_counts);
    std::ofstream(folder + "/members/popularity.safetensors", std::ios::app) << "damaged";
  }
  const json models = with.shop->receipts(kGone).at(0)["models"];
  EXPECT_THAT(models[0]["counts"].get<std::string>(), HasSubstr("counted anew from "));
  EXPECT_EQ(models[0]["live"], true);
}

TEST(Recount, WhatIsCutOffBecauseTheServerStopsIsNoResult) {
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  {
    ModelShelf shelf(*with.shop, with.shelf_options());
    shelf.publish(first);
    std::promise<void> begin, cut_off;
    shelf.background([&] { begin.get_future().wait(); });
    with.forget(kGone);
    set_cancelled(true);
    begin.set_value();
    shelf.background([&] { cut_off.set_value(); });
    cut_off.get_future().wait();
    set_cancelled(false);
  }
  EXPECT_EQ(with.shop->receipts_without_models().size(), 1);
  ModelShelf shelf(*with.shop, with.shelf_options());  // the next start
  wait_for_recount(with);
  expect_counts_of(shelf.list().at(0).folder, first, reference);
}

TEST(Recount, AVersionThatComesLaterIsInTheReceipt) {
  People with(true);
  const std::string first = with.train(kRanking, "first");
  ModelShelf shelf(*with.shop, with.shelf_options());
  with.forget(kGone);
  wait_for_recount(with);
  EXPECT_EQ(with.shop->receipts(kGone).at(0)["models"].size(), 0);
  const ModelVersion late = shelf.publish(first);
  const std::string later = with.train(kRating, "later");
  shelf.publish(later);
  const json models = with.shop->receipts(kGone).at(0)["models"];
  ASSERT_EQ(models.size(), 1) << "the other was trained afterwards";
  EXPECT_EQ(models[0]["version"], late.version);
  EXPECT_EQ(models[0]["live"], true);
  EXPECT_THAT(models[0]["counts"].get<std::string>(), HasSubstr("counted anew from "));
  EXPECT_TRUE(models[0]["may_hold"].contains("ease"));
}

TEST(Recount, TheFolderOfModelsIsRememberedAndOldTrainingsGo) {
  People with(true), without(false);
  const std::string first = with.train(kRanking, "first"), reference = without.train(kRanking, "reference");
  const std::string folder = with.folder / "elsewhere";
  ModelShelf::Options options = with.shelf_options();
  {
    options.folder = folder;
    ModelShelf shelf(*with.shop, options);
    shelf.publish(first);
  }
  std::filesystem::create_directories(folder + "/.training/ranked/bundle");
  ModelShelf shelf(*with.shop, with.shelf_options());
  EXPECT_EQ(shelf.folder(), folder);
  with.forget(kGone);
  wait_for_recount(with);
  expect_counts_of(folder + "/ranked/" + shelf.list().at(0).version, first, reference);
  EXPECT_FALSE(std::filesystem::exists(folder + "/.training"));
}

TEST(Recount, AVersionWhoseRowsAreGoneStaysAsItWasTrainedAndTheReceiptSaysSo) {
  People with(true);
  ModelShelf shelf(*with.shop, with.shelf_options());
  shelf.publish(with.train(kRanking, "second"));
  // Half of the rows go by retention.
  Change change;
  ShopStore::Place place;
  const auto old = [&](std::string_view, Micros time) { return time < kBegin + 15 * kDay; };
  with.shop->store().scan_rows(place, 100'000, old, change.old_rows);
  with.shop->change(std::move(change));
  with.forget("u50");
  while (!with.shop->receipts_without_models().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto receipt = with.shop->receipts("u50").at(0);
  EXPECT_THAT(receipt["models"][0]["counts"].get<std::string>(), HasSubstr("are not in the database any more"));
  EXPECT_TRUE(receipt["models"][0]["may_hold"].contains("popularity"));
  EXPECT_FALSE(read_bundle(shelf.list().at(0).folder).manifest.contains("corrected"));
}

}  // namespace
}  // namespace fewshop::testing
