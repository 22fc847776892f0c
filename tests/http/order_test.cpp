// An answer reflects every change that was acknowledged before it was asked for, whatever else goes on; and what is in
// memory in the end is what a new start reads.
#include <atomic>
#include <map>
#include <thread>

#include "core/random.h"
#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

int support_of(Client& client, const char* member, const std::string& who) {
  const Answer answer = client.post("/api/scenarios/small-ranking/predict",
                                    json{{"task", {{member, who}}}, {"query", {{{"item_id", "item-0"}}}}}.dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.status == 200 ? body_of(answer).at("support").get<int>() : -1;
}

void expect_ok(const Answer& answer) { EXPECT_EQ(answer.status, 200) << answer.body; }

bool lists(Client& client, const std::string& target, const std::string& item) {
  const Answer answer = client.get(target);
  expect_ok(answer);
  for (const json& one : body_of(answer))
    if ((one.is_object() ? one.at("Id") : one) == item) return true;
  return false;
}

void together(int threads, const std::function<void(int)>& run) {
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) running.emplace_back([&run, t] { run(t); });
  for (auto& thread : running) thread.join();
}

TEST(Order, EveryAnswerReflectsTheEventsOfItsUser) {
  ShopServe shop;
  together(8, [&](int t) {
    auto client = shop.client();
    const std::string user = "u" + std::to_string(t), guest = "g" + std::to_string(t);
    int events = 0, of_guest = 0;
    Random random(static_cast<uint64_t>(t));
    for (int i = 0; i < 40; ++i) {
      const std::string id = fmt::format("{}-{}", t, i), item = fmt::format("item-{}", random.below(50));
      switch (random.below(6)) {
        case 0:  // a guest, who joins
          for (int n = 0; n < 2; ++n)
            expect_ok(client->post("/api/events", json{{"event_id", id + "g" + std::to_string(n)},
                                                       {"event", "purchase"},
                                                       {"client_id", guest},
                                                       {"item_id", item}}
                                                      .dump()));
          of_guest += 2;
          EXPECT_EQ(support_of(*client, "client_id", guest), of_guest);
          expect_ok(
              client->post("/api/events", json{{"event", "identify"}, {"client_id", guest}, {"user_id", user}}.dump()));
          EXPECT_EQ(support_of(*client, "user_id", user), events + of_guest);
          EXPECT_EQ(support_of(*client, "client_id", guest), events + of_guest);
          expect_ok(
              client->post("/api/events", json{{"event", "identify"}, {"client_id", guest}, {"join", false}}.dump()));
          EXPECT_EQ(support_of(*client, "client_id", guest), of_guest);
          break;
        case 1: {  // feedback, and again
          const std::string feedback = json{{"FeedbackType", "view_item"},
                                            {"UserId", user},
                                            {"ItemId", item},
                                            {"Timestamp", fmt::format("2023-01-01T00:{:02}:{:02}Z", i, t)}}
                                           .dump();
          for (int n = 0; n < 2; ++n) expect_ok(client->post("/api/feedback", feedback));
          ++events;
          break;
        }
        case 2: {  // a batch of two new ones and an old one
          std::string body = "[" + event_body(id + "a", user, item) + "," + event_body(id + "b", user, item) + "," +
                             event_body(id + "a", user, item) + "]";
          expect_ok(client->post("/api/events", body));
          events += 2;
          break;
        }
        default:
          expect_ok(client->post("/api/events", event_body(id, user, item)));
          ++events;
      }
      EXPECT_EQ(support_of(*client, "user_id", user), events);
    }
  });
}

TEST(Order, SupportOfAUserWhomManyWriteAboutLiesBetweenAcknowledgedAndSent) {
  ShopServe shop;
  std::atomic<int> sent = 0, acknowledged = 0;
  together(6, [&](int t) {
    auto client = shop.client();
    for (int i = 0; i < 30; ++i) {
      ++sent;
      expect_ok(client->post("/api/events", event_body(fmt::format("{}-{}", t, i), "all", fmt::format("item-{}", i))));
      ++acknowledged;
      const int low = acknowledged;
      const int support = support_of(*client, "user_id", "all");
      const int high = sent;
      EXPECT_GE(support, low);
      EXPECT_LE(support, high);
    }
  });
}

TEST(Order, ItemsAppearHideAndGoAsTheyAreAcknowledged) {
  ShopServe shop;
  together(4, [&](int t) {
    auto client = shop.client();
    const std::string item = fmt::format("new-{}", t), path = "/api/item/" + item;
    for (int i = 0; i < 15; ++i) {
      expect_ok(client->post(
          "/api/item",
          json{{"ItemId", item}, {"Categories", {fmt::format("c{}", t)}}, {"Labels", {{"colour", "red"}, {"price", i}}}}
              .dump()));
      const std::vector<std::string> asked = {"/api/recommend/u1?n=100",
                                              fmt::format("/api/recommend/u1?n=100&category=c{}", t),
                                              fmt::format("/api/recommend/u1?n=100&filter=price%3D{}", i),
                                              "/api/popular?n=100", fmt::format("/api/latest?n=100&category=c{}", t)};
      for (const auto& target : asked) EXPECT_TRUE(lists(*client, target, item)) << target;
      expect_ok(client->request("PATCH", path, R"({"IsHidden":true})"));
      for (const auto& target : asked) EXPECT_FALSE(lists(*client, target, item)) << target;
      expect_ok(client->request("PATCH", path, R"({"IsHidden":false})"));
      EXPECT_TRUE(lists(*client, asked[0], item));
      expect_ok(client->request("PATCH", path, R"({"Labels":{"price":-1}})"));
      EXPECT_FALSE(lists(*client, asked[2], item));
      expect_ok(client->request("DELETE", path));
      for (const auto& target : asked) EXPECT_FALSE(lists(*client, target, item)) << target;
    }
  });
}

TEST(Order, CategoriesThatArePutAtOnceAreAllThere) {
  ShopServe shop;
  together(6, [&](int t) {
    auto client = shop.client();
    for (int i = 0; i < 10; ++i)
      expect_ok(client->request("PUT", fmt::format("/api/item/item-1/category/c{}-{}", t, i)));
    for (int i = 0; i < 10; i += 2)
      expect_ok(client->request("DELETE", fmt::format("/api/item/item-1/category/c{}-{}", t, i)));
  });
  const json item = body_of(shop.client()->get("/api/item/item-1"));
  EXPECT_EQ(item.at("Categories").size(), 1u + 6 * 5) << item;
}

// Joins, partings, consent and events of the same few guests at once: whatever order they took, memory and store agree.
TEST(Order, WhatIsInMemoryIsWhatANewStartReads) {
  ShopServe shop;
  constexpr int kGuests = 3, kUsers = 3;
  const auto all = [&] {
    std::map<std::string, int> support;
    auto client = shop.client();
    for (int g = 0; g < kGuests; ++g)
      support["g" + std::to_string(g)] = support_of(*client, "client_id", "g" + std::to_string(g));
    for (int u = 0; u < kUsers; ++u)
      support["u" + std::to_string(u)] = support_of(*client, "user_id", "u" + std::to_string(u));
    return support;
  };
  for (int round = 0; round < 6; ++round) {
    together(8, [&](int t) {
      auto client = shop.client();
      Random random(static_cast<uint64_t>(100 * round + t));
      for (int i = 0; i < 25; ++i) {
        const std::string guest = "g" + std::to_string(random.below(kGuests)),
                          user = "u" + std::to_string(random.below(kUsers));
        json event;
        switch (t < 2 ? random.below(4) : 4) {
          case 0:
          case 1:
            event = {{"event", "identify"}, {"client_id", guest}, {"user_id", user}};
            break;
          case 2:
            event = {{"event", "identify"}, {"client_id", guest}, {"join", false}};
            break;
          case 3:
            event = {{"event", "view_item"},
                     {"client_id", guest},
                     {"item_id", "item-1"},
                     {"consent", {{"personalization", random.below(2) == 0}}}};
            break;
          default:
            event = {{"event_id", fmt::format("{}-{}-{}", round, t, i)},
                     {"event", "purchase"},
                     {"client_id", guest},
                     {"item_id", "item-2"}};
        }
        expect_ok(client->post("/api/events", event.dump()));
        support_of(*client, "client_id", guest);
        support_of(*client, "user_id", user);
      }
    });
    const auto served = all();
    shop.stop();
    // Nobody's rows but the present user's: a guest who is joined has one, a guest who is not has none.
    EXPECT_EQ(text_in(shop.database(),
                      "select count(*) from events e left join fewshop_joins j using (client_id) where "
                      "e.guest = 1 and e.client_id is not null and e.user_id is not j.user_id"),
              "0");
    shop.start();
    EXPECT_EQ(served, all()) << "round " << round;
  }
}

}  // namespace
}  // namespace fewshop::http
