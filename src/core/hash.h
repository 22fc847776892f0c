#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fewshop {

/// XXH3 of bytes: for fingerprints and checksums against damage, not against an attacker.
uint64_t hash64(const void* data, size_t size, uint64_t seed = 0);
inline uint64_t hash64(std::string_view text, uint64_t seed = 0) { return hash64(text.data(), text.size(), seed); }

/// Sixteen hexadecimal digits.
std::string to_hex(uint64_t value);

/// A fingerprint that is built from parts; every part is separated from its neighbours.
class Fingerprint {
 public:
  Fingerprint& add(std::string_view part);
  template <std::integral T>
  Fingerprint& add(T part) {
    return add_number(static_cast<uint64_t>(part));
  }
  template <std::floating_point T>
  Fingerprint& add(T part) {
    return add_number(std::bit_cast<uint64_t>(static_cast<double>(part)));
  }
  uint64_t value() const { return value_; }
  std::string hex() const { return to_hex(value_); }

 private:
  Fingerprint& add_number(uint64_t part);

  uint64_t value_ = 0;
};

}  // namespace fewshop
