#include "online/shop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "online/live_shop.h"
#include "task/answer.h"

namespace fewshop {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LiveShop;
using ::testing::Not;

TEST(Shop, AnEventChangesTheNextAnswer) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  EXPECT_EQ(live.recommend("u").support, 0);
  live.event("e1", "u", "item-3");
  const auto after = live.recommend("u");
  EXPECT_EQ(after.support, 1);
  EXPECT_THAT(LiveShop::ids(after), Not(Contains("item-3")));  // what is in the support is no answer
}

TEST(Shop, AnswersAreThoseOfTheModelForTheSameRows) {
  LiveShop live(900);
  live.put_items();
  live.publish("1");
  for (int i = 0; i < 5; ++i) {
    live.event("e" + std::to_string(i), "u", "item-" + std::to_string(7 * i), i % 2 ? "view_item" : "purchase");
    live.now += kDay;
  }
  const auto model = Model::load(live.folder / "bundle-1");
  TextRows rows;
  rows.place = "support";
  rows.columns = {"item_id", "event", "time"};
  for (int i = 0; i < 5; ++i)
    rows.rows.push_back(
        {"item-" + std::to_string(7 * i), i % 2 ? "view_item" : "purchase", format_time(live.now - (5 - i) * kDay)});
  const auto expected = recommend(*model, "u", task_input(*model, rows, {}, live.now), {.count = 10, .explain = true});
  ListRequest request;
  request.explain = true;
  const auto answer = live.recommend("u", request);
  ASSERT_EQ(answer.items.size(), 10);
  EXPECT_EQ(answer.served, expected.served);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(answer.items[i].id, expected.items[i].item);
    EXPECT_FLOAT_EQ(answer.items[i].score, expected.items[i].score);
    EXPECT_FLOAT_EQ(answer.items[i].low, expected.items[i].low);
    double sum = answer.items[i].prior, size = std::abs(answer.items[i].prior);
    ASSERT_EQ(answer.items[i].reasons.size(), 5);
    for (const auto& reason : answer.items[i].reasons) {
      sum += reason.contribution;
      size += std::abs(reason.contribution);
      EXPECT_EQ(reason.item_id, "item-" + std::to_string(7 * reason.row));
    }
    EXPECT_NEAR(sum, answer.items[i].score, 1e-6 * size);
  }
}

TEST(Shop, AnEventCountsOnceHoweverOftenItIsSent) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  EXPECT_EQ(live.event("e1", "u", "item-1").accepted, 1);
  EXPECT_EQ(live.event("e1", "u", "item-1").duplicates, 1);
  Change twice = live.event_change("e2", "u", "item-2");
  twice.events.push_back(twice.events.front());
  EXPECT_EQ(live.shop->change(std::move(twice)).accepted, 1);
  EXPECT_EQ(live.recommend("u").support, 2);
  live.open();
  live.publish("1");
  EXPECT_EQ(live.event("e1", "u", "item-1").duplicates, 1);
  EXPECT_EQ(live.recommend("u").support, 2);
}

TEST(Shop, EverythingIsThereAfterANewStart) {
  LiveShop live;
  live.put_items();
  live.event("e1", "u", "item-1");
  live.event("e2", "u", "item-44");
  const auto popular = LiveShop::ids(live.shop->popular({.n = 2}));
  live.open();
  live.publish("1");
  EXPECT_EQ(live.recommend("u").support, 2);
  EXPECT_EQ(LiveShop::ids(live.shop->popular({.n = 2})), popular);
}

TEST(Shop, AGuestWhoIsJoinedBringsItsEventsAndTakesThemAwayAgain) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  live.event("e1", "", "item-1", "view_item", "guest");
  const auto support = [&](const Asker& asker) {
    return live.shop->recommend(live.shop->model_or_null(""), asker, {}).support;
  };
  EXPECT_EQ(support({"", "guest", std::nullopt}), 1);
  EXPECT_EQ(support({"u", "", std::nullopt}), 0);
  Change join;
  join.joins.push_back({"guest", "u", true});
  live.shop->change(join);
  EXPECT_EQ(support({"u", "", std::nullopt}), 1);
  EXPECT_EQ(support({"", "guest", std::nullopt}), 1);  // the guest is the user
  live.event("e2", "", "item-2", "view_item", "guest");
  EXPECT_EQ(support({"u", "", std::nullopt}), 2);
  join.joins[0].join = false;
  live.shop->change(join);
  EXPECT_EQ(support({"u", "", std::nullopt}), 0);
  EXPECT_EQ(support({"", "guest", std::nullopt}), 2);
}

TEST(Shop, WhoRefusesPersonalizationIsANewcomerAndComesBackWhenItIsGiven) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  live.event("e1", "u", "item-1");
  Change refuse;
  refuse.consents.push_back({"u", "", false});
  live.shop->change(refuse);
  EXPECT_EQ(live.recommend("u").support, 0);
  live.event("e2", "u", "item-2");  // stored without the user
  EXPECT_EQ(live.recommend("u").support, 0);
  EXPECT_TRUE(live.shop->store().has_event("e2"));
  refuse.consents[0].given = true;
  live.shop->change(refuse);
  EXPECT_EQ(live.recommend("u").support, 1);  // what came while it was refused is nobody's
}

TEST(Shop, AForgottenUserIsExactlyANewcomer) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  const auto newcomer = live.recommend("somebody");
  live.event("e1", "u", "item-1");
  live.event("e2", "", "item-2", "view_item", "guest");
  Change join;
  join.joins.push_back({"guest", "u", true});
  live.shop->change(join);
  Change forget;
  forget.forgotten_users.push_back("u");
  const auto outcome = live.shop->change(forget);
  EXPECT_EQ(outcome.removed.at("events"), 2);
  const auto answer = live.recommend("u");
  EXPECT_EQ(answer.support, 0);
  EXPECT_EQ(LiveShop::ids(answer), LiveShop::ids(newcomer));
  for (size_t i = 0; i < answer.items.size(); ++i) EXPECT_EQ(answer.items[i].score, newcomer.items[i].score);
}

TEST(Shop, PopularityIsWhatANewStartCounts) {
  LiveShop live;
  live.put_items();
  live.event("e1", "u", "item-1");
  live.event("e2", "u", "item-1");
  live.event("e3", "v", "item-1");
  live.event("e4", "v", "item-2");
  live.event("e5", "", "item-3", "view_item", "guest");
  const auto both = [&] {
    const auto scores = [&] {
      std::map<std::string, double> scores;
      for (const auto& item : live.shop->popular({.n = 100}).items) scores[item.id] = item.score;
      return scores;
    };
    const auto running = scores();
    live.open();
    EXPECT_EQ(running, scores());
    return running;
  };
  EXPECT_EQ(both().at("item-1"), 3);
  Change change;
  change.deleted_feedback.push_back({"purchase", "v", "item-2"});
  live.shop->change(change);
  EXPECT_EQ(both().at("item-2"), 0);
  change = {};
  change.overwritten_feedback = live.event_change("e6", "u", "item-1").events;
  live.shop->change(change);
  EXPECT_EQ(both().at("item-1"), 2);
  change = {};
  change.joins.push_back({"guest", "u", true});
  live.shop->change(change);
  change = {};
  change.consents.push_back({"u", "", false});
  live.shop->change(change);
  EXPECT_EQ(both().at("item-1"), 1);
  change.consents[0].given = true;
  live.shop->change(change);
  EXPECT_EQ(both().at("item-3"), 1);
  change = {};
  change.forgotten_users.push_back("u");
  live.shop->change(change);
  const auto after = both();
  EXPECT_EQ(after.at("item-1"), 1);
  EXPECT_EQ(after.at("item-3"), 0);
}

double popularity(LiveShop& live, const std::string& item) {
  for (const auto& entry : live.shop->popular({.n = 1000}).items)
    if (entry.id == item) return entry.score;
  return -1;
}

TEST(Shop, ADuplicateThatIsTooOldToBeRememberedCountsOnceInTheEnd) {
  LiveShop live;
  live.recent_ids = 10;
  live.open();
  live.put_items();
  live.publish("1");
  live.event("old", "u", "item-1");
  for (int i = 0; i < 30; ++i) live.event("e" + std::to_string(i), "v", "item-2");
  EXPECT_EQ(live.recommend("u").support, 1);
  live.now += kDay;  // sent again without a time of its own: it gets that of now
  EXPECT_EQ(live.event("old", "u", "item-1").accepted, 1);
  EXPECT_EQ(live.recommend("u").support, 1);
  while (live.shop->queued() > 0) std::this_thread::yield();
  live.event("last", "v", "item-2");  // what was indexed has been counted when the next change is done
  EXPECT_EQ(popularity(live, "item-1"), 1);
  EXPECT_EQ(live.recommend("u").support, 1);
  live.open();
  live.publish("1");
  EXPECT_EQ(popularity(live, "item-1"), 1);
  EXPECT_EQ(live.recommend("u").support, 1);
}

TEST(Shop, ADuplicateOfARowThatMemoryHasNoRoomForGoesWhenItIsIndexed) {
  LiveShop live;
  live.recent_ids = 10;
  live.rows.rows_per_key = 5;
  live.open();
  live.put_items();
  live.publish("1");
  live.event("old", "u", "item-1");
  for (int i = 0; i < 30; ++i) live.event("e" + std::to_string(i), "u", "item-" + std::to_string(10 + i));
  const auto before = live.recommend("u");
  live.now += kDay;
  EXPECT_EQ(live.event("old", "u", "item-1").accepted, 1);
  while (live.shop->queued() > 0) std::this_thread::yield();
  live.event("last", "v", "item-2");
  const auto after = live.recommend("u");
  EXPECT_EQ(LiveShop::ids(after), LiveShop::ids(before));
  EXPECT_EQ(popularity(live, "item-1"), 1);
}

TEST(Shop, AFutureEventIsPopularWhenItsTimeHasCome) {
  LiveShop live;
  live.put_items();
  Change change = live.event_change("e1", "u", "item-1");
  change.events[0].time = live.now + 600 * kSecond;
  live.shop->change(std::move(change));
  for (const bool again : {false, true}) {
    if (again) live.open();
    EXPECT_EQ(popularity(live, "item-1"), 0) << again;
  }
  live.now += 601 * kSecond;
  live.event("e2", "v", "item-2");
  live.event("e3", "v", "item-2");
  EXPECT_EQ(popularity(live, "item-1"), 1);
  live.open();
  EXPECT_EQ(popularity(live, "item-1"), 1);
}

TEST(Shop, AFutureEventCountsWhenItsTimeHasCome) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  Change change = live.event_change("e1", "u", "item-1");
  change.events[0].time = live.now + 600 * kSecond;
  live.shop->change(std::move(change));
  EXPECT_EQ(live.recommend("u").support, 0);
  live.now += 601 * kSecond;
  EXPECT_EQ(live.recommend("u").support, 1);
  live.open();
  live.publish("1");
  EXPECT_EQ(live.recommend("u").support, 1);
}

TEST(Shop, ANewItemIsRecommendedByItsContentWithAWiderInterval) {
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

TEST(Shop, HiddenDeletedAndShownItemsTakeEffectAtOnce) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  ListRequest all;
  all.n = 1000;
  const auto first = LiveShop::ids(live.recommend("u", all));
  ASSERT_EQ(first.size(), 50);
  Change hide;
  hide.item_patches.emplace_back(first[0], nlohmann::json{{"hidden", true}});
  live.shop->change(hide);
  EXPECT_THAT(LiveShop::ids(live.recommend("u", all)), Not(Contains(first[0])));
  EXPECT_THAT(LiveShop::ids(live.shop->popular(all)), Not(Contains(first[0])));
  hide.item_patches[0].second = {{"hidden", false}};
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

TEST(Shop, AChangedItemIsScoredAsOneThatCameSo) {
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
  patch.item_patches.emplace_back("a", nlohmann::json{{"labels", {{"colour", "blue"}}}});
  live.shop->change(patch);
  EXPECT_NEAR(score("a"), score("b"), 1e-5);
}

TEST(Shop, WhatAFilterLeavesFollowsTheItems) {
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

TEST(Shop, AnIndexIsBuiltBehindTheAnswersAndFollowsTheItems) {
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
    change.item_patches.emplace_back(first, nlohmann::json{{"hidden", hidden}});
    live.shop->change(std::move(change));
  };
  hide(true);
  EXPECT_THAT(LiveShop::ids(live.recommend("u1")), Not(Contains(first)));
  hide(false);
  EXPECT_THAT(LiveShop::ids(live.recommend("u1")), Contains(first));
}

TEST(Shop, RulesHoldInsideTheSearch) {
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
  hide.item_patches.emplace_back("item-801", nlohmann::json{{"hidden", true}});
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

TEST(Shop, AFilterReadsItemsAndNothingElse) {
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

TEST(Shop, FiltersFollowChangesOfItems) {
  LiveShop live;
  live.put_items();
  ListRequest request;
  request.n = 100;
  request.filter = "price < 2";
  EXPECT_EQ(live.shop->latest(request).items.size(), 2);
  Change change;
  change.item_patches.emplace_back("item-40", nlohmann::json{{"labels", {{"price", 1}}}});
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

TEST(Shop, WhatTheSamePeopleHadToDoWith) {
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

TEST(Shop, ASwapOfModelsFailsAndMixesNothing) {
  LiveShop live(200);
  live.put_items();
  live.publish("one");
  for (int i = 0; i < 5; ++i) live.event("e" + std::to_string(i), "u", "item-" + std::to_string(i));
  std::map<std::string, std::vector<std::string>> of_version;
  for (const char* version : {"one", "two"}) {
    live.publish(version);
    of_version[version] = LiveShop::ids(live.recommend("u"));
  }
  ASSERT_NE(of_version["one"], of_version["two"]);
  std::atomic<bool> stop = false;
  std::atomic<int> asked = 0, wrong = 0;
  std::vector<std::jthread> askers;
  for (int t = 0; t < 2; ++t)
    askers.emplace_back([&] {
      while (!stop) {
        try {
          const auto reply = live.recommend("u");
          wrong += LiveShop::ids(reply) != of_version.at(reply.version);
        } catch (...) {
          ++wrong;
        }
        ++asked;
      }
    });
  for (int swap = 0; swap < 20; ++swap)
    live.shop->publish(swap % 2 ? "one" : "two", live.folder / (swap % 2 ? "bundle-one" : "bundle-two"));
  while (asked < 500) std::this_thread::yield();
  stop = true;
  askers.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(Shop, EventsOfManyThreadsAreAllThere) {
  LiveShop live;
  live.put_items();
  live.publish("1");
  constexpr int kThreads = 4, kEach = 100;
  {
    std::vector<std::jthread> senders;
    for (int t = 0; t < kThreads; ++t)
      senders.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const std::string user = "u" + std::to_string(i % 7);
          live.event(std::to_string(t) + "-" + std::to_string(i), user, "item-" + std::to_string(i % 50));
          if (i % 10 == 0) live.recommend(user);
        }
      });
  }
  int32_t rows = 0;
  for (int u = 0; u < 7; ++u) {
    ListRequest request;
    request.include_seen = true;
    rows += live.recommend("u" + std::to_string(u), request).support;
  }
  EXPECT_EQ(rows, kThreads * kEach);
}

TEST(Shop, AModelWithoutLiveIsRefusedNamingThePart) {
  LiveShop live;
  testing::small_model()->save(live.folder / "dead", nlohmann::json::object(), nlohmann::json::object());
  try {
    live.shop->publish("1", live.folder / "dead");
    FAIL();
  } catch (const InvalidInput& problem) {
    EXPECT_THAT(problem.what(), HasSubstr("[live]"));
  }
  EXPECT_THROW(live.shop->model("small-ranking"), InvalidInput);
}

TEST(Shop, OneBadChangeFailsAlone) {
  LiveShop live;
  Change bad;
  bad.joins.push_back({"", "u", true});  // the store refuses a join without a guest
  std::atomic<int> done = 0, failed = 0;
  for (int i = 0; i < 20; ++i) {
    Change change = i == 7 ? bad : live.event_change("e" + std::to_string(i), "u", "item-1");
    live.shop->submit(std::move(change), [&](const Outcome& outcome) {
      failed += !outcome.error.empty();
      ++done;
    });
  }
  while (done < 20) std::this_thread::yield();
  EXPECT_EQ(failed, 1);
  EXPECT_TRUE(live.shop->store().has_event("e19"));
}

}  // namespace
}  // namespace fewshop
