#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace fewshop {

/// A seed that differs every time, from the system.
uint64_t entropy();

/// A stream of random numbers, passed down as a value: the same seed gives the same numbers on every machine.
/// `fork` derives an independent stream, so that two parts of a run never share one.
class Random {
 public:
  explicit Random(uint64_t seed);

  Random fork(std::string_view name) const;
  Random fork(uint64_t index) const;

  uint64_t next();
  /// Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  /// Uniform in [low, high].
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1));
  }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double normal();

  template <class Container>
  void shuffle(Container& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

  // For standard algorithms.
  using result_type = uint64_t;
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()() { return next(); }

  /// The whole state, for checkpoints.
  struct State {
    uint64_t seed, counter;
  };
  State state() const { return {seed_, counter_}; }
  static Random restore(State state);

 private:
  uint64_t seed_ = 0;
  uint64_t counter_ = 0;
};

}  // namespace fewshop
