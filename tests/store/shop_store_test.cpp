#include "store/shop_store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/error.h"
#include "store/event_tables.h"
#include "store/shop_schema.h"
#include "store/shop_support.h"
#include "store/store.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using namespace testing;

class ShopStoreTest : public ::testing::Test {
 protected:
  void reopen() {
    store.reset();
    store = ShopStore::open(folder / "shop.db", {});
  }
  void append(const std::vector<Event>& events) {
    store->write([&](ShopStore::Writer& writer) { writer.append(events); });
  }
  std::vector<std::string> ids(const std::string& user, const std::string& client = "", int64_t at_most = 100,
                               Micros until = 1'000'000) {
    std::vector<std::string> ids;
    for (const EventRow& row : store->history(user, client, at_most, until)) ids.push_back(row.event_id);
    return ids;
  }
  int64_t count(const std::string& sql) { return count_in(folder / "shop.db", sql); }
  /// How SQLite would run a statement, line by line.
  std::string plan(const std::string& sql) {
    std::string text;
    sqlite3* db = nullptr;
    sqlite3_open((folder / "shop.db").c_str(), &db);
    const auto append_line = [](void* out, int, char** values, char**) {
      *static_cast<std::string*>(out) += std::string(values[3]) + ";";
      return 0;
    };
    sqlite3_exec(db, ("explain query plan " + sql).c_str(), append_line, &text, nullptr);
    sqlite3_close(db);
    return text;
  }

  TempDir folder;
  std::unique_ptr<ShopStore> store = ShopStore::open(folder / "shop.db", {});
};

TEST_F(ShopStoreTest, EventsAreSeenBeforeAndAfterIndexingAndAfterOpeningAgain) {
  append({event("e2", 20, "u1", "i2"), event("e1", 10, "u1", "i1"), event("x", 15, "u2", "i1")});
  for (int state = 0; state < 4; ++state) {
    if (state == 1 || state == 3) reopen();
    const int64_t moved = state == 2 ? store->index(1000, 100) : 3;
    EXPECT_EQ(moved, 3);
    EXPECT_THAT(ids("u1"), ElementsAre("e1", "e2")) << state;
    EXPECT_THAT(ids("u1", "", 1), ElementsAre("e2"));
    EXPECT_THAT(ids("u1", "", 100, 19), ElementsAre("e1"));
    EXPECT_TRUE(store->has_event("x"));
    EXPECT_FALSE(store->has_event("y"));
    EXPECT_EQ(store->queued(), state < 2 ? 3 : 0);
    std::vector<std::string> latest;
    store->each_event_id(2, [&](std::string_view id) { latest.emplace_back(id); });
    EXPECT_THAT(latest, ElementsAre("x", "e1"));
  }
}

TEST_F(ShopStoreTest, EveryFieldComesBackFromTheQueueAndFromTheTable) {
  Event e;
  e.event_id = "e";
  e.time = -5;
  e.event = "purchase";
  e.user_id = "u";
  e.client_id = "c";
  e.session_id = "s";
  e.recommendation_id = "r";
  e.items = {{"i1", 2, 9.5, 3, 4}, {"i2"}};
  e.extra = R"({"coupon":"X"})";
  append({e});
  for (int state = 0; state < 3; ++state) {
    const auto rows = store->history("u", "", 10, 100);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(text_of(rows[0]), R"(e 0 -5 purchase u c s i1 2 9.5 3 4 r {"coupon":"X"} 0)");
    EXPECT_EQ(text_of(rows[1]), R"(e 1 -5 purchase u c s i2 - - - - r {"coupon":"X"} 0)");
    state == 0 ? reopen() : static_cast<void>(store->index(10, 100));
  }
}

TEST_F(ShopStoreTest, TheOrderIsThatOfTimesThenOfAcceptance) {
  append({event("late", 5, "u", "i"), event("a", 3, "u", "i")});
  store->index(10, 100);
  append({event("b", 3, "u", "i"), event("early", 1, "u", "i")});
  EXPECT_THAT(ids("u"), ElementsAre("early", "a", "b", "late"));
}

TEST_F(ShopStoreTest, AnEventThatComesAgainCountsOnce) {
  Event two = event("e", 1, "u", "i1");
  append({two, two});
  two.items = {{"i1"}, {"i2"}};
  append({two});
  EXPECT_THAT(ids("u"), ElementsAre("e"));
  store->index(1, 100);
  append({two});
  EXPECT_THAT(ids("u"), ElementsAre("e"));
  store->index(100, 100);
  EXPECT_THAT(ids("u"), ElementsAre("e"));
  EXPECT_EQ(count("select count(*) from events"), 1);
  EXPECT_THROW(append({event("", 1, "u", "i")}), InvalidInput);
}

TEST_F(ShopStoreTest, FutureEventsWaitUntilTheirTimeHasCome) {
  append({event("now", 10, "u", "i"), event("soon", 50, "u", "i"), event("later", 90, "u", "i")});
  EXPECT_EQ(store->index(100, 20), 3);
  EXPECT_EQ(count("select count(*) from events"), 1);
  EXPECT_EQ(count("select count(*) from events_future"), 2);
  EXPECT_THAT(ids("u", "", 10, 20), ElementsAre("now"));
  EXPECT_THAT(ids("u", "", 10, 60), ElementsAre("now", "soon"));
  EXPECT_TRUE(store->has_event("later"));
  EXPECT_EQ(store->index(100, 60), 1);
  EXPECT_EQ(count("select count(*) from events"), 2);
  reopen();
  EXPECT_EQ(store->index(100, 90), 1);
  EXPECT_EQ(count("select count(*) from events_future"), 0);
  EXPECT_THAT(ids("u"), ElementsAre("now", "soon", "later"));
}

TEST_F(ShopStoreTest, RowsForAnswersHaveAnItemAndAKindThatIsWanted) {
  append({event("a", 1, "u", "i", "buy"), event("b", 2, "u", "i", "look"), event("c", 3, "u", "", "buy"),
          event("d", 4, "u", "i", "buy"), event("e", 5, "u", "i", "buy"), event("f", 50, "u", "i", "buy"),
          event("g", 60, "u", "i", "look"), event("h", 70, "u", "i", "buy"), event("v", 6, "v", "i", "buy")});
  const auto served = [&](const RowsWanted& wanted) {
    std::vector<std::string> ids;
    for (const EventRow& row : store->served_rows("u", "", wanted)) ids.push_back(row.event_id);
    return ids;
  };
  const std::vector<std::string> buy = {"buy"};
  for (int state = 0; state < 3; ++state) {
    EXPECT_THAT(served({buy, 2, 10}), ElementsAre("d", "e", "f", "h")) << state;
    EXPECT_THAT(served({buy, 1, 10}), ElementsAre("e", "f"));
    EXPECT_THAT(served({std::nullopt, 4, 10}), ElementsAre("a", "b", "d", "e", "f", "g", "h"));
    EXPECT_THAT(served({std::vector<std::string>(), 4, 10}), ElementsAre());
    EXPECT_THAT(served({buy, 10, 60}), ElementsAre("a", "d", "e", "f", "h"));
    state == 0 ? reopen() : static_cast<void>(store->index(10, 10));
  }
  append({guest_event("g1", 7, "c", "i")});
  EXPECT_EQ(store->served_rows("", "c", {std::nullopt, 10, 10}).size(), 1);
}

TEST_F(ShopStoreTest, RowsOfAPersonAreReadInTheOrderOfTheirIndex) {
  for (const char* table : {"events", "events_future"})
    for (const bool guest : {false, true})
      for (const bool after : {false, true})  // nothing is sorted, and other kinds are not looked at
        EXPECT_EQ(plan(rows_sql({.table = table, .guest = guest, .one_kind = true, .after = after, .with_item = true})),
                  fmt::format("SEARCH {0} USING INDEX fewshop_live_{0}_{1}_kind ({2}=? AND event=? AND time{3}?);",
                              table, guest ? "guest" : "user", guest ? "client_id" : "user_id", after ? ">" : "<"));
}

TEST_F(ShopStoreTest, AStartFindsRowsWithoutAPlaceByTheirIndex) {
  EXPECT_THAT(plan(kPlaceRows), HasSubstr("SCAN events USING INDEX fewshop_live_events_unplaced;"));
  EXPECT_THAT(plan(kPlaceRows), Not(HasSubstr("SCAN events;")));
}

TEST_F(ShopStoreTest, IndexingSaysWhoseEventsCameTwice) {
  append({event("e", 1, "u", "i"), guest_event("g", 1, "c", "i")});
  store->index(10, 100);
  append({event("e", 9, "u", "i"), guest_event("g", 9, "c", "i"), event("new", 9, "v", "i")});
  Doubled doubled;
  store->index(10, 100, &doubled);
  EXPECT_THAT(doubled.people, ElementsAre("c:c", "u:u"));
  EXPECT_EQ(doubled.rows, (std::map<std::string, int64_t>{{"i", 2}}));
}

TEST_F(ShopStoreTest, AGuestIsJoinedToAnAccountAndPartedAgain) {
  append({guest_event("g1", 1, "c", "i"), event("u1", 2, "u", "i")});
  store->index(10, 100);
  append({guest_event("g2", 3, "c", "i")});
  EXPECT_THAT(ids("", "c"), ElementsAre("g1", "g2"));
  store->write([](ShopStore::Writer& w) { EXPECT_EQ(w.join("c", "u"), 2); });
  append({guest_event("g3", 4, "c", "i")});
  EXPECT_THAT(ids("u"), ElementsAre("g1", "u1", "g2", "g3"));
  EXPECT_THAT(ids("", "c"), IsEmpty());
  EXPECT_THAT(store->joins(), ElementsAre(Pair("c", "u")));
  reopen();
  append({guest_event("g4", 5, "c", "i")});
  EXPECT_THAT(ids("u"), ElementsAre("g1", "u1", "g2", "g3", "g4"));
  store->write([](ShopStore::Writer& w) { EXPECT_EQ(w.part("c"), 4); });
  EXPECT_THAT(ids("u"), ElementsAre("u1"));
  EXPECT_THAT(ids("", "c"), ElementsAre("g1", "g2", "g3", "g4"));
}

TEST_F(ShopStoreTest, WhoRefusesIsNobodysSupportUntilConsentReturns) {
  append({event("a", 1, "u", "i"), event("b", 1'000'000'000'000'000'000, "u", "i")});
  store->write([](ShopStore::Writer& w) { EXPECT_EQ(w.set_personalization("u", "", false), 2); });
  append({event("c", 2, "u", "i")});
  EXPECT_THAT(ids("u"), IsEmpty());
  EXPECT_THAT(store->refusals(), ElementsAre("u:u"));
  EXPECT_TRUE(store->has_event("a"));
  EXPECT_TRUE(store->has_event("c"));
  store->index(10, 100);
  EXPECT_EQ(count("select count(*) from events where event_id = 'c' and user_id is null and client_id is null"), 1);
  EXPECT_EQ(count("select count(*) from events_withheld"), 2);
  reopen();
  store->write([](ShopStore::Writer& w) { EXPECT_EQ(w.set_personalization("u", "", true), 2); });
  EXPECT_THAT(ids("u"), ElementsAre("a"));
  EXPECT_EQ(count("select count(*) from events_future"), 1);
  Event once = event("d", 3, "u", "i");
  once.personalization = false;
  append({once});
  EXPECT_THAT(ids("u"), ElementsAre("a"));
  EXPECT_TRUE(store->has_event("d"));
}

TEST_F(ShopStoreTest, WhatChangesNothingLeavesTheQueueToBeIndexedLater) {
  store->write([](ShopStore::Writer& w) {
    w.join("c", "u");
    w.set_personalization("v", "", false);
  });
  append({event("a", 1, "u", "i"), event("b", 2, "w", "i")});
  store->write([](ShopStore::Writer& w) {
    EXPECT_EQ(w.join("c", "u"), 0);
    EXPECT_EQ(w.part("another"), 0);
    EXPECT_EQ(w.set_personalization("u", "", true), 0);
    EXPECT_EQ(w.set_personalization("v", "", false), 0);
  });
  EXPECT_EQ(store->queued(), 2);
  // What does change something reads the rows of the queue, and moves them.
  store->write([](ShopStore::Writer& w) { EXPECT_EQ(w.set_personalization("u", "", false), 1); });
  EXPECT_EQ(store->queued(), 0);
}

TEST_F(ShopStoreTest, AForgottenUserIsNowhere) {
  append({event("a", 1, "u", "i"), guest_event("g", 2, "c", "i"), event("far", 1'000'000'000'000'000'000, "u", "i"),
          event("other", 1, "v", "i")});
  Event shared = event("shared", 1, "v", "i");
  shared.client_id = "c";
  append({shared});
  store->write([](ShopStore::Writer& w) {
    w.put_user({"u", {{"secret", "xyzzy-label"}}, ""});
    w.join("c", "u");
    w.set_personalization("", "c", false);
  });
  append({event("queued", 5, "u", "i")});
  std::map<std::string, int64_t> removed;
  store->write([&](ShopStore::Writer& w) { removed = w.forget_user("u"); });
  EXPECT_THAT(removed, UnorderedElementsAre(Pair("events", 2), Pair("events_future", 1), Pair("events_withheld", 1),
                                            Pair("users", 1), Pair("joins", 1), Pair("refusals", 1)));
  EXPECT_THAT(ids("u"), IsEmpty());
  EXPECT_THAT(ids("", "c"), IsEmpty());
  EXPECT_THAT(ids("v"), ElementsAre("other", "shared"));
  EXPECT_FALSE(store->user("u"));
  EXPECT_TRUE(store->truncate_log());
  EXPECT_EQ(std::filesystem::file_size(folder / "shop.db-wal"), 0u);
  for (const char* file : {"shop.db", "shop.db-wal"}) {
    const std::string bytes = read_whole(folder / file);
    EXPECT_EQ(bytes.find("xyzzy-label"), std::string::npos) << file;
    EXPECT_EQ(bytes.find("queued"), std::string::npos) << file;
  }
  reopen();
  EXPECT_THAT(ids("u"), IsEmpty());
}

TEST_F(ShopStoreTest, LabelsBecomeColumns) {
  store->write([](ShopStore::Writer& w) {
    w.put_item({"i1",
                true,
                {"a", "b"},
                77,
                {{"Brand", "acme"},
                 {"size", 3.5},
                 {"eco", true},
                 {"tags", {"x", "y"}},
                 {"bad name", 1},
                 {"time", "later"},
                 {"deep", {{"a", 1}}}},
                "text"});
    w.put_item({"i2", false, {}, 0, {{"size", "large"}, {"brand", 7}}, ""});
  });
  const auto item = store->item("i1");
  ASSERT_TRUE(item);
  EXPECT_TRUE(item->hidden);
  EXPECT_THAT(item->categories, ElementsAre("a", "b"));
  EXPECT_EQ(item->time, 77);
  EXPECT_EQ(item->labels["bad name"], 1);
  EXPECT_EQ(item->comment, "text");
  const auto columns = store->item_columns("i1");
  ASSERT_TRUE(columns);
  EXPECT_THAT(*columns,
              UnorderedElementsAre(Pair("item_id", "i1"), Pair("hidden", "1"), Pair("categories", "a|b"),
                                   Pair("time", "77"), Pair("labels", item->labels.dump()), Pair("comment", "text"),
                                   Pair("brand", "acme"), Pair("size", "3.5"), Pair("eco", "1"), Pair("tags", "x|y")));
  EXPECT_EQ(store->item_columns("i2")->at("size"), std::nullopt);  // a text is no number
  EXPECT_EQ(store->item_columns("i2")->at("brand"), "7");
  store->write([](ShopStore::Writer& w) {
    w.patch_item("i1", {{"labels", {{"size", nullptr}, {"brand", "other"}}}, {"hidden", false}});
    w.put_item({"i2", false, {}, 0, json::object(), ""});
    EXPECT_THROW(w.patch_item("i1", {{"hidden", "yes"}}), InvalidInput);
    EXPECT_THROW(w.patch_item("i1", {{"color", "red"}}), InvalidInput);
  });
  EXPECT_EQ(store->item_columns("i1")->at("size"), std::nullopt);
  EXPECT_EQ(store->item_columns("i1")->at("brand"), "other");
  EXPECT_EQ(store->item_columns("i1")->at("eco"), "1");
  EXPECT_EQ(store->item_columns("i1")->at("time"), "77");
  EXPECT_EQ(store->item_columns("i2")->at("brand"), std::nullopt);
  int seen = 0;
  store->each_item_columns([&](const std::string& id, const ShopStore::Columns& all) {
    ++seen;
    EXPECT_EQ(all.at("item_id"), id);
  });
  EXPECT_EQ(seen, 2);
  EXPECT_FALSE(store->item_columns("none"));
}

TEST_F(ShopStoreTest, ATableHasAtMostTwoHundredColumns) {
  json labels = json::object();
  for (int i = 0; i < 300; ++i) labels[fmt::format("l{}", i)] = i;
  store->write([&](ShopStore::Writer& w) { w.put_user({"u", labels, ""}); });
  EXPECT_EQ(store->user_columns("u")->size(), 200u);
  EXPECT_EQ(store->user("u")->labels, labels);
}

TEST_F(ShopStoreTest, UsersAndItemsAppearByBeingNamedAndArePaged) {
  append({event("a", 1, "u1", "i1"), event("b", 1, "u3", "i2")});
  store->index(10, 100);
  store->write([](ShopStore::Writer& w) {
    w.put_user({"u2", {}, "x"});
    w.patch_item("i3", {{"comment", "A Red Shoe"}});
  });
  auto page = store->users(2, "");
  EXPECT_THAT(page.cursor, "u2");
  EXPECT_EQ(page.records[1].comment, "x");
  page = store->users(2, page.cursor);
  ASSERT_EQ(page.records.size(), 1u);
  EXPECT_EQ(page.records[0].user_id, "u3");
  EXPECT_EQ(page.cursor, "");
  EXPECT_EQ(store->items(10, "", "").records.size(), 3u);
  EXPECT_EQ(store->items(10, "", "red s").records[0].item_id, "i3");
  EXPECT_EQ(store->items(10, "", "i1").records.size(), 1u);
  store->write([](ShopStore::Writer& w) { EXPECT_EQ(w.delete_item("i1"), 2); });
  EXPECT_THAT(ids("u1"), IsEmpty());
  EXPECT_FALSE(store->item("i1"));
}

TEST_F(ShopStoreTest, ListsOfUsersHoldThoseWhomOnlyTheQueueNames) {
  append({event("a", 1, "u1", "i"), event("b", 1, "u3", "i"), event("c", 1, "u5", "i")});
  store->index(10, 100);
  append({event("d", 1, "u4", "i"), event("e", 1, "u3", "i"), event("f", 1, "u6", "i"), event("g", 1, "u0", "i")});
  const auto pages = [&](int64_t n) {
    std::vector<std::string> listed;
    std::string cursor;
    do {
      auto page = store->users(n, cursor);
      EXPECT_LE(std::ssize(page.records), n);
      for (const auto& user : page.records) {
        EXPECT_EQ(user.labels, json::object());
        listed.push_back(user.user_id);
      }
      cursor = page.cursor;
    } while (!cursor.empty());
    return listed;
  };
  for (const int64_t n : {1, 2, 3, 6, 100}) EXPECT_THAT(pages(n), ElementsAre("u0", "u1", "u3", "u4", "u5", "u6")) << n;
  store->index(10, 100);
  EXPECT_THAT(pages(4), ElementsAre("u0", "u1", "u3", "u4", "u5", "u6"));
}

TEST_F(ShopStoreTest, FeedbackIsTheEventsOfOneKindTogether) {
  Event e = event("a", 1, "u", "i", "like");
  e.value = 2;
  e.extra = R"({"labels":{"x":1},"comment":"first"})";
  append({e});
  store->index(10, 100);
  e.event_id = "b";
  e.time = 5;
  e.extra = R"({"comment":"second"})";
  append({e});
  auto page = store->feedback("like", "u", "i", 10, "");
  ASSERT_EQ(page.records.size(), 1u);
  EXPECT_EQ(page.records[0].value, 4);
  EXPECT_EQ(page.records[0].time, 5);
  EXPECT_EQ(page.records[0].comment, "second");
  EXPECT_EQ(page.records[0].labels, json::object());
  e.event_id = "c";
  e.value = 7;
  e.time = 3;
  store->write([&](ShopStore::Writer& w) { EXPECT_EQ(w.replace_feedback(e), 1); });
  page = store->feedback("", "", "i", 10, "");
  ASSERT_EQ(page.records.size(), 1u);
  EXPECT_EQ(page.records[0].value, 7);
  EXPECT_EQ(page.records[0].time, 3);
  store->write([&](ShopStore::Writer& w) { EXPECT_EQ(w.delete_feedback("", "u", "i"), 1); });
  EXPECT_THAT(store->feedback("", "u", "", 10, "").records, IsEmpty());
  EXPECT_THROW(store->feedback("", "", "", 10, "nonsense"), InvalidInput);
}

TEST_F(ShopStoreTest, SettingsAreSmallNamedValues) {
  store->write([](ShopStore::Writer& w) {
    w.put_setting("model/a", {{"version", 1}});
    w.put_setting("model/b", "x");
    w.put_setting("other", 1);
  });
  EXPECT_THAT(store->settings("model/"),
              ElementsAre(Pair("model/a", json{{"version", 1}}), Pair("model/b", json("x"))));
  store->write([](ShopStore::Writer& w) { w.put_setting("model/a", nullptr); });
  EXPECT_FALSE(store->setting("model/a"));
  reopen();
  EXPECT_EQ(store->setting("model/b"), json("x"));
  EXPECT_EQ(store->settings("").size(), 2u);
}

TEST_F(ShopStoreTest, WhatThrowsInsideAWriteUndoesAllOfIt) {
  append({event("a", 1, "u", "i")});
  EXPECT_THROW(store->write([](ShopStore::Writer& w) {
    w.append(std::vector<Event>{event("b", 2, "u", "i")});
    w.join("c", "u");
    w.put_item({"i", false, {}, 0, {{"fresh", 1}}, ""});
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_THAT(ids("u"), ElementsAre("a"));
  EXPECT_FALSE(store->has_event("b"));
  append({guest_event("g", 3, "c", "i")});
  EXPECT_THAT(ids("", "c"), ElementsAre("g"));
  store->write([](ShopStore::Writer& w) { w.put_item({"i", false, {}, 0, {{"fresh", 1}}, ""}); });
  EXPECT_EQ(store->item_columns("i")->at("fresh"), "1");
}

TEST_F(ShopStoreTest, LargeBatchesAreMovedInParts) {
  std::vector<Event> events;
  for (int i = 0; i < 5000; ++i) events.push_back(event(fmt::format("e{:04}", i), i, "u", "i"));
  append(events);
  EXPECT_EQ(count("select count(*) from fewshop_queue"), 5);
  const int64_t moved = store->index(1000, 1'000'000);
  EXPECT_EQ(moved, 1024);
  EXPECT_EQ(store->queued(), 5000 - 1024);
  EXPECT_EQ(ids("u", "", 10000).size(), 5000u);
  while (store->index(1000, 1'000'000) > 0) {
  }
  EXPECT_EQ(store->queued(), 0);
  EXPECT_EQ(ids("u", "", 10000).size(), 5000u);
}

}  // namespace
}  // namespace fewshop
