// The figures that docs/baselines.md states, on public data. Slow parts run with FEWSHOP_SLOW_TESTS=1.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>

#include "core/parallel.h"
#include "learner/real_data.h"
#include "scenario/read.h"
#include "store/store.h"
#include "support/temp_dir.h"
#include "table/import.h"
#include "task/problem.h"

namespace fewshop {
namespace {

using namespace fewshop::testing;

bool slow_tests() { return std::getenv("FEWSHOP_SLOW_TESTS") != nullptr; }

#define NEEDS_DATA(name)                                                                         \
  if (!slow_tests()) GTEST_SKIP() << "set FEWSHOP_SLOW_TESTS=1 to run the tests on public data"; \
  if (data_folder(name).empty()) GTEST_SKIP() << name << " is not there; docs/data.md says where it comes from"

std::unique_ptr<Member> fit(const std::string& name, const FitInput& input,
                            const nlohmann::json& constants = nlohmann::json::object()) {
  const double start = cpu_seconds();
  auto member = std::move(find_baseline(name)->fit(input, {constants})[0]);
  fmt::print("{} fitted in {:.2f} CPU s\n", name, cpu_seconds() - start);
  return member;
}

TEST(PublicDataTest, OnTheMeluSplitBiasAndAlsReachTheirDocumentedErrors) {
  NEEDS_DATA("movielens-1m");
  const Dataset data = melu_split();
  const Scenario scenario;
  TaskSet train;
  std::map<std::string, std::vector<Episode>> cells;
  for (int32_t t = 0; t < data.tasks(); ++t) {
    const TaskRows rows = all_rows(data, t);
    if (data.task_split[t] == "warm_state") {
      train.push_back(rows);
      continue;
    }
    Episode episode{t, {}, {}};
    for (int32_t row : rows.rows) {
      if (data.role[row] == 1) episode.support.push_back(row);
      if (data.role[row] == 2) episode.query.push_back(row);
    }
    if (!episode.query.empty()) cells[data.task_split[t]].push_back(episode);
  }
  const FitInput input{data, scenario, train, nullptr, 0, 0};
  const auto mae = [&](const Member& member, const std::string& cell) {
    const auto errors = rating_errors(member, data, cells.at(cell), 1, 5);
    fmt::print("{} {}: {} tasks, MAE {:.4f}, RMSE {:.4f}, nDCG@3 {:.4f}\n", member.name(), cell, cells.at(cell).size(),
               errors.mae, errors.rmse, errors.ndcg3);
    return errors.mae;
  };
  EXPECT_NEAR(mae(*fit("bias", input), "user_cold_state"), 0.727, 0.005);
  const auto als = fit("als", input);
  EXPECT_LT(mae(*als, "user_cold_state"), 0.697 + 0.005);
  EXPECT_LT(mae(*als, "item_cold_state"), 0.879 + 0.005);
  EXPECT_LT(mae(*als, "user_and_item_cold_state"), 0.896 + 0.005);
  mae(*fit("item-knn", input), "user_cold_state");
}

TEST(PublicDataTest, ItemBiasReachesTheRowOfRecBoleMetaRec) {
  NEEDS_DATA("movielens-1m");
  // Users with 13 to 100 ratings, 8 : 1 : 1; ten random rows are the query; positives are its five highest ratings.
  double total = 0;
  constexpr int kSplits = 5;
  for (int split = 0; split < kSplits; ++split) {
    const Dataset data = movielens(split);
    std::vector<int32_t> users;
    for (int32_t t = 0; t < data.tasks(); ++t) {
      const int64_t rows = data.task_begin[t + 1] - data.task_begin[t];
      if (rows >= 13 && rows <= 100) users.push_back(t);
    }
    Random random(1000 + split);
    random.shuffle(users);
    const size_t test = users.size() / 10;
    TaskSet train;
    for (size_t u = 2 * test; u < users.size(); ++u) train.push_back(all_rows(data, users[u]));
    const Scenario scenario;
    const auto member =
        std::move(find_baseline("item-mean")->fit({data, scenario, train, nullptr, 0, 0}, {{{"item_shrink", 3}}})[0]);
    const auto workspace = member->workspace();
    member->adapt({}, *workspace);
    double ndcg = 0;
    for (size_t u = 0; u < test; ++u) {
      auto rows = all_rows(data, users[u]).rows;
      rows.erase(rows.begin(), rows.end() - 10);
      std::vector<int32_t> items;
      for (int32_t row : rows) items.push_back(data.item[row]);
      std::vector<float> score(10);
      member->score(*workspace, items, score, {});
      // Rows are in random order, so a stable sort breaks ties at random.
      std::vector<int> by_rating(10), by_score(10);
      std::iota(by_rating.begin(), by_rating.end(), 0);
      by_score = by_rating;
      random.shuffle(by_rating);
      std::stable_sort(by_rating.begin(), by_rating.end(),
                       [&](int a, int b) { return data.target[rows[a]] > data.target[rows[b]]; });
      std::stable_sort(by_score.begin(), by_score.end(), [&](int a, int b) { return score[a] > score[b]; });
      double gain = 0, ideal = 0;
      for (int r = 0; r < 5; ++r) {
        ideal += 1 / std::log2(r + 2.0);
        if (std::find(by_rating.begin(), by_rating.begin() + 5, by_score[r]) != by_rating.begin() + 5)
          gain += 1 / std::log2(r + 2.0);
      }
      ndcg += gain / ideal / static_cast<double>(test);
    }
    fmt::print("split {}: {} test users, item mean nDCG@5 {:.4f}\n", split, test, ndcg);
    total += ndcg / kSplits;
  }
  fmt::print("mean nDCG@5 {:.4f}\n", total);
  EXPECT_NEAR(total, 0.640, 0.01);
}

TEST(PublicDataTest, OnTopNOfMovieLensTheBaselinesReachTheirDocumentedRanks) {
  NEEDS_DATA("movielens-1m");
  const Dataset all = movielens(3);
  DatasetBuilder builder;
  for (int32_t t = 0; t < all.tasks(); ++t) {
    std::vector<int32_t> liked;
    for (int32_t row : all_rows(all, t).rows)
      if (all.target[row] >= 4) liked.push_back(row);
    if (liked.size() >= 5)
      for (int32_t row : liked) builder.add(all.task_ids[t], all.item_ids[all.item[row]], 1);
  }
  const Dataset data = builder.finish();
  std::vector<int32_t> users(data.tasks());
  std::iota(users.begin(), users.end(), 0);
  Random(11).shuffle(users);
  TaskSet train;
  std::vector<std::vector<Episode>> episodes(4);
  for (size_t u = 0; u < users.size(); ++u) {
    const auto rows = all_rows(data, users[u]);
    if (u >= 600) {
      train.push_back(rows);
      continue;
    }
    const auto count = static_cast<int>(rows.rows.size());
    const int sizes[] = {1, 5, 10, count * 8 / 10};
    for (int k = 0; k < 4; ++k)
      if (sizes[k] >= 1 && sizes[k] < count)
        episodes[k].push_back({users[u],
                               {rows.rows.begin(), rows.rows.begin() + sizes[k]},
                               {rows.rows.begin() + sizes[k], rows.rows.end()}});
  }
  Scenario scenario;
  scenario.problem = Problem::kRanking;
  const FitInput input{data, scenario, train, nullptr, 0, 0};
  const auto ndcg = [&](const Member& member) {
    std::vector<double> values;
    for (const auto& set : episodes) values.push_back(ranking_ndcg(member, data, set, 100));
    fmt::print("{} nDCG@100 at 1, 5, 10, 80 %: {:.3f}\n", member.name(), fmt::join(values, " "));
    return values;
  };
  const auto expect_near = [&](const std::vector<double>& got, const std::vector<double>& expected) {
    for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(got[k], expected[k], 0.02);
  };
  expect_near(ndcg(*fit("popularity", input)), {.350, .339, .320, .220});
  // The expected figures keep every weight; what keeping the 200 largest costs is printed beside them.
  expect_near(ndcg(*fit("item-knn", input, {{"shrink", 0}, {"keep", 1000000}})), {.321, .436, .431, .331});
  ndcg(*fit("item-knn", input));
  ndcg(*fit("item-knn", input, {{"per_scored_item", true}}));
  const auto dense = ndcg(*fit("ease", input, {{"dense", true}}));
  expect_near(dense, {.264, .402, .445, .427});
  for (const int keep : {100, 200, 400}) {
    const auto kept = fit("ease", input, {{"keep", keep}});
    fmt::print("ease keeps {}: {}\n", keep, kept->facts().dump());
    const auto figures = ndcg(*kept);
    if (keep >= 200) expect_near(figures, dense);
  }
  ndcg(*fit("als", input));
  ndcg(*fit("session-knn", input, {{"recency_decay", 0}, {"before", 1}, {"distance_decay", 0}}));
}

TEST(PublicDataTest, KeepingTheLargestWeightsCostsEaseLittleOnOnlineRetail) {
  if (!slow_tests()) GTEST_SKIP() << "set FEWSHOP_SLOW_TESTS=1 to run the tests on public data";
  const std::string source = FEWSHOP_SOURCE_DIR;
  const TempDir dir;
  const std::string database = (dir.path() / "shop.db").string();
  import_recipe(read_recipe(source + "/datasets/online-retail.toml"), source + "/data/online-retail",
                *open_store(database, Store::Access::kWrite));
  const LoadedProblem problem =
      load_problem(read_scenario(source + "/scenarios/online-retail-next-product.toml"), database);
  std::vector<Episode> episodes;
  for (const auto& cell : problem.partition.test)
    for (const auto& task : cell.tasks)
      if (auto episode = headline_episode(problem.data, problem.scenario, task))
        episodes.push_back(std::move(*episode));
  const FitInput input{problem.data, problem.scenario, problem.partition.train_last, nullptr, 0, 0};
  for (nlohmann::json constants :
       {nlohmann::json{{"ridge", 1000}}, nlohmann::json{{"ridge", 1000}, {"self", 0.05}, {"repeat_power", 0.5}}}) {
    constants["dense"] = true;
    const double dense = ranking_ndcg(*fit("ease", input, constants), problem.data, episodes, 10, false);
    constants.erase("dense");
    const auto kept = fit("ease", input, constants);
    const double sparse = ranking_ndcg(*kept, problem.data, episodes, 10, false);
    fmt::print("online-retail, {} items, {} tasks, {}: nDCG@10 of all weights {:.4f}, of the 200 largest {:.4f}, {}\n",
               problem.data.items(), episodes.size(), constants.dump(), dense, sparse, kept->facts().dump());
    EXPECT_NEAR(sparse, dense, 0.01);
  }
}

TEST(PublicDataTest, EaseOfTwentyThousandItemsIsFitted) {
  if (!slow_tests()) GTEST_SKIP() << "set FEWSHOP_SLOW_TESTS=1 to run the slow tests";
  // Popularity falls as 1 / (rank + 10); a task takes half of its 40 items from one of 400 ranges of 50 items.
  constexpr int kItems = 20'000, kTasks = 100'000, kRows = 40;
  Random random(1);
  DatasetBuilder builder;
  for (int i = 0; i < kItems; ++i) builder.item(std::to_string(i));
  const double top = std::log((kItems + 10) / 10.0);
  for (int t = 0; t < kTasks; ++t) {
    const auto own = random.below(400);
    for (int r = 0; r < kRows; ++r) {
      const auto popular = static_cast<uint64_t>(10 * std::exp(top * random.uniform()) - 10);
      const uint64_t item = r % 2 ? std::min<uint64_t>(popular, kItems - 1) : own + 400 * random.below(50);
      builder.add(std::to_string(t), std::to_string(item), 1);
    }
  }
  const Dataset data = builder.finish();
  Scenario scenario;
  scenario.problem = Problem::kRanking;
  TaskSet train;
  for (int32_t t = 0; t < data.tasks(); ++t) train.push_back(all_rows(data, t));
  const auto member = fit("ease", {data, scenario, train, nullptr, 1, 0});
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} items, {} rows, peak memory of the process {:.2f} GB, {}\n", data.items(), data.rows(),
             static_cast<double>(usage.ru_maxrss) * 1024 / 1e9, member->facts().dump());
  // Half of a support of one range, the other half asked for.
  int found = 0, asked = 0;
  for (int range = 0; range < 20; ++range) {
    std::vector<SupportRow> support;
    for (int i = 0; i < 25; ++i) support.push_back({range + 400 * i, 1});
    const auto workspace = member->workspace();
    member->adapt({support, {}}, *workspace);
    std::vector<float> score(kItems);
    member->score_all(*workspace, score);
    std::vector<int32_t> order(kItems);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + 50, order.end(),
                      [&](int32_t a, int32_t b) { return score[a] > score[b]; });
    for (int i = 0; i < 50; ++i) found += order[i] % 400 == range && order[i] / 400 >= 25;
    asked += 25;
  }
  fmt::print("found {} of {} items of the range\n", found, asked);
  EXPECT_GT(found, asked / 2);
}

TEST(PublicDataTest, SessionKnnReachesTheRowOfDiginetica) {
  NEEDS_DATA("sessions-diginetica");
  const std::string folder = data_folder("sessions-diginetica");
  DatasetBuilder builder;
  const auto sessions = read_lines(folder + "/train_sessions.txt.zst");
  for (size_t t = 0; t < sessions.size(); ++t)
    for (const auto& item : split(sessions[t], " ")) builder.add(std::to_string(t), item, 1);
  struct Prefix {
    std::vector<SupportRow> support;
    int32_t target;
  };
  std::vector<Prefix> prefixes;
  for (const auto& line : read_lines(folder + "/test_prefix_target.txt.zst")) {
    const auto parts = split(line, "\t");
    Prefix prefix;
    for (const auto& item : split(parts[0], " "))
      prefix.support.push_back({builder.item(item), 1, 1, 0, static_cast<int32_t>(prefix.support.size()), 0});
    prefix.target = builder.item(parts[1]);
    prefixes.push_back(prefix);
  }
  const Dataset data = builder.finish();
  TaskSet train;
  for (int32_t t = 0; t < data.tasks(); ++t) train.push_back(all_rows(data, t));
  Scenario scenario;
  scenario.problem = Problem::kRanking;
  scenario.exclude_seen = false;
  const auto member = fit("session-knn", {data, scenario, train, nullptr, 0, 0});

  std::vector<int32_t> rank(prefixes.size());
  parallel_for(static_cast<int64_t>(prefixes.size()), 0, 256, [&](int64_t begin, int64_t end, int) {
    const auto workspace = member->workspace();
    std::vector<float> score(data.items());
    for (int64_t i = begin; i < end; ++i) {
      member->adapt({prefixes[i].support, {}}, *workspace);
      member->score_all(*workspace, score);
      const int32_t target = prefixes[i].target;
      rank[i] = 0;
      for (int32_t item = 0; item < static_cast<int32_t>(score.size()); ++item)
        rank[i] += score[item] > score[target] || (score[item] == score[target] && item < target);
    }
  });
  double precision = 0, reciprocal = 0;
  for (int32_t r : rank) {
    if (r >= 20) continue;
    precision += 100.0 / static_cast<double>(rank.size());
    reciprocal += 100.0 / (r + 1) / static_cast<double>(rank.size());
  }
  fmt::print("session-knn on {} prefixes: P@20 {:.2f}, MRR@20 {:.2f}\n", rank.size(), precision, reciprocal);
  EXPECT_NEAR(precision, 52.3, 1.5);
  EXPECT_NEAR(reciprocal, 18.5, 1.5);
}

}  // namespace
}  // namespace fewshop
