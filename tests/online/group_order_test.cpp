// Changes that are committed together take effect one after the other, as if each had been alone.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "online/live_shop.h"

namespace fewshop {
namespace {

using namespace testing;

class GroupOrder : public ::testing::Test {
 protected:
  GroupOrder() {
    shop.put_items();
    shop.publish("1");
  }

  /// Submits changes while the store is held, so that all but the first of them are one group; one may be at fault.
  void together(std::vector<Change> changes, size_t at_fault = SIZE_MAX) {
    std::mutex mutex;
    std::condition_variable changed;
    bool held = false, released = false;
    size_t done = 0;
    std::thread holder([&] {
      shop.shop->store().write([&](ShopStore::Writer&) {
        std::unique_lock lock(mutex);
        held = true;
        changed.notify_all();
        changed.wait(lock, [&] { return released; });
      });
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return held; });
    changes.insert(changes.begin(), shop.event_change("first", "nobody", "item-1"));
    for (size_t i = 0; i < changes.size(); ++i) {
      shop.shop->submit(std::move(changes[i]), [&, i](const Outcome& outcome) {
        EXPECT_EQ(outcome.error.empty(), i == 0 || i - 1 != at_fault) << outcome.error;
        const std::lock_guard inner(mutex);
        ++done;
        changed.notify_all();
      });
      lock.unlock();
      if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));  // taken by itself
      lock.lock();
    }
    released = true;
    changed.notify_all();
    changed.wait(lock, [&] { return done == changes.size(); });
    lock.unlock();
    holder.join();
  }

  static Change join(const std::string& guest, const std::string& user) {
    Change change;
    change.joins.push_back({guest, user, !user.empty()});
    return change;
  }
  static Change consent(const std::string& user, const std::string& guest, bool given) {
    Change change;
    change.consents.push_back({user, guest, given});
    return change;
  }
  int support(const std::string& user, const std::string& guest) {
    return shop.shop->recommend(shop.shop->model_or_null(""), {user, guest, std::nullopt}, {}).support;
  }
  /// In memory, and after a start that reads the store.
  void expect_support(const std::map<std::string, int>& users, int guest) {
    for (const bool restarted : {false, true}) {
      SCOPED_TRACE(restarted ? "after a start" : "in memory");
      if (restarted) {
        shop.open();
        shop.publish("1");
      }
      for (const auto& [user, count] : users) EXPECT_EQ(support(user, ""), count) << user;
      EXPECT_EQ(support("", "g"), guest);
    }
  }

  LiveShop shop;
};

TEST_F(GroupOrder, AnEventBehindAJoinIsTheUsers) {
  EXPECT_EQ(support("u", ""), 0);
  EXPECT_EQ(support("", "g"), 0);
  together({join("g", "u"), shop.event_change("e", "", "item-2", "purchase", "g")});
  expect_support({{"u", 1}}, 1);
}

TEST_F(GroupOrder, AnEventBehindAPartingIsTheGuests) {
  shop.shop->change(join("g", "u"));
  EXPECT_EQ(support("u", ""), 0);
  together({join("g", ""), shop.event_change("e", "", "item-2", "purchase", "g")});
  expect_support({{"u", 0}}, 1);
}

TEST_F(GroupOrder, AnEventBehindAJoinToAnotherIsTheOthers) {
  shop.shop->change(join("g", "u"));
  shop.event("a", "", "item-1", "purchase", "g");
  EXPECT_EQ(support("u", ""), 1);
  EXPECT_EQ(support("v", ""), 0);
  together({join("g", "v"), shop.event_change("e", "", "item-2", "purchase", "g")});
  expect_support({{"u", 0}, {"v", 2}}, 2);
}

TEST_F(GroupOrder, AnEventBehindARefusalIsNobodys) {
  shop.event("a", "u", "item-1");
  EXPECT_EQ(support("u", ""), 1);
  together({consent("u", "", false), shop.event_change("e", "u", "item-2")});
  expect_support({{"u", 0}}, 0);
}

TEST_F(GroupOrder, ARefusalOfAJoinedGuestIsTheUsersAtOnce) {
  shop.shop->change(join("g", "u"));
  shop.event("a", "", "item-1", "purchase", "g");
  EXPECT_EQ(support("u", ""), 1);
  shop.shop->change(consent("", "g", false));
  expect_support({{"u", 0}}, 0);
}

TEST_F(GroupOrder, WhatAChangeThatFailedSaidIsNotSo) {
  Change bad = join("g", "u");
  bad.consents.push_back({"v", "", false});
  bad.joins.push_back({"", "u", true});  // the store refuses a join without a guest
  Change known = shop.event_change("e3", "v", "item-3", "identify", "h");
  known.joins.push_back({"h", "v", true, {0, false}});
  together({bad, shop.event_change("e1", "", "item-1", "purchase", "g"), shop.event_change("e2", "v", "item-2"), known},
           0);
  EXPECT_EQ(shop.shop->store().joins(), (std::map<std::string, std::string>{{"h", "v"}}));
  const auto rows = [&](const std::string& user, const std::string& guest) {
    return shop.shop->store().history(user, guest, 10, ShopStore::kAllTime).size();
  };
  EXPECT_EQ(rows("u", ""), 0);
  EXPECT_EQ(rows("", "g"), 1);
  EXPECT_EQ(rows("v", ""), 2);
}

TEST_F(GroupOrder, AClockThatIsSetBackTakesNoEventBack) {
  shop.event("a", "u", "item-1");
  EXPECT_EQ(support("u", ""), 1);
  shop.now -= kDay;
  EXPECT_EQ(support("u", ""), 1);
  shop.event("b", "u", "item-2");
  EXPECT_EQ(support("u", ""), 2);
}

}  // namespace
}  // namespace fewshop
