// Recounts that were cut off or failed, and are done later.
#include <sys/fsuid.h>
#include <unistd.h>

#include "core/cancel.h"
#include "online/counted_people.h"

namespace fewshop::testing {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;

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

TEST(Recount, NewFilesThatCouldNotTakeTheirPlaceAtOnceTakeItLater) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can take the right to read from one thread";
  constexpr uid_t kNobody = 65534;
  People people(true);
  const std::string first = people.train(kRanking, "first");
  std::string folder;
  std::atomic<int> taken = 0, failed = 0;
  ModelShelf::Options options = people.shelf_options();
  options.log = [&](const std::string& line) {
    // Said behind the new files and before they take their place.
    if (line.find(" rows since somebody was forgotten, of ") != std::string::npos && taken++ == 0) {
      std::filesystem::permissions(folder, std::filesystem::perms(0700));
      write_as(kNobody);
    } else if (line.find("cannot be counted anew for now: ") != std::string::npos) {
      write_as(0);
      ++failed;
    }
  };
  ModelShelf shelf(*people.shop, options);
  folder = shelf.publish(first).folder;
  const auto counts_live = [&] {
    const auto live = people.shop->model("ranked");
    return LiveModel::Access(*live).model().item_counts();
  };
  const auto trained = counts_live();
  remove_older_than(people, kBegin + 15 * kDay);
  people.forget("u50");
  wait_for_recount(people);
  EXPECT_EQ(failed, 1);
  EXPECT_NE(counts_live(), trained);
  EXPECT_EQ(counts_live(), Model::read_parts(folder).item_counts);
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

TEST(Recount, WhoIsForgottenInTheMidstOfAPublishIsInNoVersion) {
  constexpr int kRounds = 16;
  using Clock = std::chrono::steady_clock;
  People with(true);
  const std::string first = with.train(kRanking, "first"), expected = with.folder / "expected";
  ModelShelf shelf(*with.shop, with.shelf_options());
  Clock::duration took;
  const auto publish = [&] {
    const auto begin = Clock::now();
    shelf.publish(first, false);
    took = Clock::now() - begin;
  };
  publish();
  for (int round = 0; round < kRounds; ++round) {
    shelf.remove("ranked", shelf.list().at(0).version);
    const auto delay = took * (round % 8) / 7;
    std::thread publishing(publish);
    std::this_thread::sleep_for(delay);
    const std::string user = fmt::format("u{}", 20 + round);
    with.forget(user);
    publishing.join();
    wait_for_recount(with);
    std::promise<void> idle;
    shelf.background([&] { idle.set_value(); });
    idle.get_future().wait();

    std::filesystem::remove_all(expected);
    std::filesystem::copy(first, expected, std::filesystem::copy_options::recursive);
    const Recount again = recount(expected, with.database(), 1000);
    ASSERT_TRUE(again.changed);
    const auto versions = shelf.list();
    ASSERT_EQ(versions.size(), 1);
    const auto counted = Model::read_parts(versions[0].folder), without = Model::read_parts(expected);
    EXPECT_EQ(counted.item_counts, without.item_counts) << user;
    for (const char* member : {"popularity", "item-knn", "session-knn"})
      EXPECT_TRUE(bytes_of(counted, member) == bytes_of(without, member)) << user << " " << member;
    const json models = with.shop->receipts(user).at(0)["models"];
    ASSERT_EQ(models.size(), 1) << user;
    EXPECT_EQ(models[0]["version"], versions[0].version);
    EXPECT_EQ(models[0]["counts"],
              fmt::format("counted anew from {} rows; it was trained with {}", again.rows, again.trained_rows));
  }
}

}  // namespace
}  // namespace fewshop::testing
