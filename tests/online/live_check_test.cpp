#include "online/live_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "core/error.h"
#include "online/live_shop.h"
#include "store/store.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using testing::LiveShop;
using ::testing::Not;

/// A shop with a described user per task, ten events each, all of them indexed.
class LiveCheckTest : public ::testing::Test {
 protected:
  LiveCheckTest() {
    live_.put_items();
    for (int u = 0; u < 6; ++u) {
      Change change;
      UserRecord user;
      user.user_id = fmt::format("u{}", u);
      user.labels = {{"age", u % 2 ? "young" : "old"}};
      change.users.push_back(user);
      live_.shop->change(std::move(change));
      for (int i = 0; i < 10; ++i) {
        // Every other event is of the same time as the one before it.
        live_.now += i % 2 ? 0 : kDay;
        Change event = live_.event_change(fmt::format("e{}-{}", u, i), user.user_id,
                                          fmt::format("item-{}", (7 * i + u) % 50), i % 3 ? "view_item" : "purchase");
        event.events[0].items.push_back({.item_id = fmt::format("item-{}", i)});
        event.events[0].items[0].rating = 1 + i % 5;
        event.events[0].items[1].rating = 2;
        event.events[0].items[0].quantity = i % 4 == 3 ? kNotGiven : 1 + i % 4;
        event.events[0].session_id = i % 5 == 4 ? "" : fmt::format("s{}", i / 3);
        event.events[0].extra = i % 3 == 0 ? R"({"invoice": 7, "note": 1.5})" : R"({"invoice": "a", "note": "2"})";
        live_.shop->change(std::move(event));
      }
    }
    settle();
  }

  void settle() const {
    while (live_.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  std::string bundle(Problem problem, const std::function<void(Scenario&)>& change = {}) {
    testing::SmallModelOptions options;
    options.problem = problem;
    options.items = 50;
    options.live = true;
    auto model = testing::small_model(options);
    if (change) change(const_cast<Scenario&>(model->scenario()));
    const std::string folder = live_.folder / "bundle";
    model->save(folder, nlohmann::json::object(), nlohmann::json::object());
    return folder;
  }
  LiveCheck check(const std::string& bundle, int64_t users = 200) {
    return check_live(bundle, live_.folder / "shop.db", users);
  }

  LiveShop live_;
};

TEST_F(LiveCheckTest, RowsOfTheTableEventsAreReproduced) {
  const LiveCheck ranking = check(bundle(Problem::kRanking));
  EXPECT_EQ(ranking.difference, "");
  EXPECT_EQ(ranking.users, 6);
  EXPECT_EQ(ranking.rows, 120);
  EXPECT_EQ(check(bundle(Problem::kRanking), 2).users, 2);
}

TEST_F(LiveCheckTest, BasketsAreHeldTogetherAlike) {
  EXPECT_EQ(check(bundle(Problem::kRanking, [](Scenario& s) { s.episode.ties = "event_id"; })).difference, "");
  EXPECT_EQ(check(bundle(Problem::kRanking, [](Scenario& s) { s.episode.ties = "time"; })).difference, "");
}

TEST_F(LiveCheckTest, OtherColumnsHoldRowsTogetherAndWeighThemAlike) {
  EXPECT_EQ(check(bundle(Problem::kRanking, [](Scenario& s) { s.episode.ties = "session_id"; })).difference, "");
  EXPECT_EQ(check(bundle(Problem::kRanking, [](Scenario& s) { s.weight = "quantity"; })).difference, "");
  const auto of_extra = [](Scenario& s) {
    s.rows.table.clear();
    s.rows.sql =
        "select user_id, item_id, time, event, json_extract(extra, '$.invoice') as invoice, "
        "json_extract(extra, '$.note') as note from events";
    s.episode.ties = "invoice";
    s.weight = "note";
  };
  EXPECT_EQ(check(bundle(Problem::kRanking, of_extra)).difference, "");
  // The check sees both: SQL that makes something else of them.
  const auto other_weight = [&](Scenario& s) {
    of_extra(s);
    s.rows.sql.replace(s.rows.sql.find("json_extract(extra, '$.note')"), 29, "2 * json_extract(extra, '$.note')");
  };
  EXPECT_THAT(check(bundle(Problem::kRanking, other_weight)).difference,
              HasSubstr("[rows] gives item 'item-0', purchase, weight 3,"));
  const auto other_ties = [&](Scenario& s) {
    of_extra(s);
    s.rows.sql.replace(s.rows.sql.find("json_extract(extra, '$.invoice')"), 32, "event_id");
  };
  EXPECT_THAT(check(bundle(Problem::kRanking, other_ties)).difference,
              HasSubstr("held together with the row before it"));
}

TEST_F(LiveCheckTest, ALiveModelTakesWhatTheRowsSayNow) {
  Scenario published;
  const auto weighted = [](Scenario& s) {
    s.weight = "quantity";
    s.episode.ties = "session_id";
  };
  live_.recommend("u1");  // rows are in memory before the columns are asked for
  live_.shop->publish("w", bundle(Problem::kRanking, weighted));
  const auto model = live_.shop->model("");
  ASSERT_TRUE(model);
  // The same list from rows that were in memory, read again, and added.
  const auto first = LiveShop::ids(live_.recommend("u1"));
  Change change = live_.event_change("late", "u1", "item-3");
  change.events[0].items[0].quantity = 50;
  change.events[0].session_id = "s0";
  live_.shop->change(std::move(change));
  const auto second = live_.recommend("u1");
  live_.open();
  live_.shop->publish("w", live_.folder / "bundle");
  const auto third = live_.recommend("u1");
  EXPECT_NE(LiveShop::ids(second), first);
  ASSERT_EQ(LiveShop::ids(second), LiveShop::ids(third));
  for (size_t i = 0; i < second.items.size(); ++i) EXPECT_EQ(second.items[i].score, third.items[i].score);
}

TEST_F(LiveCheckTest, ColumnsThatNoEventHasAreRefusedByName) {
  const auto refusal = [&](const std::function<void(Scenario&)>& change) -> std::string {
    try {
      live_.shop->publish("x", bundle(Problem::kRanking, change));
    } catch (const InvalidInput& problem) {
      return problem.what();
    }
    return "";
  };
  EXPECT_THAT(refusal([](Scenario& s) { s.weight = "w"; }),
              HasSubstr("rows.weight: a live event has no column 'w'; it has quantity, price, value, rating"));
  EXPECT_THAT(refusal([](Scenario& s) { s.episode.ties = "invoice"; }),
              HasSubstr("episode.ties: a live event has no column 'invoice'"));
  EXPECT_THAT(refusal([](Scenario& s) { s.task = {"item_id"}; }), HasSubstr("rows.task"));
}

TEST_F(LiveCheckTest, AValueOfLiveThatTheRowsDoNotHaveIsADifference) {
  // [rows] reads the column rating for every kind; [live] says that a purchase is worth 4.5.
  const LiveCheck check = this->check(bundle(Problem::kRating));
  EXPECT_THAT(check.difference, HasSubstr("small-rating: [live] does not make the rows that [rows] reads: user 'u0', "
                                          "support row 1: [rows] gives item 'item-0', purchase, target 1, "));
  EXPECT_THAT(check.difference, HasSubstr("[live] gives item 'item-0', purchase, target 4.5, "));
  EXPECT_EQ(this->check(bundle(Problem::kRating, [](Scenario& s) { s.live_events["purchase"] = "rating"; })).difference,
            "");
}

TEST_F(LiveCheckTest, AKindThatLiveLeavesOutIsADifference) {
  const LiveCheck check = this->check(bundle(Problem::kRanking, [](Scenario& s) { s.live_events.erase("view_item"); }));
  EXPECT_THAT(check.difference, HasSubstr("support row 3: [rows] gives item 'item-7', view_item"));
  EXPECT_THAT(check.difference, HasSubstr("(20 rows against 8)"));
}

TEST_F(LiveCheckTest, ItemsThatEventsNameAndNoRecordDescribesAreSupportAndNoAnswer) {
  live_.publish("1");
  EXPECT_EQ(live_.recommend("u1").support, 20);
  live_.shop.reset();
  {
    const auto store = open_store(live_.folder / "shop.db", Store::Access::kWrite);
    Transaction transaction(*store);
    store->write("items", {{"item_id", ColumnType::kText}})->finish();
    transaction.commit();
  }
  live_.open();
  live_.publish("1");
  const auto reply = live_.recommend("u1");
  EXPECT_EQ(reply.support, 20);
  EXPECT_TRUE(reply.items.empty());
}

/// A user who bought three things, and looked at far more than memory keeps rows for.
class BusyUserTest : public LiveCheckTest {
 protected:
  BusyUserTest() {
    Change change;
    const auto add = [&](const std::string& kind, const std::string& item, int count) {
      for (int i = 0; i < count; ++i) {
        live_.now += kSecond;
        Change one = live_.event_change(fmt::format("{}-{}-{}", kind, item, i), "busy", item, kind);
        if (item.empty()) one.events[0].items.clear();
        change.events.push_back(std::move(one.events[0]));
      }
    };
    for (const char* item : {"item-7", "item-8", "item-9"}) add("purchase", item, 1);
    add("view_item", "item-20", 2000);
    add("page_view", "", 2000);
    live_.shop->change(std::move(change));
    settle();
  }

  static void purchases_alone(Scenario& s) {
    s.rows.table.clear();
    s.rows.sql = "select user_id, item_id, time, event from events where event = 'purchase'";
    s.live_events.erase("view_item");
  }
  /// Of the live model, with rows in memory; the answer's list goes to `list`.
  void expect_support(int32_t support, std::vector<std::string>& list) {
    const auto reply = live_.recommend("busy");
    EXPECT_EQ(reply.support, support);
    if (list.empty()) list = LiveShop::ids(reply);
    EXPECT_EQ(LiveShop::ids(reply), list);
    const auto model = live_.shop->model("");
    EXPECT_EQ(check_live(model->folder(), live_.folder / "shop.db", 200, live_.shop.get()).difference, "");
  }
};

TEST_F(BusyUserTest, WhatNoModelAsksForTakesNoRoom) {
  std::vector<std::string> list;
  live_.publish("1", Problem::kRanking, purchases_alone);
  expect_support(3, list);
  live_.event("look", "busy", "item-21", "view_item");  // added to rows in memory
  expect_support(3, list);
  live_.open();
  live_.publish("1", Problem::kRanking, purchases_alone);
  expect_support(3, list);
  live_.rows.most_bytes = 1;  // one user a shard
  live_.open();
  live_.publish("1", Problem::kRanking, purchases_alone);
  for (int u = 0; u < 500; ++u) live_.recommend(fmt::format("u{}", u));
  live_.event("bought", "busy", "item-10");
  list.clear();
  expect_support(4, list);
  for (int u = 0; u < 500; ++u) live_.recommend(fmt::format("u{}", u));
  expect_support(4, list);
}

TEST_F(BusyUserTest, AModelThatUsesAnotherKindFindsItsRowsAndOneThatUsesFewerTheOldOnes) {
  std::vector<std::string> few, many;
  live_.publish("1", Problem::kRanking, purchases_alone);
  expect_support(3, few);
  live_.publish("2");
  expect_support(100, many);  // support_max of the 1,000 views that are kept
  const LiveCheck next =
      check_live(bundle(Problem::kRanking, purchases_alone), live_.folder / "shop.db", 200, live_.shop.get());
  EXPECT_EQ(next.difference, "");  // what version 2 asks for goes with it
  live_.publish("3", Problem::kRanking, purchases_alone);
  live_.event("other", "u1", "item-1");
  EXPECT_EQ(live_.recommend("busy").support, 3);
  while (live_.shop->usage().rows > 1000) {  // the rows of views go once nobody answers with version 2
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    live_.recommend("busy");
  }
  EXPECT_EQ(live_.recommend("busy").support, 3);
}

TEST_F(BusyUserTest, TheCheckSeesRowsThatHaveNoRoom) {
  const auto viewed_before = [](Scenario& s) { s.episode.support_max = 1500; };
  const std::string wide = bundle(Problem::kRanking, viewed_before);
  EXPECT_EQ(check(wide).difference, "");  // without a shop: all stored rows
  const LiveCheck publishing = check_live(wide, live_.folder / "shop.db", 200, live_.shop.get());
  EXPECT_THAT(publishing.difference, HasSubstr("user 'busy', support row 1: "));
  EXPECT_THAT(publishing.difference, HasSubstr("the latest 1000 rows of a user (database.rows_per_user)"));
  EXPECT_THAT(publishing.for_log, Not(HasSubstr("busy")));
  EXPECT_THAT(publishing.for_log, HasSubstr(live_.shop->hash_of("busy")));
  live_.rows.rows_per_key = 2000;
  live_.open();
  EXPECT_EQ(check_live(wide, live_.folder / "shop.db", 200, live_.shop.get()).difference, "");
}

TEST_F(LiveCheckTest, RowsThatSqlMergesAreADifference) {
  const auto merged = [](Scenario& s) {
    s.rows.table.clear();
    s.rows.sql = "select user_id, min(item_id) as item_id, time, event from events group by user_id, event_id";
  };
  EXPECT_THAT(check(bundle(Problem::kRanking, merged)).difference, HasSubstr("(10 rows against 20)"));
}

}  // namespace
}  // namespace fewshop
