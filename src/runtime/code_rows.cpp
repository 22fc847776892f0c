#include "runtime/code_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "core/large_pages.h"

namespace fewshop {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::align_val_t kAligned{kLargePage};

}  // namespace

void CodeRows::Free::operator()(void* p) const { ::operator delete[](p, kAligned); }

void CodeRows::clear(int d) {
  d_ = d;
  quads_ = (d + 3) / 4;
  rows_ = 0;
  capacity_ = 0;
  codes_.reset();
  scale_.clear();
  upper_bias_.clear();
}

CodeRows CodeRows::copy() const {
  CodeRows other(with_codes_);
  other.clear(d_);
  other.resize(rows_);
  other.scale_ = scale_;
  other.upper_bias_ = upper_bias_;
  if (with_codes_ && rows_ > 0) std::memcpy(other.codes_.get(), codes_.get(), blocks() * block_bytes());
  return other;
}

void CodeRows::resize(int64_t rows) {
  rows_ = rows;
  scale_.resize(blocks() * kRows, 0.0f);
  upper_bias_.resize(blocks() * kRows, 0.0f);
  if (!with_codes_ || blocks() <= capacity_) return;
  const int64_t capacity = capacity_ == 0 ? blocks() : std::max(blocks(), capacity_ + capacity_ / 2);
  const auto bytes = static_cast<size_t>(capacity * block_bytes());
  std::unique_ptr<uint8_t[], Free> codes(static_cast<uint8_t*>(::operator new[](bytes, kAligned)));
  ask_for_large_pages(codes.get(), bytes);  // finding small ones takes a third of a long scan's time
  if (capacity_ > 0) std::memcpy(codes.get(), codes_.get(), capacity_ * block_bytes());
  std::memset(codes.get() + capacity_ * block_bytes(), kZero, (capacity - capacity_) * block_bytes());
  codes_ = std::move(codes);
  capacity_ = capacity;
}

void CodeRows::put(int64_t row, const float* v, float bias) {
  float largest = 0;
  bool finite = true;
  for (int j = 0; j < d_; ++j) {
    largest = std::max(largest, std::abs(v[j]));
    finite = finite && std::isfinite(v[j]);
  }
  // Not below 1e-35, so that the scale is no subnormal number and half a step still bounds the error of a code.
  const float scale = scale_[row] = std::max(largest / kCodeMax, 1e-35f);
  const double upper = bias + 1e-6 * std::abs(static_cast<double>(bias)) + 1e-36;
  // Infinity where float cannot bound the score: it is always computed.
  const bool bounded = finite && scale <= 1e15F && std::abs(upper) <= 1e30;
  upper_bias_[row] = bounded ? static_cast<float>(upper) : kInfinity;
  if (!finite) scale_[row] = 1;
  if (!with_codes_ || !finite) return;
  uint8_t* codes = codes_of(row);
  for (int j = 0; j < d_; ++j) {
    const double code = std::clamp(std::nearbyint(static_cast<double>(v[j]) / scale), -127.0, 127.0);
    codes[place(j)] = static_cast<uint8_t>(kZero + static_cast<int>(code));
  }
}

void CodeRows::put(int64_t row, const CodeRows& other, int64_t from) {
  scale_[row] = other.scale_[from];
  upper_bias_[row] = other.upper_bias_[from];
  uint8_t* codes = codes_of(row);
  const uint8_t* source = other.codes_of(from);
  for (int quad = 0; quad < quads_; ++quad) std::memcpy(codes + quad * 4 * kRows, source + quad * 4 * kRows, 4);
}

void CodeRows::decode(int64_t row, float* out) const {
  const uint8_t* codes = codes_of(row);
  const float scale = std::isfinite(upper_bias_[row]) ? scale_[row] : 0;
  for (int j = 0; j < d_; ++j) out[j] = scale * static_cast<float>(codes[place(j)] - kZero);
}

}  // namespace fewshop
