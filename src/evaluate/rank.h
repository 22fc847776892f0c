#pragma once

#include <cstdint>
#include <span>

namespace fewshop {

/// 0-based ranks of some items among candidates by falling score. Counts what stands above instead of sorting.
///
///   score [items]    every item; what is not a number stands below everything
///   query [Q]        items to be ranked, none of them excluded
///   excluded [E]     items that are no candidates, each once
///   rank [Q]         result
///
/// Equal scores stand in the order of a random permutation of all items that depends on `tie_seed` only.
/// Throws Failure where a query item's score is not a number.
void count_ranks(std::span<const float> score, std::span<const int32_t> query, std::span<const int32_t> excluded,
                 uint64_t tie_seed, std::span<int32_t> rank);

}  // namespace fewshop
