#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <utility>
#include <vector>

#include "core/random.h"
#include "runtime/search.h"

namespace fewshop::testing {

/// Vectors and biases to be searched; the rows lie one number further apart than they are long.
struct Items {
  int d = 1;
  int64_t count = 0, stride = 1;
  std::vector<float> vectors, bias;  // bias may be empty

  Items(int64_t n, int dimension) : d(dimension), count(n), stride(dimension + 1), vectors(n * (dimension + 1)) {}
  float& at(int64_t item, int j) { return vectors[item * stride + j]; }
  const float* bias_or_null() const { return bias.empty() ? nullptr : bias.data(); }
};

inline Items random_items(int64_t count, int d, Random& random, double scale = 1, bool with_bias = true) {
  Items items(count, d);
  for (float& x : items.vectors) x = static_cast<float>(scale * random.normal());
  if (with_bias) {
    for (int64_t i = 0; i < count; ++i) items.bias.push_back(static_cast<float>(scale * random.normal()));
  }
  return items;
}

inline std::vector<float> random_query(int d, Random& random, double scale = 1) {
  std::vector<float> query(d);
  for (float& x : query) x = static_cast<float>(scale * random.normal());
  return query;
}

/// One score in long double, and the sum of the magnitudes of its terms.
inline std::pair<long double, long double> definition(const Items& items, const std::vector<float>& query,
                                                      int64_t item) {
  long double score = items.bias.empty() ? 0 : items.bias[item], magnitude = std::abs(score);
  for (int j = 0; j < items.d; ++j) {
    const long double term = static_cast<long double>(query[j]) * items.vectors[item * items.stride + j];
    score += term, magnitude += std::abs(term);
  }
  return {score, magnitude};
}

/// A search that rapidcheck draws: up to 900 items, up to 130 numbers each, every form, and some queries of it. A query
/// leaves out the items that `left_out(query, item)` names.
struct DrawnSearch {
  template <class LeftOut>
  DrawnSearch(size_t query_count, Random& random, const LeftOut& left_out)
      : items(random_items(*rc::gen::inRange(0, 900), *rc::gen::inRange(1, 131), random, std::exp(2 * random.normal()),
                           *rc::gen::arbitrary<bool>())),
        search(*rc::gen::arbitrary<bool>(), **rc::gen::elementOf(CodeDots::all())),
        excluded(query_count),
        buffers(query_count),
        found(query_count) {
    search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias_or_null());
    for (size_t q = 0; q < query_count; ++q) {
      vectors.push_back(random_query(items.d, random));
      for (int32_t i = 0; i < items.count; ++i)
        if (left_out(q, i)) excluded[q].set(i, true);
    }
  }
  ItemSearch::Query query(size_t q, int n, const ItemMix* mix = nullptr) {
    return {vectors[q].data(), n, &excluded[q], &buffers[q], &found[q], mix};
  }

  Items items;
  ItemSearch search;
  std::vector<std::vector<float>> vectors;
  std::vector<ItemSet> excluded;
  std::vector<ItemSearch::Buffers> buffers;
  std::vector<std::vector<ItemSearch::Hit>> found;
};

}  // namespace fewshop::testing
