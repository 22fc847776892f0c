#include "core/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fewshop {

uint64_t hash64(const void* data, size_t size, uint64_t seed) { return XXH3_64bits_withSeed(data, size, seed); }

std::string to_hex(uint64_t value) {
  static const char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4) text[i] = digits[value & 15];
  return text;
}

Fingerprint& Fingerprint::add(std::string_view part) {
  const uint64_t pair[2] = {value_, hash64(part)};
  value_ = hash64(pair, sizeof pair);
  return *this;
}

Fingerprint& Fingerprint::add_number(uint64_t part) {
  const uint64_t pair[2] = {value_, part};
  value_ = hash64(pair, sizeof pair, 1);
  return *this;
}

}  // namespace fewshop
