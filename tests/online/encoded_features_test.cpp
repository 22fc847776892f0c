// What the server encodes of an item or user from its record is what a training encodes from the same database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <thread>

#include "online/live_shop.h"
#include "scenario/read.h"
#include "store/shop_store.h"
#include "task/entity_reader.h"
#include "task/problem.h"

namespace fewshop::testing {
namespace {

using nlohmann::json;

constexpr int kItems = 40, kUsers = 30;

constexpr const char* kScenario = R"(
name = "all-types"
problem = "ranking"
[rows]
table = "events"
task = "user_id"
item = "item_id"
time = "time"
event = "event"
[items]
table = "items"
key = "item_id"
[tasks]
table = "users"
key = "user_id"
[features]
"items.price" = "number"
"items.weight" = "log-number"
"items.fragile" = "number"
"items.colour" = "category"
"items.code" = "category"
"items.sizes" = "categories"
"items.categories" = "categories"
"items.comment" = "text"
"items.time" = "time"
"items.launched" = "time"
"items.shape" = { type = "vector", separator = " " }
"items.steps" = { type = "sequence", separator = "|" }
"tasks.age" = "number"
"tasks.city" = "category"
"tasks.likes" = "categories"
[live]
events = { purchase = 1 }
[split]
time = { valid = "2023-11-20", test = "2023-11-22" }
[episode]
query = 2
[report]
metrics = ["ndcg@10"]
baselines = ["popularity"]
)";

/// Values of every sort that a label may have, odd ones among them; every fourth item lacks some.
ItemRecord item(int i) {
  const char* colours[] = {"red", " green ", "Blue", "", "rot|grün", "'quoted'"};
  ItemRecord record;
  record.item_id = i == 0 ? "0" : i == 1 ? "a b/c" : fmt::format("item-{}", i);
  record.hidden = i % 7 == 0;
  record.time = (1'600'000'000 + int64_t{i} * 86'411) * kSecond + i;
  record.categories = {i % 2 ? "odd" : "even", i % 3 ? "some" : "third"};
  record.comment = i % 2 ? "Soft wool, for winter" : "Wolle für den Winter 🧶 soft";
  record.labels = {{"price", 0.1 * i - 1},
                   {"weight", int64_t{1} << i % 60},
                   {"fragile", i % 5 == 0},
                   {"colour", colours[i % 6]},
                   {"code", i % 2 ? json(i) : json(i + 0.5)},
                   {"sizes", {"s", "m", "l"}},
                   {"launched", fmt::format("2023-0{}-1{}T0{}:30:00Z", 1 + i % 9, i % 10, i % 10)},
                   {"shape", fmt::format("{} {} 1e-3", i, -0.5 * i)},
                   {"steps", {"cut", "sew", "cut"}}};
  if (i % 4 == 0)
    for (const char* label : {"price", "colour", "sizes", "launched", "shape"}) record.labels.erase(label);
  if (i % 8 == 0) record.comment.clear(), record.categories.clear(), record.time = 0;
  return record;
}

UserRecord user(int u) {
  UserRecord record;
  record.user_id = fmt::format("user-{}", u);
  record.labels = {{"age", 18 + u}, {"city", u % 2 ? "Köln" : "Ulm"}, {"likes", {"wool", fmt::format("c{}", u % 3)}}};
  if (u % 5 == 0) record.labels.erase("age");
  return record;
}

class EncodedFeatures : public ::testing::Test {
 protected:
  EncodedFeatures() {
    Change change;
    for (int i = 0; i < kItems; ++i) change.items.push_back(item(i));
    for (int u = 0; u < kUsers; ++u) change.users.push_back(user(u));
    for (int u = 0; u < kUsers; ++u)
      for (int e = 0; e < 6; ++e) {
        Event event;
        event.event_id = fmt::format("{}-{}", u, e);
        event.time = live_.now - (6 - e) * kDay;
        event.event = "purchase";
        event.user_id = fmt::format("user-{}", u);
        event.items.push_back({.item_id = item((u * 7 + e * 3) % kItems).item_id});
        change.events.push_back(std::move(event));
      }
    live_.shop->change(std::move(change));
    while (live_.shop->queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    live_.shop.reset();
    problem_ = load_problem(parse_scenario(kScenario, "all-types.toml"), database());
  }

  std::string database() const { return live_.folder / "shop.db"; }

  /// `values` of the entity `id` are encoded as the training has encoded it.
  static void expect_trained(const std::string& id, const EntityValues& values, const std::vector<std::string>& ids,
                             const Columns& trained, const std::vector<ColumnEncoder>& encoders) {
    const auto row = std::find(ids.begin(), ids.end(), id) - ids.begin();
    ASSERT_LT(row, std::ssize(ids)) << id;
    const EncodedEntity online = encode_entity(encoders, values);
    ASSERT_EQ(online.views.size(), encoders.size());
    const auto before = trained.row(row);
    for (size_t c = 0; c < encoders.size(); ++c) {
      const std::string where = id + ", " + encoders[c].spec.name;
      EXPECT_THAT(online.dense[c], ::testing::ElementsAreArray(before[c].dense)) << where;
      EXPECT_THAT(online.ids[c], ::testing::ElementsAreArray(before[c].ids)) << where;
    }
  }

  LiveShop live_;
  LoadedProblem problem_;
};

TEST_F(EncodedFeatures, OfItemsFromTheirColumns) {
  const auto& encoders = problem_.encoders.items;
  ASSERT_EQ(encoders.size(), 12U) << "labels are columns of their own";
  for (const ColumnEncoder& encoder : encoders)
    EXPECT_TRUE(encoder.width > 0 || !encoder.vocabulary.empty()) << encoder.spec.name << " says nothing";
  const auto store = ShopStore::open(database(), {});
  for (int i = 0; i < kItems; ++i) {
    const std::string id = item(i).item_id;
    const auto columns = store->item_columns(id);
    ASSERT_TRUE(columns) << id;
    expect_trained(id, *columns, problem_.data.item_ids, problem_.data.item_features, encoders);
  }
}

TEST_F(EncodedFeatures, OfItemsFromTheSourceOfTheScenario) {
  const auto& encoders = problem_.encoders.items;
  EntityReader reader(database(), problem_.scenario.items, "item_id", "items", encoders, {});
  std::map<std::string, EntityValues> all;
  reader.each([&](const std::string& id, const EntityValues& values) { all.emplace(id, values); });
  EXPECT_EQ(std::ssize(all), kItems);
  for (const auto& [id, values] : all) {
    expect_trained(id, values, problem_.data.item_ids, problem_.data.item_features, encoders);
    const auto alone = reader.values(id);
    ASSERT_TRUE(alone);
    EXPECT_EQ(*alone, values) << id;
  }
}

TEST_F(EncodedFeatures, OfUsersFromTheirColumns) {
  const auto& encoders = problem_.encoders.tasks;
  ASSERT_EQ(encoders.size(), 4U) << "labels are columns of their own; comment is one";
  const auto store = ShopStore::open(database(), {});
  for (int u = 0; u < kUsers; ++u) {
    const std::string id = user(u).user_id;
    const auto columns = store->user_columns(id);
    ASSERT_TRUE(columns) << id;
    expect_trained(id, *columns, problem_.data.task_ids, problem_.data.task_features, encoders);
  }
}

}  // namespace
}  // namespace fewshop::testing
