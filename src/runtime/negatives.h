#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "runtime/member.h"

namespace fewshop {

/// The seed of the items that are drawn as rows without interest behind a task's support: it depends on the support
/// only, so that the same task is answered alike whatever was asked before.
inline uint64_t support_seed(std::span<const SupportRow> support) {
  uint64_t seed = 1469598103934665603ULL;  // FNV-1a
  for (const auto& row : support) seed = (seed ^ static_cast<uint32_t>(row.item)) * 1099511628211ULL;
  return seed;
}

/// Appends `count` items drawn uniformly.
inline void append_negatives(std::span<const int32_t> items, int64_t count, Random& random, std::vector<int32_t>& out) {
  for (int64_t i = 0; i < count && !items.empty(); ++i) out.push_back(items[random.below(items.size())]);
}

}  // namespace fewshop
