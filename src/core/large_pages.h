#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace fewshop {

inline constexpr std::size_t kLargePage = std::size_t{2} << 20;  // bytes

/// Asks the system to back memory that was not written yet with large pages, as far as it spans whole ones: what reads
/// all over megabytes otherwise waits for addresses to be looked up. A request only: where it is refused, nothing is
/// lost.
void ask_for_large_pages(const void* begin, std::size_t bytes);

/// A copy of the values in memory that large pages were asked for.
template <class T>
std::vector<T> copy_to_large_pages(std::span<const T> values) {
  std::vector<T> copy;
  copy.reserve(values.size());
  ask_for_large_pages(copy.data(), values.size_bytes());
  copy.assign(values.begin(), values.end());
  return copy;
}

}  // namespace fewshop
