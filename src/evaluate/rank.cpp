#include "evaluate/rank.h"

#include <cmath>
#include <utility>

#include "core/error.h"

namespace fewshop {
namespace {

/// The place of an item in the permutation: a one-to-one mixing of 64 bits, so that no two items share one. Steele,
/// Lea, Flood. "Fast splittable pseudorandom number generators." OOPSLA 2014.
uint64_t place(uint64_t tie_seed, int32_t item) {
  uint64_t z = tie_seed + 0x9e3779b97f4a7c15ULL * (static_cast<uint64_t>(item) + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

void count_ranks(std::span<const float> score, std::span<const int32_t> query, std::span<const int32_t> excluded,
                 uint64_t tie_seed, std::span<int32_t> rank) {
  const auto items = static_cast<int32_t>(score.size());
  for (size_t q = 0; q < query.size(); ++q) {
    const float own = score[query[q]];
    if (std::isnan(own)) throw Failure("ranking: the score of a query item is not a number");
    int32_t above = 0, equal = 0;
    for (int32_t i = 0; i < items; ++i) {  // both counts in one pass without branches, so that it becomes vector code
      above += score[i] > own;
      equal += score[i] == own;
    }
    for (const int32_t i : excluded) above -= score[i] > own;
    if (equal > 1) {
      const std::pair own_place{place(tie_seed, query[q]), query[q]};
      const auto first = [&](int32_t i) { return std::pair{place(tie_seed, i), i} < own_place; };
      for (int32_t i = 0; i < items; ++i) above += score[i] == own && first(i);
      for (const int32_t i : excluded) above -= score[i] == own && first(i);
    }
    rank[q] = above;
  }
}

}  // namespace fewshop
