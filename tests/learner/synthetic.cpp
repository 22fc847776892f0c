#include "learner/synthetic.h"

#include <algorithm>
#include <cmath>

namespace fewshop::testing {
namespace {

Columns id_column(const std::string& name, const std::vector<int32_t>& values, int32_t vocabulary) {
  struct Storage {
    std::vector<int64_t> offsets;
    std::vector<int32_t> ids;
  };
  auto storage = std::make_shared<Storage>();
  for (size_t i = 0; i <= values.size(); ++i) storage->offsets.push_back(static_cast<int64_t>(i));
  storage->ids = values;
  Columns columns;
  columns.rows = static_cast<int64_t>(values.size());
  columns.columns.push_back({name, 0, vocabulary, {}, storage->offsets, storage->ids});
  columns.storage.push_back(storage);
  return columns;
}

}  // namespace

SyntheticShop synthetic_shop(Problem problem, int users, uint64_t seed) {
  constexpr int kItems = 60, kGenres = 6, kSize = 3, kRows = 24;
  Random random = Random(seed).fork("synthetic shop");
  SyntheticShop shop;
  shop.scenario.name = "synthetic";
  shop.scenario.problem = problem;
  shop.scenario.exclude_seen = true;
  shop.scenario.episode.support_max = 20;
  shop.scenario.episode.query_count = 5;
  shop.scenario.episode.rows_min = 6;
  shop.scenario.metrics = {problem == Problem::kRating ? "mae" : "ndcg@10"};
  for (const int k : {0, 1, 3, 5, 10}) {
    Shot shot;
    shot.count = k;
    shop.scenario.episode.shots.push_back(shot);
  }

  std::vector<std::vector<double>> genre(kGenres, std::vector<double>(kSize)), item(kItems, std::vector<double>(kSize));
  std::vector<int32_t> genre_of, group_of;
  std::vector<double> bias(kItems);
  for (auto& g : genre)
    for (auto& v : g) v = random.normal();
  for (int i = 0; i < kItems; ++i) {
    genre_of.push_back(i % kGenres);
    for (int j = 0; j < kSize; ++j) item[i][j] = genre[i % kGenres][j] + 0.4 * random.normal();
    bias[i] = 0.4 * random.normal();
  }
  Dataset& data = shop.data;
  data.kinds = {""};
  for (int i = 0; i < kItems; ++i) data.item_ids.push_back("item-" + std::to_string(i));
  data.item_features = id_column("items.genre", genre_of, kGenres);
  data.task_begin.push_back(0);
  for (int u = 0; u < users; ++u) {
    group_of.push_back(u % 2);
    std::vector<double> taste(kSize);
    for (auto& t : taste) t = 0.6 * random.normal() + (u % 2 ? 0.5 : -0.5);
    std::vector<int32_t> order(kItems);
    for (int i = 0; i < kItems; ++i) order[i] = i;
    random.shuffle(order);
    std::vector<double> value(kItems);
    for (int i = 0; i < kItems; ++i) {
      value[i] = 3 + bias[i];
      for (int j = 0; j < kSize; ++j) value[i] += taste[j] * item[i][j];
    }
    if (problem == Problem::kRanking)  // what is liked is bought more often: Gumbel top-k draws from the softmax
      std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        const auto gumbel = [&](int32_t i) { return -std::log(-std::log(Random(seed + u).fork(i).uniform() + 1e-12)); };
        return value[a] + gumbel(a) > value[b] + gumbel(b);
      });
    TaskRows rows{u, {}};
    for (int r = 0; r < kRows; ++r) {
      rows.rows.push_back(static_cast<int32_t>(data.rows()));
      data.item.push_back(order[r]);
      data.task.push_back(u);
      data.target.push_back(problem == Problem::kRating ? static_cast<float>(value[order[r]] + 0.3 * random.normal())
                                                        : 1);
      data.weight.push_back(1);
      data.time.push_back(0);
      data.kind.push_back(0);
      data.group.push_back(r);
      data.source.push_back(data.rows());
    }
    data.task_begin.push_back(data.rows());
    data.task_ids.push_back("user-" + std::to_string(u));
    data.task_split.emplace_back();
    shop.tasks.push_back(std::move(rows));
  }
  data.task_features = id_column("tasks.group", group_of, 2);
  return shop;
}

}  // namespace fewshop::testing
