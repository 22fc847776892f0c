#include "online/shop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "online/live_shop.h"
#include "task/answer.h"

namespace fewshop {
namespace {

using ::testing::Contains;
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
