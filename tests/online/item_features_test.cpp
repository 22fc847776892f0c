// Features of items and users as they are now, whatever a model was trained with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sqlite3.h>

#include <thread>

#include "online/live_shop.h"

namespace fewshop::testing {
namespace {

using nlohmann::json;

class ItemFeatures : public ::testing::Test {
 protected:
  ItemFeatures() { live_.put_items(); }

  float score(const std::string& item, const std::string& user = "u") {
    return live_.shop->score(*live_.shop->model(""), {user, "", std::nullopt}, {item}, false).items[0].score;
  }
  void paint(const std::string& item, const std::string& colour) {
    Change change;
    change.item_patches.push_back({item, json{{"labels", {{"colour", colour}}}}});
    live_.shop->change(std::move(change));
  }
  void say(const std::string& user, const json& labels) {
    Change change;
    change.user_patches.push_back({user, json{{"labels", labels}}});
    live_.shop->change(std::move(change));
  }
  void sql(const char* text) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((live_.folder / "shop.db").c_str(), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);  // the shop may be writing
    EXPECT_EQ(sqlite3_exec(handle, text, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(handle);
  }
  void restart() {
    live_.open();
    live_.publish("1");
  }

  LiveShop live_;
};

TEST_F(ItemFeatures, AChangeOfATrainedItemOutlivesTheServerAndTheModel) {
  live_.publish("1");
  live_.event("e1", "u", "item-1");
  const float red = score("item-0");
  paint("item-0", "blue");
  const float blue = score("item-0");
  ASSERT_GT(std::abs(red - blue), 1e-3);
  restart();
  EXPECT_NEAR(score("item-0"), blue, 1e-5);
  live_.publish("1");  // as after an activation, or when its counts were counted anew
  EXPECT_NEAR(score("item-0"), blue, 1e-5);
  paint("item-0", "green");
  const float green = score("item-0");
  EXPECT_GT(std::abs(green - blue), 1e-3);
  restart();
  EXPECT_NEAR(score("item-0"), green, 1e-5) << "the next change counts from what it was";
  paint("item-0", "red");
  EXPECT_NEAR(score("item-0"), red, 1e-5);
}

TEST_F(ItemFeatures, AnItemThatWasDeletedAndCameAgainHasWhatItHasNow) {
  live_.publish("1");
  live_.event("e1", "u", "item-0");
  const float beside = score("item-3");
  paint("item-0", "blue");
  EXPECT_NE(score("item-3"), beside) << "the support has changed";
  Change change;
  change.deleted_items.push_back("item-0");
  live_.shop->change(std::move(change));
  live_.event("e2", "u", "item-0");  // rows go with the item; this one comes afterwards, and makes it known again
  const float after = score("item-3");
  restart();
  EXPECT_NEAR(score("item-3"), after, 1e-5);
}

TEST_F(ItemFeatures, ASourceOfItemsThatIsSqlIsRead) {
  const auto put = [&](const std::string& id, const std::string& shade) {
    ItemRecord item;
    item.item_id = id;
    item.labels = {{"shade", shade}, {"colour", "green"}};
    Change change;
    change.items.push_back(std::move(item));
    live_.shop->change(std::move(change));
  };
  put("deep", "deep");
  live_.publish("1", Problem::kRanking, [](Scenario& s) {
    s.items = {"", "select item_id, case shade when 'deep' then 'blue' else 'red' end as colour from items"};
  });
  live_.event("e1", "u", "item-1");
  put("later", "deep");
  put("light", "light");
  EXPECT_NEAR(score("deep"), score("later"), 1e-5) << "read with all the others, and alone";
  EXPECT_GT(std::abs(score("deep") - score("light")), 1e-3);
  live_.publish("1");  // by the columns: all are green
  EXPECT_NEAR(score("deep"), score("light"), 1e-5);
}

TEST_F(ItemFeatures, ASourceOfTasksThatIsSqlIsRead) {
  say("a", {{"age", "young"}, {"years", 20}});
  say("b", {{"age", "old"}, {"years", 50}});
  say("c", {{"years", 20}});
  live_.publish("1");
  for (const char* user : {"a", "b", "c"}) live_.event(std::string("e") + user, user, "item-1");
  const float young = score("item-2", "a"), old = score("item-2", "b");
  ASSERT_GT(std::abs(young - old), 1e-3);
  EXPECT_NE(score("item-2", "c"), young);
  live_.publish("1", Problem::kRanking, [](Scenario& s) {
    s.tasks = {"", "select user_id, case when years < 30 then 'young' else 'old' end as age from users"};
  });
  EXPECT_NEAR(score("item-2", "a"), young, 1e-5);
  EXPECT_NEAR(score("item-2", "b"), old, 1e-5);
  EXPECT_NEAR(score("item-2", "c"), young, 1e-5);
  say("c", {{"years", 40}});
  EXPECT_NEAR(score("item-2", "c"), old, 1e-5);
}

TEST_F(ItemFeatures, AnItemWithoutRecordIsAsTheTrainingKnewIt) {
  live_.publish("1");
  live_.event("e1", "u", "item-1");
  live_.event("e2", "somebody", "item-3");
  const float deleted = score("item-0"), imported = score("item-3");
  paint("item-0", "blue");
  paint("item-3", "blue");
  ASSERT_GT(std::abs(score("item-0") - deleted), 1e-3);
  ASSERT_GT(std::abs(score("item-3") - imported), 1e-3);
  Change change;
  change.deleted_items.push_back("item-0");
  live_.shop->change(std::move(change));
  EXPECT_NEAR(score("item-0"), deleted, 1e-5);
  // Rows name it, and no record describes it, as after an import of events alone.
  while (live_.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  live_.shop.reset();
  sql("delete from items where item_id = 'item-3'");
  restart();
  EXPECT_NEAR(score("item-3"), imported, 1e-5);
}

TEST_F(ItemFeatures, ASourceThatIsDroppedHoldsUpNothing) {
  sql("create table paints as select item_id, 'blue' as colour from items");
  sql("create table ages as select 'u' as user_id, 'old' as age");
  live_.publish("1", Problem::kRanking, [](Scenario& s) {
    s.items.table = "paints";
    s.tasks.table = "ages";
  });
  live_.event("e1", "u", "item-1");
  const float before = score("item-2");
  sql("drop table paints");
  sql("drop table ages");
  paint("item-2", "red");
  EXPECT_GT(std::abs(score("item-2") - before), 1e-3) << "by the columns, and answered";
  score("item-3");
  EXPECT_EQ(live_.said("items of small-ranking: features come from the columns of the table items: "), 1);
  EXPECT_EQ(live_.said("tasks of small-ranking: features come from the columns of the table users: "), 1);
}

TEST_F(ItemFeatures, WhereTheDatabaseHasNoSuchSourceTheColumnsCount) {
  live_.publish("1");
  live_.event("e1", "u", "item-1");
  const float before = score("item-0");
  live_.publish("1", Problem::kRanking, [](Scenario& s) { s.items.table = "no_such_table"; });
  EXPECT_NEAR(score("item-0"), before, 1e-5);
  EXPECT_EQ(live_.said("items of small-ranking: features come from the columns of the table items: "), 1);
  paint("item-0", "blue");
  EXPECT_GT(std::abs(score("item-0") - before), 1e-3);
}

TEST_F(ItemFeatures, ALargeSourceWithoutAnIndexIsSpokenOf) {
  const auto publish = [&] {
    live_.publish("1", Problem::kRanking, [](Scenario& s) { s.tasks.table = "ages"; });
    return live_.said(" rows; an index on user_id would find them");
  };
  sql("create table ages as with recursive n(i) as (select 0 union all select i + 1 from n where i < 1999) "
      "select 'user-' || i as user_id, 'old' as age from n");
  EXPECT_EQ(publish(), 1);
  sql("create index of_ages on ages(user_id)");
  EXPECT_EQ(publish(), 1) << "not once more";
}

}  // namespace
}  // namespace fewshop::testing
