#include "runtime/code_rows.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

namespace fewshop {
namespace {

constexpr float kMost = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::align_val_t kLargePage{size_t{1} << 21};

}  // namespace

void CodeRows::Free::operator()(void* p) const { ::operator delete[](p, kLargePage); }

void CodeRows::clear(int d) {
  d_ = d;
  pairs_ = (d + 1) / 2;
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
  std::unique_ptr<int8_t[], Free> codes(static_cast<int8_t*>(::operator new[](bytes, kLargePage)));
#ifdef __linux__
  // Finding small pages takes a third of a long scan's time. A request only: where it is refused, nothing is lost.
  madvise(codes.get(), bytes, MADV_HUGEPAGE);
#endif
  if (capacity_ > 0) std::memcpy(codes.get(), codes_.get(), capacity_ * block_bytes());
  std::memset(codes.get() + capacity_ * block_bytes(), 0, (capacity - capacity_) * block_bytes());
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
  upper_bias_[row] = finite && upper <= kMost ? static_cast<float>(upper) : kInfinity;
  if (!finite) scale_[row] = 1;
  if (!with_codes_ || !finite) return;
  int8_t* codes = codes_.get() + row / kRows * block_bytes() + row % kRows * 2;
  for (int j = 0; j < d_; ++j) {
    const double code = std::clamp(std::nearbyint(static_cast<double>(v[j]) / scale), -127.0, 127.0);
    codes[j / 2 * 2 * kRows + j % 2] = static_cast<int8_t>(code);
  }
}

void CodeRows::put(int64_t row, const CodeRows& other, int64_t from) {
  scale_[row] = other.scale_[from];
  upper_bias_[row] = other.upper_bias_[from];
  int8_t* codes = codes_.get() + row / kRows * block_bytes() + row % kRows * 2;
  const int8_t* source = other.block(from / kRows) + from % kRows * 2;
  for (int pair = 0; pair < pairs_; ++pair) std::memcpy(codes + pair * 2 * kRows, source + pair * 2 * kRows, 2);
}

void CodeRows::decode(int64_t row, float* out) const {
  const int8_t* codes = block(row / kRows) + row % kRows * 2;
  const float scale = std::isfinite(upper_bias_[row]) ? scale_[row] : 0;
  for (int j = 0; j < d_; ++j) out[j] = scale * static_cast<float>(codes[j / 2 * 2 * kRows + j % 2]);
}

}  // namespace fewshop
