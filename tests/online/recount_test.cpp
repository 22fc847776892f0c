// Counts of fitted versions after somebody was forgotten, against fits that never knew the person.
#include "online/counted_people.h"

namespace fewshop::testing {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class RecountTest : public ::testing::TestWithParam<const char*> {};

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

TEST_P(RecountTest, WhatRetentionHasLeftIsCountedHoweverLittle) {
  People with(true), without(false);
  const std::string first = with.train(GetParam(), "first"), reference = without.train(GetParam(), "reference");
  ModelShelf shelf(*with.shop, with.shelf_options());
  shelf.publish(first);
  const int64_t trained = Model::read_parts(reference).trained_on->rows;
  // Half of the rows go by retention, then one that is still there is forgotten.
  for (const People* people : {&with, &without}) remove_older_than(*people, kBegin + 15 * kDay);
  EXPECT_GE(with.shop->rows_removed_since(system_time()), trained / 2);
  with.forget("u50");
  wait_for_recount(with);
  const std::string counted = shelf.list().at(0).folder;
  without.forget("u50");
  ASSERT_TRUE(recount(reference, without.database(), trained).changed);
  expect_counts_of(counted, first, reference);
  const auto rows = read_bundle(counted).manifest["corrected"]["rows"].get<int64_t>();
  EXPECT_GT(rows, 0);
  EXPECT_LT(rows, 6 * trained / 10);
  const json model = with.shop->receipts("u50").at(0)["models"][0];
  EXPECT_EQ(model["counts"], fmt::format("counted anew from {} rows; it was trained with {}", rows,
                                         Model::read_parts(first).trained_on->rows));
  EXPECT_FALSE(model["may_hold"].contains("item-knn"));

  remove_older_than(with, kBegin + 1000 * kDay);  // everything
  with.forget("u51");
  wait_for_recount(with);
  const json empty = with.shop->receipts("u51").at(0)["models"][0];
  EXPECT_THAT(empty["counts"].get<std::string>(), HasSubstr("counted anew from 0 rows")) << empty.dump(2);
}

TEST(Recount, AVersionOfAnotherDatabaseStaysAsItWasTrainedAndTheReceiptSaysSo) {
  People with(true), other(false);
  ModelShelf::Options options = with.shelf_options();
  options.check_users = 0;
  ModelShelf shelf(*with.shop, options);
  shelf.publish(other.train(kRanking, "other"));
  // Rows that nobody removed through the server: they were never there.
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(with.database().c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, "delete from events where user_id < 'u4'", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
  with.forget("u50");
  wait_for_recount(with);
  const auto receipt = with.shop->receipts("u50").at(0);
  EXPECT_THAT(receipt["models"][0]["counts"].get<std::string>(), HasSubstr("are not in the database"));
  EXPECT_TRUE(receipt["models"][0]["may_hold"].contains("popularity"));
  EXPECT_FALSE(read_bundle(shelf.list().at(0).folder).manifest.contains("corrected"));
}

}  // namespace
}  // namespace fewshop::testing
