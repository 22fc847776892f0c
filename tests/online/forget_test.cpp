// Forgetting, export, retention: what is held of somebody, and that it goes.
#include <sqlite3.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "online/ledger.h"
#include "online/live_shop.h"

namespace fewshop::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

json forget(LiveShop& live, const std::string& user) {
  std::mutex mutex;
  std::condition_variable ready;
  json answer;
  live.shop->forget(user, [&](const Outcome& outcome, const json& receipt) {
    const std::lock_guard lock(mutex);
    answer = receipt;
    answer["error"] = outcome.error;
    answer["rows"] = outcome.rows;
    ready.notify_one();
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return !answer.is_null(); });
  return answer;
}

double count_of(LiveShop& live, const std::string& item) {
  const ItemTable::Reader items(live.shop->items());
  const int32_t found = items.find(item);
  return found < 0 ? -1 : items.at(found).events;
}

/// A user with a record, events, a guest, and one event to come.
void live_a_little(LiveShop& live, const std::string& user) {
  live.put_items();
  live.publish("1");
  Change change;
  change.users.push_back({user, {{"city", "Riga"}}, "likes mornings"});
  live.shop->change(std::move(change));
  live.event("e1", user, "item-1");
  live.event("e2", user, "item-2");
  live.event("g1", "", "item-3", "view_item", "phone");
  Change join;
  join.joins.push_back({"phone", user, true});
  live.shop->change(std::move(join));
  Change future = live.event_change("f1", user, "item-4");
  future.events[0].time = live.now + kDay;
  live.shop->change(std::move(future));
  live.event("o1", "other", "item-1");
}

TEST(Forget, TheReceiptSaysWhatWasRemovedAndThatTheUserIsANewcomer) {
  LiveShop live;
  live_a_little(live, "ann");
  live.recommend("ann");  // so that rows are in memory
  const auto before = live.shop->export_user("ann");
  EXPECT_EQ(before["events"].size(), 4);
  const auto receipt = forget(live, "ann");
  EXPECT_EQ(receipt["error"], "");
  EXPECT_EQ(receipt["removed"]["events"], 3);
  EXPECT_EQ(receipt["removed"]["events_future"], 1);
  EXPECT_EQ(receipt["removed"]["users"], 1);
  EXPECT_EQ(receipt["removed"]["joins"], 1);
  EXPECT_GT(receipt["removed"]["memory_rows"], 0);
  EXPECT_EQ(receipt["check"]["newcomer"], true) << receipt.dump(2);
  EXPECT_EQ(receipt["check"]["asked"].size(), 1);
  EXPECT_EQ(receipt["pending"], false);
  EXPECT_THAT(receipt["out_of_reach"].dump(), AllOf(HasSubstr("dumps"), HasSubstr("backups"), HasSubstr("bundles")));
  EXPECT_THAT(receipt.dump(), Not(HasSubstr("ann")));
  EXPECT_THAT(receipt["models"][0]["may_hold"].dump(), HasSubstr("bayes"));
  const auto after = live.shop->export_user("ann");
  EXPECT_TRUE(after["events"].empty());
  EXPECT_TRUE(after["guests"].empty());
  EXPECT_TRUE(after["user"].is_null());
  EXPECT_TRUE(after["profiles"][0]["attributes"].empty());
  EXPECT_EQ(live.shop->receipts().size(), 1);
  EXPECT_EQ(live.shop->receipts("ann").size(), 1);
  EXPECT_EQ(live.shop->receipts("other").size(), 0);
}

TEST(Forget, NothingOfTheUserIsLeftInAnyFile) {
  LiveShop live;
  live.event("e1", "zoe-from-riga", "item-1", "purchase", "phone-of-zoe");
  live.event("e2", "", "item-1", "purchase", "tablet-of-zoe");
  Change join;
  join.joins.push_back({"tablet-of-zoe", "zoe-from-riga", true});
  live.shop->change(std::move(join));
  EXPECT_EQ(forget(live, "zoe-from-riga")["pending"], false);
  for (const auto& entry : std::filesystem::directory_iterator(live.folder.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(read_whole(entry.path()), Not(HasSubstr("of-zoe"))) << entry.path();
    EXPECT_THAT(read_whole(entry.path()), Not(HasSubstr("zoe-from"))) << entry.path();
  }
}

TEST(Forget, TheReceiptWaitsForTheLogWhileAReaderHoldsIt) {
  LiveShop live;
  live.event("e1", "zoe-from-riga", "item-1");
  const std::filesystem::path database = live.folder / "shop.db";
  sqlite3* reader = nullptr;
  ASSERT_EQ(sqlite3_open(database.c_str(), &reader), SQLITE_OK);
  sqlite3_busy_timeout(reader, 10'000);
  // What it has read stays as it was, so the log cannot be cut.
  for (const char* sql : {"begin", "select count(*) from events"})
    EXPECT_EQ(sqlite3_exec(reader, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
  const auto receipt = forget(live, "zoe-from-riga");
  EXPECT_EQ(receipt["pending"], true) << receipt.dump(2);
  EXPECT_THAT(receipt["waits_for"], Contains("log"));
  EXPECT_EQ(live.shop->receipts("zoe-from-riga")[0]["pending"], true);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // it is tried again every second
  EXPECT_THAT(live.shop->receipts("zoe-from-riga")[0]["waits_for"], Contains("log")) << "the reader is still there";

  EXPECT_EQ(sqlite3_exec(reader, "commit", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(reader);
  const auto waits = [&] { return live.shop->receipts("zoe-from-riga")[0]["pending"] == true; };
  for (int i = 0; i < 400 && waits(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(25));
  EXPECT_FALSE(waits());
  EXPECT_TRUE(live.shop->receipts("zoe-from-riga")[0]["waits_for"].empty());
  for (const auto& entry : std::filesystem::directory_iterator(live.folder.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(read_whole(entry.path()), Not(HasSubstr("zoe-from"))) << entry.path();
  }
}

TEST(Forget, CountsOfItemsAreThoseOfAShopThatNeverKnewTheUser) {
  LiveShop live;
  live_a_little(live, "ann");
  EXPECT_EQ(count_of(live, "item-1"), 2);
  EXPECT_EQ(count_of(live, "item-4"), 0);  // of the future: it counts when its time has come
  forget(live, "ann");
  EXPECT_EQ(count_of(live, "item-1"), 1);
  for (const char* item : {"item-2", "item-3", "item-4"}) EXPECT_EQ(count_of(live, item), 0) << item;
  live.open();
  EXPECT_EQ(count_of(live, "item-1"), 1);
  EXPECT_EQ(count_of(live, "item-2"), 0);
}

TEST(Forget, CountsFollowConsentAndDeletedFeedback) {
  LiveShop live;
  live_a_little(live, "ann");
  const auto consent = [&](bool given) {
    Change change;
    change.consents.push_back({"ann", "", given});
    live.shop->change(std::move(change));
  };
  consent(false);
  EXPECT_EQ(count_of(live, "item-1"), 1);
  EXPECT_EQ(live.shop->export_user("ann")["events"].size(), 4);  // withheld is held
  consent(true);
  EXPECT_EQ(count_of(live, "item-1"), 2);
  Change change;
  change.deleted_feedback.push_back({"", "ann", "item-1"});
  live.shop->change(std::move(change));
  EXPECT_EQ(count_of(live, "item-1"), 1);
  live.open();
  EXPECT_EQ(count_of(live, "item-1"), 1);
}

TEST(Forget, LateMessagesMakeNobodyKnown) {
  LiveShop live;
  live.event("e1", "ann", "item-1");
  const Micros before = live.now;
  live.now += kSecond;
  forget(live, "ann");
  live.now += kSecond;
  const auto message = [&](const std::string& id, Micros time) {
    Change change = live.event_change(id, "ann", "item-2", "identify", "phone");
    change.events[0].time = time;
    change.events[0].items.clear();
    change.joins.push_back({"phone", "ann", true, {0, false}});
    change.consents.push_back({"ann", "", id == "later", 0, {0, false}});
    change.user_patches.push_back({"ann", {{"labels", {{"email", "ann@example.org"}}}}, {0, false}});
    return live.shop->change(std::move(change));
  };
  EXPECT_EQ(message("late", before).accepted, 1);
  for (const bool restarted : {false, true}) {
    if (restarted) live.open();
    const auto held = live.shop->export_user("ann");
    EXPECT_TRUE(held["guests"].empty()) << held.dump(2);
    EXPECT_TRUE(held["events"].empty());
    EXPECT_FALSE(live.shop->store().user("ann"));
    EXPECT_TRUE(live.shop->store().refusals().empty());
  }
  EXPECT_EQ(message("late", live.now).duplicates, 1);
  message("later", live.now);
  EXPECT_EQ(live.shop->export_user("ann")["guests"].size(), 1) << "what happens from then on is a newcomer's";
}

TEST(Forget, CachesGoAndOtherTablesAreNamed) {
  LiveShop live;
  live.event("e1", "41", "item-1");
  const std::filesystem::path database = live.folder / "shop.db";
  const std::filesystem::path cache = database.string() + ".cache";
  std::filesystem::create_directories(cache);
  std::ofstream(cache / "some-0123.columns") << "columns";
  {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(database.c_str(), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 10'000);
    for (const char* sql :
         {"create table profile (user_id integer, city text)", "insert into profile values (41, 'Riga')",
          "insert into profile values (42, 'Oslo')", "create table other (id text)"})
      EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    sqlite3_close(handle);
  }
  EXPECT_EQ(live.shop->export_user("41")["other_tables"], (nlohmann::json{{"profile", 1}}));
  EXPECT_EQ(live.shop->export_user("43")["other_tables"], nlohmann::json::object());
  const auto receipt = forget(live, "41");
  EXPECT_EQ(receipt["other_tables"], (nlohmann::json{{"profile", 1}}));
  EXPECT_TRUE(std::filesystem::is_empty(cache));
}

TEST(Forget, LateEventsOfTheUserAndItsGuestsAreNobodys) {
  LiveShop live;
  live_a_little(live, "ann");
  const Micros then = live.now;
  live.now += 60 * kSecond;
  forget(live, "ann");
  const auto late = [&](const std::string& id, const std::string& user, const std::string& client, Micros time) {
    Change change = live.event_change(id, user, "item-9", "purchase", client);
    change.events[0].time = time;
    live.shop->change(std::move(change));
  };
  late("l1", "ann", "", then + kSecond);
  late("l2", "", "phone", then + kSecond);
  EXPECT_TRUE(live.shop->export_user("ann")["events"].empty());
  EXPECT_TRUE(live.shop->store().history("", "phone", 10, live.now).empty());
  EXPECT_EQ(count_of(live, "item-9"), 2);  // stored as nobody's
  // What happens from now on is a newcomer's.
  late("l3", "ann", "", live.now + kSecond);
  EXPECT_EQ(live.shop->export_user("ann")["events"].size(), 1);
  // The ledger outlives the process.
  live.open();
  late("l4", "ann", "", then + 2 * kSecond);
  EXPECT_EQ(live.shop->export_user("ann")["events"].size(), 1);
}

TEST(Forget, TheLedgerDoesNotSayWho) {
  const Ledger ledger;
  const std::string name = ledger.name_of("u:ann");
  EXPECT_THAT(name, Not(HasSubstr("ann")));
  EXPECT_EQ(name, ledger.name_of("u:ann"));
  EXPECT_NE(name, ledger.name_of("c:ann"));
  EXPECT_NE(name, Ledger().name_of("u:ann"));  // another key, another hash
}

TEST(Forget, AnExportHasEverythingThatIsHeld) {
  LiveShop live;
  live_a_little(live, "ann");
  const auto all = live.shop->export_user("ann");
  EXPECT_EQ(all["user"]["labels"]["city"], "Riga");
  EXPECT_EQ(all["user"]["comment"], "likes mornings");
  EXPECT_THAT(all["guests"], Contains("phone"));
  EXPECT_EQ(all["consent"]["personalization"], true);
  std::vector<std::string> ids;
  for (const auto& event : all["events"]) ids.push_back(event["event_id"]);
  EXPECT_THAT(ids, ::testing::UnorderedElementsAre("e1", "e2", "g1", "f1"));
  const auto& profile = all["profiles"][0];
  EXPECT_EQ(profile["version"], "1");
  EXPECT_GT(profile["support_rows"], 0);
  EXPECT_FALSE(profile["attributes"].empty());
  EXPECT_EQ(profile["attributes"][0]["attribute"], "items.colour");
  EXPECT_TRUE(profile["attributes"][0].contains("value"));
  for (const auto& attribute : profile["attributes"]) {
    EXPECT_LT(attribute["low"].get<double>(), attribute["effect"].get<double>());
    EXPECT_GT(attribute["high"].get<double>(), attribute["effect"].get<double>());
  }
  EXPECT_FALSE(profile["top_items"].empty());
  EXPECT_LE(profile["top_items"][0]["low"], profile["top_items"][0]["high"]);
}

TEST(Consent, AnEventWithoutANameKeepsNothingOfWhatStoodAroundIt) {
  LiveShop live;
  const auto extra_of = [&](const std::string& id, bool personalization) {
    Change change = live.event_change(id, "ann", "item-1");
    change.events[0].extra = R"({"context":{"device":"phone"},"currency":"EUR","traits":{"age":3}})";
    change.events[0].personalization = personalization;
    live.shop->change(std::move(change));
    std::string extra = "not there";
    live.shop->store().each_event([&](const EventRow& row) {
      if (row.event_id == id) extra = row.extra;
    });
    return extra;
  };
  EXPECT_THAT(extra_of("e1", true), AllOf(HasSubstr("phone"), HasSubstr("traits")));
  EXPECT_EQ(extra_of("e2", false), R"({"currency":"EUR"})");
  Change refusal;
  refusal.consents.push_back({"ann", "", false});
  live.shop->change(std::move(refusal));
  EXPECT_EQ(extra_of("e3", true), R"({"currency":"EUR"})") << "who refused before";
}

class RetainingShop {
 public:
  explicit RetainingShop(std::map<std::string, double> retention) {
    Shop::Options options;
    options.database = folder / "shop.db";
    options.now = [this] { return now.load(); };
    options.retention = std::move(retention);
    shop = std::make_unique<Shop>(options);
  }
  void event(const std::string& id, const std::string& kind, Micros time) {
    Event event;
    event.event_id = id;
    event.time = time;
    event.event = kind;
    event.user_id = "u";
    event.items.push_back({.item_id = "i"});
    Change change;
    change.events.push_back(std::move(event));
    shop->change(std::move(change));
  }
  size_t rows() { return shop->export_user("u")["events"].size(); }

  TempDir folder;
  std::atomic<Micros> now = 1'700'000'000 * kSecond;
  std::unique_ptr<Shop> shop;
};

TEST(Retention, OldEventsOfAKindGoAndOthersStay) {
  RetainingShop live({{"view_item", 10}, {"*", 100}});
  const Micros now = live.now;
  live.event("a", "view_item", now - 11 * kDay);
  live.event("b", "view_item", now - 9 * kDay);
  live.event("c", "purchase", now - 11 * kDay);
  live.event("d", "purchase", now - 101 * kDay);
  while (live.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // By itself, a second after the start.
  for (int i = 0; i < 400 && live.rows() > 2; ++i) {
    live.shop->retain(1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(live.rows(), 2);
  const ItemTable::Reader items(live.shop->items());
  EXPECT_EQ(items.at(0).events, 2);
}

TEST(Retention, NothingGoesWithoutARule) {
  RetainingShop live({});
  live.event("a", "view_item", live.now - 1000 * kDay);
  EXPECT_EQ(live.shop->retain(1000), -1);
  EXPECT_EQ(live.rows(), 1);
}

}  // namespace
}  // namespace fewshop::testing
