#include "runtime/cell_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "runtime/k_means.h"
#include "runtime/search.h"

namespace fewshop {
namespace {

constexpr int kD = 16, kCentres = 50, kWanted = 100;

/// Items around centres, so that the best of a query stand together; `centres` 0: everywhere.
struct Items {
  Random random{3};
  std::vector<float> vectors, bias, queries;

  explicit Items(int64_t count, int centres = kCentres) {
    std::vector<float> centre = numbers(static_cast<size_t>(std::max(1, centres)) * kD, centres > 0 ? 4 : 0);
    for (int64_t i = 0; i < count; ++i)
      for (int j = 0; j < kD; ++j)
        vectors.push_back(centre[i % std::max(1, centres) * kD + j] + static_cast<float>(random.normal()));
    bias = numbers(count, 0.3);
    queries = numbers(96 * kD, 1);
  }
  std::vector<float> numbers(size_t n, double scale) {
    std::vector<float> values(n);
    for (float& x : values) x = static_cast<float>(scale * random.normal());
    return values;
  }
  int64_t count() const { return std::ssize(bias); }
  void assign(ItemSearch& search) const { search.assign(vectors.data(), kD, count(), kD, bias.data()); }
};

std::shared_ptr<const CellIndex> build(
    const Items& items, const ItemSearch& search, CellIndex::Report& report,
    const std::function<bool()>& stopped = [] { return false; }, int few = 0) {
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> hits;
  const auto exact = [&](std::span<const float> query, std::vector<int32_t>& best) {
    search.exact_top(query.data(), kWanted, {}, buffers, hits);
    best.clear();
    for (const auto& hit : hits) best.push_back(hit.item);
  };
  return CellIndex::build(search.codes(), items.queries, exact, {.wanted = kWanted, .few = few}, Random(5), stopped,
                          report);
}

std::vector<int32_t> found(const ItemSearch& search, const float* query, bool exact, const ItemSet& excluded = {},
                           int n = kWanted) {
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> hits;
  if (exact)
    search.exact_top(query, n, excluded, buffers, hits);
  else
    search.top(query, n, excluded, buffers, hits);
  std::vector<int32_t> items;
  for (const auto& hit : hits) items.push_back(hit.item);
  return items;
}

double share_found(const ItemSearch& search, const std::vector<float>& queries, int n = kWanted,
                   const ItemSet& excluded = {}) {
  int64_t there = 0, wanted = 0;
  for (size_t q = 0; q < queries.size() / kD; ++q) {
    const auto best = found(search, queries.data() + q * kD, true, excluded, n),
               some = found(search, queries.data() + q * kD, false, excluded, n);
    wanted += std::ssize(best);
    for (const int32_t item : best) there += std::count(some.begin(), some.end(), item);
  }
  return static_cast<double>(there) / static_cast<double>(wanted);
}

TEST(KMeans, FindsCentresThatLieApart) {
  Random random(1);
  std::vector<float> points;
  for (int i = 0; i < 300; ++i)
    for (int j = 0; j < 2; ++j) points.push_back(static_cast<float>(100 * (i % 3) * (j + 1) + random.normal()));
  // Lloyd's iterations may end with two centres in one heap; of several draws one does not.
  double least = INFINITY;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto centres = k_means(points, 2, 3, 20, Random(seed), [] { return false; });
    std::vector<int32_t> nearest(300);
    std::vector<float> distance(300);
    nearest_centres(points, centres, 2, nearest, distance);
    double sum = 0;
    for (int i = 0; i < 300; ++i) {
      const float dx = points[2 * i] - centres[2 * nearest[i]], dy = points[2 * i + 1] - centres[2 * nearest[i] + 1];
      EXPECT_NEAR(distance[i], dx * dx + dy * dy, 0.3);
      for (int c = 0; c < 3; ++c) {
        const float x = points[2 * i] - centres[2 * c], y = points[2 * i + 1] - centres[2 * c + 1];
        EXPECT_LE(dx * dx + dy * dy, x * x + y * y + 0.1F);
      }
      sum += distance[i];
    }
    least = std::min(least, sum / 300);
  }
  EXPECT_LT(least, 3) << "two normal numbers of variance 1";
}

TEST(CellIndex, FindsWhatItSaysReadingFewRows) {
  Items items(20'000);
  ItemSearch search;
  items.assign(search);
  search.begin_index();
  CellIndex::Report report;
  auto index = build(items, search, report);
  ASSERT_NE(index, nullptr);
  EXPECT_TRUE(report.used);
  EXPECT_EQ(report.items, 20'000);
  EXPECT_GE(report.recall, 0.99);
  EXPECT_LE(report.read, 0.25);
  EXPECT_LT(report.cells_read, report.cells);
  search.install(std::move(index));
  const auto fresh = items.numbers(50 * kD, 1);  // of the kind that was measured
  EXPECT_NEAR(share_found(search, fresh), report.recall, 0.02);
  EXPECT_LT(share_found(search, fresh), 1) << "the test searches through the index";
}

int64_t blocks_read(const CellIndex& index, const float* query, double n, CellIndex::Scratch& scratch) {
  index.read(query, n, scratch);
  int64_t blocks = 0;
  for (const auto& [begin, end] : scratch.blocks) blocks += end - begin;
  return blocks;
}

TEST(CellIndex, SearchesForFewReadFewerCellsAndFindWhatItSays) {
  constexpr int kFew = 12;
  Items items(20'000);
  ItemSearch search;
  items.assign(search);
  search.begin_index();
  CellIndex::Report report;
  const auto index = build(
      items, search, report, [] { return false; }, kFew);
  ASSERT_NE(index, nullptr) << report.read << " " << report.recall;
  EXPECT_EQ(report.few.wanted, kFew);
  EXPECT_GE(report.few.recall, 0.99);
  EXPECT_LT(report.few.cells_read, report.cells_read);
  EXPECT_LT(report.few.read, report.read);
  search.install(index);
  constexpr int kFresh = 400;
  const auto fresh = items.numbers(kFresh * kD, 1);
  EXPECT_NEAR(share_found(search, fresh, kFew), report.few.recall, 0.02);

  // What promises most comes first, however much is read; no query makes it stumble.
  CellIndex::Scratch some, more;
  for (int q = 0; q < 20; ++q) {
    const float* query = fresh.data() + q * kD;
    EXPECT_LT(blocks_read(*index, query, kFew, some), blocks_read(*index, query, kFew + 1, more));
    EXPECT_TRUE(std::equal(some.blocks.begin(), some.blocks.end(), more.blocks.begin()));
  }
  const std::vector<float> odd{NAN, INFINITY, -INFINITY, 1e38F, 0};
  for (const float x : odd)
    for (int j = 0; j < kD; ++j) {
      std::vector<float> query(fresh.begin(), fresh.begin() + kD);
      query[j] = x;
      EXPECT_EQ(found(search, query.data(), false, {}, kFew).size(), kFew);
    }

  // What is left out may be the best of all: where it was named, where much is left out anywhere, where a filter leaves
  // out what is liked, more is read.
  constexpr int kSought = kFew - 1;
  const auto found_of = [&](const ItemSet& excluded, LeftOut left_out) {
    int64_t there = 0;
    for (int q = 0; q < kFresh; ++q) {
      const float* query = fresh.data() + q * kD;
      const auto best = found(search, query, true, excluded, kSought);
      ItemSearch::Buffers buffers;
      std::vector<ItemSearch::Hit> hits;
      const ItemSearch::Query one{query, kSought, &excluded, &buffers, &hits, nullptr, left_out};
      search.top({&one, 1});
      for (const auto& hit : hits) there += std::count(best.begin(), best.end(), hit.item);
    }
    return there;
  };
  ItemSet some_left_out, third;
  for (int32_t item = 0; item < 100; ++item) some_left_out.set(item, true);
  for (int32_t item = 0; item < 20'000; item += 3) third.set(item, true);
  const int64_t few_cells = found_of(some_left_out, {});
  EXPECT_GT(found_of(some_left_out, {.named = 100}), few_cells);
  EXPECT_GT(found_of(some_left_out, {.filtered = true}), few_cells);
  EXPECT_GT(found_of(third, {}), few_cells);
}

TEST(CellIndex, IsRefusedWhereItWouldHaveToReadTooMuch) {
  const Items items(5000, 0);
  ItemSearch search;
  items.assign(search);
  search.begin_index();
  CellIndex::Report report;
  EXPECT_EQ(build(items, search, report), nullptr);
  EXPECT_FALSE(report.used);
  EXPECT_TRUE(report.read > 0.25 || report.recall < 0.99) << report.read << " " << report.recall;
  search.install(nullptr);
  EXPECT_EQ(found(search, items.queries.data(), false), found(search, items.queries.data(), true));
}

TEST(CellIndex, StopsWhenAsked) {
  const Items items(5000);
  ItemSearch search;
  items.assign(search);
  int asked = 0;
  CellIndex::Report report;
  EXPECT_EQ(build(items, search, report, [&] { return ++asked > 3; }), nullptr);
  EXPECT_LE(asked, 20);
}

TEST(CellIndex, WhatChangesIsFoundAtOnceDuringTheBuildAndAfter) {
  Items items(20'000);
  ItemSearch search;
  items.assign(search);
  search.begin_index();
  const CodeRows copy = search.codes().copy();
  const float* query = items.queries.data();
  const auto lift = [&](int32_t item, float by) {
    for (int j = 0; j < kD; ++j) items.vectors[item * kD + j] = by * query[j];
    search.update(item);
  };
  lift(77, 50);  // while the index is being built
  for (int j = 0; j < kD; ++j) items.vectors.push_back(60 * query[j]);
  items.bias.push_back(0);
  search.extend(items.vectors.data(), kD, items.count(), items.bias.data());
  CellIndex::Report report;
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> hits;
  auto index = CellIndex::build(
      copy, items.queries,
      [&](std::span<const float> one, std::vector<int32_t>& best) {
        search.exact_top(one.data(), kWanted, {}, buffers, hits);
        best.clear();
        for (const auto& hit : hits) best.push_back(hit.item);
      },
      {.wanted = kWanted}, Random(5), [] { return false; }, report);
  ASSERT_NE(index, nullptr);
  search.install(std::move(index));
  auto best = found(search, query, false);
  EXPECT_EQ(best[0], 20'000);
  EXPECT_EQ(best[1], 77);
  lift(123, 70);  // after it
  lift(77, -50);
  best = found(search, query, false);
  EXPECT_EQ(best[0], 123);
  EXPECT_EQ(best[1], 20'000);
  EXPECT_EQ(std::count(best.begin(), best.end(), 77), 0);
  for (size_t i = 1; i < best.size(); ++i)
    EXPECT_GE(search.score(query, best[i - 1]), search.score(query, best[i])) << "each once, by its present score";
  // What is left out is left out; under a narrow filter everything that passes is read.
  EXPECT_EQ(found(search, query, false, ItemSet::of(std::vector<int32_t>{123}))[0], 20'000);
  ItemSet most;
  for (int32_t item = 0; item < 20'000; ++item) most.set(item, item % 10 != 0);
  EXPECT_EQ(found(search, query, false, most), found(search, query, true, most));
  EXPECT_EQ(found(search, query, false, {}, 3 * kWanted), found(search, query, true, {}, 3 * kWanted))
      << "more than it was measured for";
  EXPECT_FALSE(search.needs_index());
  for (int32_t item = 0; item < 200; ++item) lift(item, -1);
  EXPECT_TRUE(search.needs_index());
  for (int32_t item = 200; item < 1000; ++item) lift(item, -1);
  EXPECT_EQ(found(search, query, false), found(search, query, true)) << "too much beside the index: all is read";
}

TEST(CellIndex, OfAMixFindsWhatItSays) {
  // Popularity weighs as much as the product: the best of the product alone are others.
  Items items(20'000);
  ItemSearch search;
  items.assign(search);
  std::vector<uint8_t> cells;
  const std::vector<float> column = items.numbers(items.count() + 8, 6);
  for (int64_t i = 0; i < items.count() + 8; ++i) cells.push_back(static_cast<uint8_t>(i % 5));
  const ItemMix mix{.cells = cells.data(),
                    .column = column.data(),
                    .largest = 40,
                    .own = {1, 0.8F, 1.2F, 1, 0.9F},
                    .with = {1, 1.2F, 0.8F, 1, 1},
                    .plus = {0, 0.5F, -0.5F, 1, 0}};
  const auto best_of = [&](const float* query, bool exact, const ItemSet& excluded = {}) {
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> hits;
    const ItemSearch::Query asked{query, kWanted, &excluded, &buffers, &hits, &mix};
    if (exact)
      search.exact_top(query, kWanted, excluded, buffers, hits, &mix);
    else
      search.top({&asked, 1});
    for (const auto& hit : hits)
      EXPECT_FLOAT_EQ(hit.score, static_cast<float>(mix.of(hit.item, search.score(query, hit.item))));
    std::vector<int32_t> best;
    for (const auto& hit : hits) best.push_back(hit.item);
    return best;
  };
  search.begin_index();
  CellIndex::Report report;
  const CellIndex::Options options{.wanted = kWanted, .least_recall = 0.95, .mix = &mix};
  auto index = CellIndex::build(
      search.codes(), items.queries,
      [&](std::span<const float> query, std::vector<int32_t>& best) { best = best_of(query.data(), true); }, options,
      Random(5), [] { return false; }, report);
  ASSERT_NE(index, nullptr) << report.read << " " << report.recall;
  search.install(std::move(index));
  const auto fresh = items.numbers(50 * kD, 1);
  double there = 0, of_the_product = 0;
  for (int q = 0; q < 50; ++q) {
    const float* query = fresh.data() + static_cast<int64_t>(q) * kD;
    const auto best = best_of(query, true), some = best_of(query, false);
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> plain;
    search.top(query, kWanted, {}, buffers, plain);
    EXPECT_EQ(found(search, query, false), found(search, query, true)) << "without a mix everything is read";
    for (const int32_t item : best) {
      there += static_cast<double>(std::count(some.begin(), some.end(), item));
      of_the_product += static_cast<double>(
          std::count_if(plain.begin(), plain.end(), [&](const auto& hit) { return hit.item == item; }));
    }
  }
  EXPECT_NEAR(there / (50.0 * kWanted), report.recall, 0.03);
  EXPECT_LT(there, 50.0 * kWanted) << "the test searches through the index";
  EXPECT_LT(of_the_product / (50.0 * kWanted), 0.7);
  // What changed since is found beside it, and nothing that is left out.
  const float* query = fresh.data();
  for (int j = 0; j < kD; ++j) items.vectors[77 * kD + j] = 50 * query[j];
  search.update(77);
  EXPECT_EQ(best_of(query, false)[0], 77);
  const auto others = best_of(query, false, ItemSet::of(std::vector<int32_t>{77}));
  EXPECT_EQ(std::count(others.begin(), others.end(), 77), 0);
}

}  // namespace
}  // namespace fewshop
