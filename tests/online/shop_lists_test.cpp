// Items and lists of a shop: how items take effect, filters and the other rules of lists.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <thread>

#include "online/live_shop.h"
#include "online/shop.h"

namespace fewshop {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::LiveShop;
using ::testing::Not;

TEST(ShopLists, ANewItemIsRecommendedByItsContentWithAWiderInterval) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  live.event("e1", "u", "item-1");
  live.event("e2", "u", "brand-new");  // known by being named
  Change change;
  ItemRecord item;
  item.item_id = "next";
  item.labels = {{"colour", "red"}};
  change.items.push_back(item);
  live.shop->change(change);
  const auto scores =
      live.shop->score(*live.shop->model(""), {"u", "", std::nullopt}, {"next", "brand-new", "never heard of"}, false);
  ASSERT_EQ(scores.items.size(), 3);
  const auto width = [](const ListReply::Item& item) { return item.high - item.low; };
  // The head has a prior variance of 1 in each direction: what is known of an item is at most as uncertain as its
  // vector is long. A new item's own part is not known, so that its interval is the wider, with or without features.
  const auto known =
      live.shop->score(*live.shop->model(""), {"u", "", std::nullopt}, {"item-1", "item-2", "item-3", "item-4"}, false);
  for (const auto& item : known.items) {
    EXPECT_GT(width(scores.items[0]), width(item));
    EXPECT_GT(width(scores.items[1]), width(item));
  }
  ListRequest all;
  all.n = 1000;
  EXPECT_THAT(LiveShop::ids(live.recommend("u", all)), Contains("next"));
}

TEST(ShopLists, ScoresAsOfATimeHaveAllRowsUpToThen) {
  LiveShop live;
  live.rows.rows_per_key = 2;  // in memory
  live.open();
  live.put_items();
  live.publish("1");
  for (int i = 1; i <= 5; ++i) {
    live.now += kDay;
    live.event("e" + std::to_string(i), "u", "item-" + std::to_string(i));
  }
  const auto support = [&](std::optional<Micros> at) {
    return live.shop->score(*live.shop->model(""), {"u", "", std::nullopt}, {"item-9"}, false, at).support;
  };
  const Micros now = live.now;
  EXPECT_EQ(support(std::nullopt), 2);
  EXPECT_EQ(support(now - 2 * kDay), 2) << "of the second and the third event, which memory has no more";
  EXPECT_EQ(support(now - 4 * kDay), 1);
  EXPECT_EQ(support(now - 5 * kDay), 0);
}

TEST(ShopLists, HiddenDeletedAndShownItemsTakeEffectAtOnce) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  ListRequest all;
  all.n = 1000;
  const auto first = LiveShop::ids(live.recommend("u", all));
  ASSERT_EQ(first.size(), 50);
  Change hide;
  hide.item_patches.push_back({first[0], nlohmann::json{{"hidden", true}}});
  live.shop->change(hide);
  EXPECT_THAT(LiveShop::ids(live.recommend("u", all)), Not(Contains(first[0])));
  EXPECT_THAT(LiveShop::ids(live.shop->popular(all)), Not(Contains(first[0])));
  hide.item_patches[0].changes = {{"hidden", false}};
  live.shop->change(hide);
  EXPECT_EQ(LiveShop::ids(live.recommend("u", all)), first);
  Change remove;
  remove.deleted_items.push_back(first[1]);
  live.event("e1", "v", first[1]);
  EXPECT_EQ(live.recommend("v", all).support, 1);
  live.shop->change(remove);
  EXPECT_THAT(LiveShop::ids(live.recommend("u", all)), Not(Contains(first[1])));
  EXPECT_EQ(live.recommend("v", all).support, 0);
}

TEST(ShopLists, AChangedItemIsScoredAsOneThatCameSo) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  live.event("e1", "u", "item-1");
  Change change;
  for (const char* id : {"a", "b"}) {
    ItemRecord item;
    item.item_id = id;
    item.labels = {{"colour", id == std::string("a") ? "red" : "blue"}};
    change.items.push_back(item);
  }
  live.shop->change(change);
  const auto score = [&](const std::string& id) {
    return live.shop->score(*live.shop->model(""), {"u", "", std::nullopt}, {id}, false).items[0].score;
  };
  ASSERT_NE(score("a"), score("b"));
  Change patch;
  patch.item_patches.push_back({"a", nlohmann::json{{"labels", {{"colour", "blue"}}}}});
  live.shop->change(patch);
  EXPECT_NEAR(score("a"), score("b"), 1e-5);
}

TEST(ShopLists, WhatAFilterLeavesFollowsTheItems) {
  LiveShop live(900);
  live.put_items();
  live.publish("1");
  live.event("e1", "u", "item-1");
  ListRequest request;
  request.n = 20;
  request.filter = "price >= 860 and colour = 'red'";
  const auto passing = [&] {
    const auto ids = LiveShop::ids(live.recommend("u", request));
    return std::set(ids.begin(), ids.end());
  };
  const auto put = [&](const std::string& id, int price, bool hidden = false) {
    ItemRecord item;
    item.item_id = id;
    item.labels = {{"colour", "red"}, {"price", price}};
    item.hidden = hidden;
    Change change;
    change.items.push_back(std::move(item));
    live.shop->change(std::move(change));
  };
  const auto before = passing();
  ASSERT_EQ(before.size(), 13);
  put("new", 900);
  auto expected = before;
  expected.insert("new");
  EXPECT_EQ(passing(), expected);
  put("cheap", 1);
  EXPECT_EQ(passing(), expected);
  put("cheap", 861);
  expected.insert("cheap");
  EXPECT_EQ(passing(), expected);
  put("item-870", 1);
  expected.erase("item-870");
  EXPECT_EQ(passing(), expected);
  put("new", 900, true);
  expected.erase("new");
  EXPECT_EQ(passing(), expected);
}

TEST(ShopLists, AnIndexIsBuiltBehindTheAnswersAndFollowsTheItems) {
  constexpr int kItems = 12'000;
  LiveShop live(kItems);
  live.index_from = 10'000;
  live.centres = 60;
  live.open();
  live.put_items();
  for (int u = 0; u < 100; ++u)
    for (int e = 0; e < 3; ++e)
      live.event("e" + std::to_string(u) + "-" + std::to_string(e), "u" + std::to_string(u),
                 "item-" + std::to_string((u * 60 + e * 600) % kItems));
  live.publish("1");
  const auto report = [&] { return live.shop->models()[0]->index_report(); };
  for (int i = 0; i < 6000 && !report(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(report());
  ASSERT_TRUE(report()->used) << "recall " << report()->recall << ", read " << report()->read;
  EXPECT_GE(report()->recall, 0.99);
  EXPECT_FALSE(live.shop->shares(live.shop->models()[0]))
      << "lists of 1,000 items and more, but nothing to read together";
  // Lists of the whole stack are (nearly) what they were when everything was read.
  int64_t same = 0, wanted = 0;
  ListRequest all;
  all.boosts = {{"price < 0", 0}};  // with a boost every item is scored
  for (int u = 0; u < 100; ++u) {
    const auto user = "u" + std::to_string(u);
    const auto best = LiveShop::ids(live.recommend(user, all)), found = LiveShop::ids(live.recommend(user));
    ASSERT_EQ(found.size(), 10);
    wanted += std::ssize(best);
    for (const auto& id : best) same += std::count(found.begin(), found.end(), id);
  }
  EXPECT_GE(static_cast<double>(same), 0.98 * static_cast<double>(wanted));
  // A hidden item leaves the next list, and comes back.
  const auto first = LiveShop::ids(live.recommend("u1"))[0];
  const auto hide = [&](bool hidden) {
    Change change;
    change.item_patches.push_back({first, nlohmann::json{{"hidden", hidden}}});
    live.shop->change(std::move(change));
  };
  hide(true);
  EXPECT_THAT(LiveShop::ids(live.recommend("u1")), Not(Contains(first)));
  hide(false);
  EXPECT_THAT(LiveShop::ids(live.recommend("u1")), Contains(first));
}

TEST(ShopLists, AListSaysWhetherTrainingHasSeenItsItems) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  ListRequest request;
  request.n = 5;
  EXPECT_FALSE(live.recommend("u", request).new_items);
  Change change;
  change.items.push_back({.item_id = "new"});
  live.shop->change(std::move(change));
  request.pins = {{"new", 0}};
  const ListReply with = live.recommend("u", request);
  EXPECT_EQ(with.items[0].id, "new");
  EXPECT_TRUE(with.new_items);
}

TEST(ShopLists, ListsThatAreAskedForTogetherAreThoseAskedForAlone) {
  LiveShop live(2000);
  live.put_items();
  live.publish("1");
  for (int u = 0; u < 9; ++u)
    for (int e = 0; e < u; ++e)
      live.event("e" + std::to_string(u) + "-" + std::to_string(e), "u" + std::to_string(u),
                 "item-" + std::to_string(37 * u + e));
  const auto model = live.shop->model("");
  ASSERT_TRUE(live.shop->shares(model));
  std::vector<Shop::ListQuestion> questions;
  for (int u = 0; u < 9; ++u) {
    ListRequest request;
    request.n = 5 + u;
    request.explain = u % 2 == 0;
    if (u == 2) request.filter = "price >= 500";
    if (u == 3) request.boosts = {{"price < 700", 1.0}};
    if (u == 4) request.caps = {{"no-such-column", 1}};
    if (u == 5) request.caps = {{"colour", 2}};
    if (u == 6) request.diversity = 0.5;
    if (u == 7) request.include_seen = true;
    questions.push_back({u == 8 ? nullptr : model, {"u" + std::to_string(u), "", std::nullopt}, request});
  }
  const auto outcomes = live.shop->recommend(questions);
  ASSERT_EQ(outcomes.size(), questions.size());
  int shared = 0;
  for (size_t q = 0; q < questions.size(); ++q) {
    SCOPED_TRACE(q);
    if (q == 4) {
      EXPECT_THROW(std::rethrow_exception(outcomes[q].error), InvalidInput);
      continue;
    }
    ASSERT_FALSE(outcomes[q].error);
    const ListReply alone = live.shop->recommend(questions[q].model, questions[q].asker, questions[q].request);
    const ListReply& together = outcomes[q].reply;
    EXPECT_FALSE(alone.shared);
    shared += together.shared;
    EXPECT_EQ(together.served, alone.served);
    EXPECT_EQ(together.support, alone.support);
    ASSERT_EQ(LiveShop::ids(together), LiveShop::ids(alone));
    for (size_t i = 0; i < alone.items.size(); ++i) {
      EXPECT_EQ(together.items[i].score, alone.items[i].score);
      EXPECT_EQ(together.items[i].low, alone.items[i].low);
      EXPECT_EQ(together.items[i].prior, alone.items[i].prior);
      EXPECT_EQ(together.items[i].reasons.size(), alone.items[i].reasons.size());
    }
  }
  EXPECT_EQ(shared, 4);  // 0 to 3: the question at fault parts its four
}

TEST(ShopLists, RulesHoldInsideTheSearch) {
  LiveShop live(900);
  live.put_items();
  live.publish("1");
  live.event("e1", "u", "item-1");
  ListRequest request;
  request.n = 20;
  request.filter = "price >= 860 and colour = 'red'";  // 13 items of 900
  const auto filtered = LiveShop::ids(live.recommend("u", request));
  EXPECT_EQ(std::set(filtered.begin(), filtered.end()).size(), 13);
  request.filter.clear();
  request.category = "odd";
  for (const auto& id : LiveShop::ids(live.recommend("u", request))) EXPECT_EQ(std::stoi(id.substr(5)) % 2, 1) << id;
  request.category.clear();
  request.n = 9;
  request.caps = {{"colour", 3}};
  std::map<int, int> colours;
  for (const auto& id : LiveShop::ids(live.recommend("u", request))) ++colours[std::stoi(id.substr(5)) % 3];
  EXPECT_EQ(colours, (std::map<int, int>{{0, 3}, {1, 3}, {2, 3}}));
  request.caps.clear();
  const auto plain = LiveShop::ids(live.recommend("u", request));
  request.exclude = {plain[0], plain[2]};
  const auto without = LiveShop::ids(live.recommend("u", request));
  EXPECT_EQ(without.size(), 9);
  EXPECT_EQ(without[0], plain[1]);
  EXPECT_EQ(without[1], plain[3]);
  request.exclude.clear();
  request.pins = {{"item-800", 0}, {plain[0], 2}};
  const auto pinned = LiveShop::ids(live.recommend("u", request));
  EXPECT_EQ(pinned.size(), 9);
  EXPECT_EQ(pinned[0], "item-800");
  EXPECT_EQ(pinned[2], plain[0]);
  // An item has one place, and a pin does not bring back what may not be shown.
  request.pins = {{plain[1], 0}, {plain[1], 1}, {plain[2], 2}, {"item-801", 3}};
  request.exclude = {plain[2]};
  Change hide;
  hide.item_patches.push_back({"item-801", nlohmann::json{{"hidden", true}}});
  live.shop->change(hide);
  const auto once = LiveShop::ids(live.recommend("u", request));
  EXPECT_EQ(once[0], plain[1]);
  EXPECT_EQ(std::set(once.begin(), once.end()).size(), once.size());
  EXPECT_THAT(once, Not(Contains(plain[2])));
  EXPECT_THAT(once, Not(Contains("item-801")));
  request.exclude.clear();
  request.pins.clear();
  request.boosts = {{"price = 333", 50}};
  EXPECT_EQ(LiveShop::ids(live.recommend("u", request))[0], "item-333");
  request.boosts = {{"price <> 333", 50}};  // everything else: nothing moves
  EXPECT_EQ(LiveShop::ids(live.recommend("u", request)), plain);
  request.boosts.clear();
  request.diversity = 0.9;
  EXPECT_NE(LiveShop::ids(live.recommend("u", request)), plain);
  request.diversity = 0;
  request.offset = 3;
  EXPECT_EQ(LiveShop::ids(live.recommend("u", request))[0], plain[3]);
}

/// Ids of all pages of a list.
std::vector<std::string> pages(ListRequest request, int most, const std::function<ListReply(const ListRequest&)>& ask) {
  std::vector<std::string> all;
  for (request.offset = 0; std::ssize(all) < most; request.offset += request.n) {
    const auto page = LiveShop::ids(ask(request));
    all.insert(all.end(), page.begin(), page.end());
    if (std::ssize(page) < request.n) break;
  }
  return all;
}

TEST(ShopLists, PagesOfADiverseListShareNoItem) {
  LiveShop live(300);
  live.put_items();
  live.publish("1");
  live.event("e1", "u", "item-1");
  for (const std::string cap : {"", "colour"}) {
    ListRequest request;
    request.n = 5;
    request.diversity = 0.5;
    if (!cap.empty()) request.caps = {{cap, 30}};
    const auto recommend = [&](const ListRequest& page) { return live.recommend("u", page); };
    const auto all = pages(request, 1000, recommend);
    EXPECT_EQ(all.size(), cap.empty() ? 299 : 90);
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size());
    const auto popular = pages(request, 1000, [&](const ListRequest& page) { return live.shop->popular(page); });
    EXPECT_EQ(popular.size(), cap.empty() ? 300 : 90);
    EXPECT_EQ(std::set(popular.begin(), popular.end()).size(), popular.size());
  }
}

TEST(ShopLists, DiversityIsOfEveryListWhereAModelSaysHowAlikeItemsAre) {
  LiveShop live(300);
  live.put_items();
  for (int i = 0; i < 40; ++i) live.event("e" + std::to_string(i), "u", "item-" + std::to_string(i * i % 300));
  ListRequest plain, diverse;
  diverse.diversity = 0.9;
  const auto lists = [&](const ListRequest& request) {
    return std::vector{live.shop->popular(request), live.shop->latest(request), live.shop->also("item-1", request)};
  };
  // Nobody knows what is like what.
  for (size_t l = 0; l < 3; ++l) EXPECT_EQ(LiveShop::ids(lists(diverse)[l]), LiveShop::ids(lists(plain)[l]));
  live.publish("1");
  auto before = lists(plain), after = lists(diverse);
  before.push_back(live.shop->similar(*live.shop->model(""), "item-1", plain));
  after.push_back(live.shop->similar(*live.shop->model(""), "item-1", diverse));
  for (size_t l = 0; l < before.size(); ++l) {
    SCOPED_TRACE(l);
    ASSERT_EQ(after[l].items.size(), 10);
    EXPECT_EQ(after[l].items[0].id, before[l].items[0].id);
    EXPECT_NE(LiveShop::ids(after[l]), LiveShop::ids(before[l]));
    EXPECT_TRUE(
        std::any_of(after[l].items.begin(), after[l].items.end(), [](const auto& i) { return i.diversity < 0; }));
  }
}

TEST(ShopLists, ACapCountsEachOfSeveralValues) {
  LiveShop live;
  Change change;
  for (int i = 0; i < 30; ++i) {
    ItemRecord item{.item_id = "i" + std::to_string(i)};
    item.categories = {"kind" + std::to_string(i % 3), "tag" + std::to_string(i % 5), "tag" + std::to_string(i % 5)};
    change.items.push_back(std::move(item));
  }
  change.items.push_back({.item_id = "none"});
  live.shop->change(std::move(change));
  for (const char* column : {"categories", "category"}) {
    ListRequest request;
    request.n = 100;
    request.caps = {{column, 2}};
    for (int round = 0; round < 2; ++round) {
      std::map<std::string, int> count;
      const auto list = LiveShop::ids(live.shop->latest(request));
      for (const auto& id : list) {
        if (id == "none") continue;
        ++count["kind" + std::to_string(std::stoi(id.substr(1)) % 3)];
        ++count["tag" + std::to_string(std::stoi(id.substr(1)) % 5)];
      }
      for (const auto& [value, n] : count) EXPECT_LE(n, 2) << value;
      EXPECT_EQ(count.at("kind0") + count.at("kind1") + count.at("kind2"), 6);
      EXPECT_THAT(list, Contains("none"));
      // An item that changes counts for what it is now.
      Change other;
      other.item_patches.push_back({list[0], {{"categories", {"elsewhere"}}}});
      live.shop->change(std::move(other));
      const auto changed = LiveShop::ids(live.shop->latest(request));
      EXPECT_EQ(changed.size(), list.size() + 1);
      other = {};
      const int number = std::stoi(list[0].substr(1));
      other.item_patches.push_back(
          {list[0], {{"categories", {"kind" + std::to_string(number % 3), "tag" + std::to_string(number % 5)}}}});
      live.shop->change(std::move(other));
    }
  }
  ListRequest request;
  request.caps = {{"no-such-column", 1}};
  EXPECT_THROW(live.shop->latest(request), InvalidInput);
}

TEST(ShopLists, PinsCountInCaps) {
  LiveShop live(900);
  live.put_items();
  live.publish("1");
  ListRequest request;
  request.n = 9;
  request.caps = {{"colour", 3}};
  request.pins = {{"item-800", 0}, {"item-803", 1}, {"no-such-item", 1}};
  for (const auto& list : {live.recommend("u", request), live.shop->popular(request)}) {
    std::map<int, int> colours;
    for (const auto& id : LiveShop::ids(list)) ++colours[std::stoi(id.substr(5)) % 3];
    EXPECT_EQ(colours, (std::map<int, int>{{0, 3}, {1, 3}, {2, 3}}));
    EXPECT_EQ(list.items[0].id, "item-800");
  }
}

TEST(ShopLists, AFilterReadsItemsAndNothingElse) {
  LiveShop live;
  live.put_items();
  for (const char* bad : {"exists (select 1 from users)", "1) union select user_id from users where (1", "price <",
                          "price < 20) or (1 = 1", "price < 20 limit 1", "price < 20 order by price",
                          "load_extension('x')", "price; drop table items",
                          "(with recursive t(n) as (select 1 union all "
                          "select n + 1 from t) select max(n) from t) > 0",
                          "?", ""}) {
    ListRequest request;
    request.filter = bad;
    if (*bad == 0) continue;
    EXPECT_THROW(live.shop->popular(request), InvalidInput) << bad;
  }
}

TEST(ShopLists, FiltersFollowChangesOfItems) {
  LiveShop live;
  live.put_items();
  ListRequest request;
  request.n = 100;
  request.filter = "price < 2";
  EXPECT_EQ(live.shop->latest(request).items.size(), 2);
  Change change;
  change.item_patches.push_back({"item-40", nlohmann::json{{"labels", {{"price", 1}}}}});
  live.shop->change(change);
  EXPECT_THAT(LiveShop::ids(live.shop->latest(request)), Contains("item-40"));
  change = {};
  for (int i = 0; i < 200; ++i) {
    ItemRecord item;
    item.item_id = "more-" + std::to_string(i);
    item.labels = {{"price", i}};
    change.items.push_back(std::move(item));
  }
  live.shop->change(change);
  EXPECT_EQ(live.shop->latest(request).items.size(), 5);  // 0, 1, 40, and two more
}

TEST(ShopLists, WhatTheSamePeopleHadToDoWith) {
  LiveShop live;
  live.put_items();
  for (int u = 0; u < 5; ++u) {
    const std::string user = "u" + std::to_string(u), n = std::to_string(u);
    live.event("a" + n, user, "item-1");
    live.event("b" + n, user, "item-2");
    if (u < 2) live.event("c" + n, user, "item-3");
    live.event("d" + n, user + "x", "item-4");
  }
  const auto also = live.shop->also("item-1", {});
  EXPECT_THAT(LiveShop::ids(also), ElementsAre("item-2", "item-3"));
  EXPECT_EQ(live.shop->similar_users("u0", 10, 0).front().first, "u1");
  EXPECT_THROW(live.shop->also("no such item", {}), InvalidInput);
}

}  // namespace
}  // namespace fewshop
