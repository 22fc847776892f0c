// What memory counts is what a new start counts, whatever came in which order; and who an event belongs to is decided
// by what was said before it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "live_shop.h"
#include "online/canonical_events.h"

namespace fewshop {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::LiveShop;

std::map<std::string, double> popular(LiveShop& live) {
  ListRequest all;
  all.n = 1000;
  std::map<std::string, double> counts;
  for (const auto& item : live.shop->popular(all).items) counts[item.id] = item.score;
  return counts;
}

/// The counts now, which must be those after a new start.
std::map<std::string, double> counted(LiveShop& live) {
  const auto before = popular(live);
  live.open();
  EXPECT_EQ(popular(live), before);
  return before;
}

void consent(Change& change, const std::string& user, const std::string& client, bool given) {
  Incoming incoming;
  incoming.note_consent(user, client, given);
  for (Consent& one : incoming.consents) {
    one.after = std::ssize(change.events);
    one.effect = {};
    change.consents.push_back(one);
  }
}

std::vector<std::string> items_of(LiveShop& live, const std::string& user) {
  std::vector<std::string> items;
  for (const auto& row : live.shop->store().history(user, "", 1000, ShopStore::kAllTime)) items.push_back(row.item_id);
  return items;
}

void add(LiveShop& live, Change& change, const std::string& id, const std::string& user, const std::string& item,
         const std::string& client = "", Micros later = 0) {
  Change one = live.event_change(id, user, item, "purchase", client);
  one.events[0].time += later;
  change.events.push_back(std::move(one.events[0]));
}

TEST(ConsentOrderTest, AnEventThatGivesConsentBackIsItsUsers) {
  LiveShop live;
  Change no, yes;
  consent(no, "u", "", false);
  add(live, no, "e1", "u", "a");
  no.events[0].personalization = false;
  live.shop->change(std::move(no));
  consent(yes, "u", "", true);
  add(live, yes, "e2", "u", "b");
  add(live, yes, "e3", "u", "c");
  live.shop->change(std::move(yes));
  EXPECT_THAT(items_of(live, "u"), ElementsAre("b", "c"));
  // Refused and given again within one request: what lies between is nobody's.
  Change both;
  add(live, both, "e4", "u", "d");
  consent(both, "u", "", false);
  add(live, both, "e5", "u", "e");
  consent(both, "u", "", true);
  add(live, both, "e6", "u", "f");
  live.shop->change(std::move(both));
  EXPECT_THAT(items_of(live, "u"), ElementsAre("b", "c", "d", "f"));
  counted(live);
}

TEST(ConsentOrderTest, DuplicatesInBetweenMoveNoConsent) {
  LiveShop live;
  live.event("old", "u", "a");
  Change change;
  add(live, change, "old", "u", "a");
  add(live, change, "e1", "u", "b");
  consent(change, "u", "", false);
  add(live, change, "old", "u", "a");
  add(live, change, "e2", "u", "c");
  consent(change, "u", "", true);
  add(live, change, "e3", "u", "d");
  EXPECT_EQ(live.shop->change(std::move(change)).duplicates, 2);
  EXPECT_THAT(items_of(live, "u"), ElementsAre("a", "b", "d"));
}

TEST(ConsentOrderTest, WhoConsentsWithAnAccountTakesBackWhatTheGuestRefused) {
  LiveShop live;
  Change no, yes;
  consent(no, "", "g", false);
  live.shop->change(std::move(no));
  consent(yes, "u", "g", true);
  add(live, yes, "e1", "u", "a", "g");
  live.shop->change(std::move(yes));
  live.event("e2", "u", "b", "purchase", "g");
  EXPECT_THAT(items_of(live, "u"), ElementsAre("a", "b"));
}

TEST(CountsTest, OfEventsAndARefusalInOneRequest) {
  LiveShop live;
  Change change;
  add(live, change, "e1", "", "new", "g");
  add(live, change, "e2", "", "x", "g");
  change.events[1].personalization = false;
  consent(change, "", "g", false);
  live.shop->change(std::move(change));
  counted(live);
  // The same where time has gone on since the store last looked at it.
  live.now += kSecond;
  Change later;
  add(live, later, "e3", "r", "x");
  add(live, later, "e4", "r", "x");
  consent(later, "r", "", false);
  live.shop->change(std::move(later));
  counted(live);
}

TEST(CountsTest, OfFeedbackThatIsOverwrittenTwice) {
  LiveShop live;
  const auto put = [&](const std::string& id, int times, Micros later) {
    Change change;
    for (int i = 0; i < times; ++i) {
      Change one = live.event_change(id, "u", "z", "like");
      one.events[0].time += later;
      change.overwritten_feedback.push_back(one.events[0]);
    }
    live.shop->change(std::move(change));
  };
  put("f1", 1, 0);
  EXPECT_EQ(popular(live)["z"], 1);
  put("f1", 2, 0);
  EXPECT_EQ(counted(live)["z"], 1);
  EXPECT_EQ(live.event("f1", "u", "z", "like").duplicates, 1) << "its id is known";
  put("f2", 1, 5 * kSecond);
  EXPECT_EQ(counted(live)["z"], 0) << "not before its time has come";
}

TEST(CountsTest, OfEventsToComeThatAreWithheldOrDeletedBefore) {
  LiveShop live;
  Change change;
  add(live, change, "due", "u", "a", "", 3 * kSecond);
  add(live, change, "gone", "v", "b", "", 3 * kSecond);
  change.events[1].items.push_back({.item_id = "stays"});
  live.shop->change(std::move(change));
  Change no, remove;
  consent(no, "u", "", false);
  live.shop->change(std::move(no));
  remove.deleted_feedback.push_back({"purchase", "v", "b"});
  live.shop->change(std::move(remove));
  live.now += 4 * kSecond;
  const auto settled = [&] { return popular(live)["stays"] == 1; };
  for (int i = 0; i < 500 && !settled(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(settled());
  EXPECT_EQ(popular(live)["b"], 0);
  Change yes;
  consent(yes, "u", "", true);
  live.shop->change(std::move(yes));
  EXPECT_EQ(popular(live)["a"], 1);
  counted(live);
}

TEST(CountsTest, AnItemThatWasDeletedAndIsSoldAgainIsInTheListsAgain) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  ListRequest all;
  all.n = 1000;
  live.event("e1", "u", "item-7");
  Change remove;
  remove.deleted_items.push_back("item-7");
  live.shop->change(std::move(remove));
  EXPECT_FALSE(popular(live).contains("item-7"));
  live.event("e2", "v", "item-7");
  EXPECT_TRUE(popular(live).contains("item-7"));
  EXPECT_THAT(LiveShop::ids(live.recommend("u", all)), Contains("item-7"));
  EXPECT_TRUE(live.shop->store().item("item-7").has_value());
}

TEST(CountsTest, SomebodyNewIsKnownAtOnce) {
  LiveShop live;
  for (int i = 0; i < 20; ++i) {
    const std::string user = "u" + std::to_string(i);
    live.event("e" + std::to_string(i), user, "a");
    EXPECT_TRUE(live.shop->store().user(user).has_value());
  }
}

}  // namespace
}  // namespace fewshop
