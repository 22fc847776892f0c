#include "core/random.h"

#include <cmath>
#include <numbers>
#include <random>

#include "core/hash.h"

namespace fewshop {
namespace {

// The finalizer of SplitMix64 (Steele, Lea, Flood. "Fast splittable pseudorandom number generators." OOPSLA 2014).
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed) : seed_(mix(seed + 0x9e3779b97f4a7c15ULL)) {}

Random Random::fork(std::string_view name) const { return Random(seed_ ^ hash64(name, 0x666f726b)); }

Random Random::fork(uint64_t index) const { return Random(seed_ ^ mix(index + 0x51ed270b27a5cd1fULL)); }

uint64_t Random::next() { return mix(seed_ + 0x9e3779b97f4a7c15ULL * ++counter_); }

uint64_t Random::below(uint64_t bound) {
  // Lemire. "Fast random integer generation in an interval." 2019.
  __extension__ using Wide = unsigned __int128;
  Wide product = Wide{next()} * bound;
  if (static_cast<uint64_t>(product) < bound) {
    const uint64_t threshold = (0 - bound) % bound;
    while (static_cast<uint64_t>(product) < threshold) product = Wide{next()} * bound;
  }
  return static_cast<uint64_t>(product >> 64);
}

double Random::normal() {
  const double u = 1 - uniform(), v = uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

Random Random::restore(State state) {
  Random random(0);
  random.seed_ = state.seed;
  random.counter_ = state.counter;
  return random;
}

uint64_t entropy() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace fewshop
