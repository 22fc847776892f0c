// Dump and restore: a database as a file, and back.
#include "online/dump.h"

#include <condition_variable>
#include <fstream>
#include <mutex>

#include "core/error.h"
#include "online/keys.h"
#include "online/live_shop.h"

namespace fewshop::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void wait_until_indexed(LiveShop& live) {
  while (live.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

/// Something in every table.
void fill(LiveShop& live) {
  live.put_items();
  Change change;
  change.users.push_back({"ann", {{"city", "Rīga"}, {"age", 31}}, "x"});
  change.settings.emplace_back("some/setting", nlohmann::json{{"a", 1}});
  const auto made = KeyRing::make(KeyRing::parse({{"actions", {"admin"}}}, live.now), live.now);
  change.settings.emplace_back(made.setting.name, made.setting.value);
  live.shop->change(std::move(change));
  live.event("e1", "ann", "item-1");
  live.event("e2", "bob", "item-2");
  live.event("e3", "", "item-3", "view_item", "phone");
  Change join;
  join.joins.push_back({"phone", "ann", true});
  join.consents.push_back({"bob", "", false});
  live.shop->change(std::move(join));
  Change future = live.event_change("f1", "ann", "item-4");
  future.events[0].time = 4'000'000'000 * kSecond;
  future.events[0].value = 12.5;
  future.events[0].extra = R"({"coupon":"é"})";
  live.shop->change(std::move(future));
  wait_until_indexed(live);
}

std::string why_not(const std::string& file, const std::string& database) {
  try {
    restore(file, database, "");
  } catch (const InvalidInput& problem) {
    return problem.what();
  }
  return "";
}

TEST(Dump, ARestoredDatabaseGivesTheSameDump) {
  LiveShop live;
  fill(live);
  const std::string first = live.folder / "first.jsonl", second = live.folder / "second.jsonl";
  const auto report = dump(live.folder / "shop.db", first);  // while it is served
  EXPECT_EQ(report.rows.at("users"), 2);
  EXPECT_EQ(report.rows.at("items"), 50);
  EXPECT_EQ(report.rows.at("events"), 2);
  EXPECT_EQ(report.rows.at("events_future"), 1);
  EXPECT_EQ(report.rows.at("events_withheld"), 1);
  EXPECT_EQ(report.rows.at("joins"), 1);
  EXPECT_EQ(report.rows.at("refusals"), 1);
  EXPECT_EQ(restore(first, live.folder / "copy.db", "").rows, report.rows);
  dump(live.folder / "copy.db", second);
  EXPECT_EQ(read_whole(first), read_whole(second));
  EXPECT_THAT(read_whole(first), HasSubstr("some/setting"));
}

TEST(Dump, ACompressedOneIsTheSame) {
  LiveShop live;
  fill(live);
  dump(live.folder / "shop.db", live.folder / "a.jsonl");
  dump(live.folder / "shop.db", live.folder / "a.zst");
  EXPECT_LT(read_whole(live.folder / "a.zst").size(), read_whole(live.folder / "a.jsonl").size());
  restore(live.folder / "a.zst", live.folder / "copy.db", "");
  dump(live.folder / "copy.db", live.folder / "b.jsonl");
  EXPECT_EQ(read_whole(live.folder / "a.jsonl"), read_whole(live.folder / "b.jsonl"));
}

TEST(Dump, NoKeyOfTheDumpOpensTheNewDatabase) {
  LiveShop live;
  fill(live);
  const auto keys = live.shop->store().settings("keys/");
  ASSERT_EQ(keys.size(), 1);
  dump(live.folder / "shop.db", live.folder / "a.jsonl");
  EXPECT_THAT(read_whole(live.folder / "a.jsonl"), Not(HasSubstr(keys.begin()->second["hash"].get<std::string>())));
  restore(live.folder / "a.jsonl", live.folder / "copy.db", "");
  const KeyRing ring(ShopStore::open(live.folder / "copy.db", {})->settings("keys/"));
  EXPECT_TRUE(ring.any());
  EXPECT_FALSE(ring.any_valid(live.now));
}

TEST(Dump, QueuedEventsAreAmongTheRest) {
  TempDir folder;
  {
    const auto store = ShopStore::open(folder / "shop.db", {});
    Event event;
    event.event_id = "q1";
    event.time = 1'700'000'000 * kSecond;
    event.event = "purchase";
    event.user_id = "ann";
    event.items.push_back({.item_id = "i1"});
    store->write([&](ShopStore::Writer& writer) { writer.append({&event, 1}); });
    EXPECT_EQ(dump(folder / "shop.db", folder / "a.jsonl").rows.at("queue"), 1);
  }
  restore(folder / "a.jsonl", folder / "copy.db", "");
  const auto copy = ShopStore::open(folder / "copy.db", {});
  EXPECT_TRUE(copy->has_event("q1"));
  EXPECT_EQ(copy->history("ann", "", 10, 2'000'000'000 * kSecond).size(), 1);
  EXPECT_TRUE(copy->user("ann").has_value());
  EXPECT_TRUE(copy->item("i1").has_value());
}

TEST(Restore, WhoWasForgottenSinceStaysForgotten) {
  LiveShop live;
  fill(live);
  dump(live.folder / "shop.db", live.folder / "a.jsonl");
  std::mutex mutex;
  std::condition_variable ready;
  bool done = false;
  live.shop->forget("ann", [&](const Outcome&, const nlohmann::json&) {
    const std::lock_guard lock(mutex);
    done = true;
    ready.notify_one();
  });
  {
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return done; });
  }
  const auto report = restore(live.folder / "a.jsonl", live.folder / "copy.db", live.folder / "shop.db");
  EXPECT_EQ(report.forgotten, 5);  // the user, two events and one to come, the join
  const auto copy = ShopStore::open(live.folder / "copy.db", {});
  EXPECT_FALSE(copy->user("ann").has_value());
  EXPECT_TRUE(copy->history("ann", "", 10, 5'000'000'000 * kSecond).empty());
  EXPECT_TRUE(copy->joins().empty());
  EXPECT_TRUE(copy->user("bob").has_value());
  EXPECT_EQ(copy->settings("forgotten/").size(), 2);  // the new database goes on keeping late events out
}

TEST(Restore, ItIsAllOrNothing) {
  LiveShop live;
  fill(live);
  const std::string whole = live.folder / "a.jsonl", cut = live.folder / "cut.jsonl",
                    other = live.folder / "other.jsonl";
  dump(live.folder / "shop.db", whole);
  const std::string text = read_whole(whole);
  std::ofstream(cut) << text.substr(0, text.rfind("{\"end\""));
  EXPECT_THAT(why_not(cut, live.folder / "copy.db"), HasSubstr("not complete"));
  EXPECT_FALSE(std::filesystem::exists(live.folder / "copy.db"));
  std::ofstream(other) << "{\"a\": 1}\n";
  EXPECT_THAT(why_not(other, live.folder / "copy.db"), HasSubstr("no dump of fewshop"));
  live.shop.reset();
  EXPECT_THAT(why_not(whole, live.folder / "shop.db"), HasSubstr("new database or an empty one"));
  EXPECT_EQ(ShopStore::open(live.folder / "shop.db", {})->user("ann")->comment, "x");
}

}  // namespace
}  // namespace fewshop::testing
