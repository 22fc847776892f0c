#pragma once

#include <Eigen/Core>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/encoder.h"

// What the forms of Encoder share; for their own sources only.

namespace fewshop::encoder {

using Matrix = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
using Vector = Eigen::Map<const Eigen::VectorXf>;
using MutableVector = Eigen::Map<Eigen::VectorXf>;

/// The parameter of a name, of exactly this many numbers.
using Parameter = std::function<const float*(const std::string& name, int64_t size)>;

/// How one field becomes numbers.
struct FieldVector {
  const float* table =
      nullptr;  // entries: [V, width]; numbers as a vector: [width, numbers]; null: numbers as they are
  int32_t width = 0;
  int32_t numbers = 0;  // 0: entries

  /// out [width]
  void read(const ColumnView& value, float* out) const;
};

/// Dense layers "body.<l>.weight", "body.<l>.bias"; the product of the first one is made by parts.
class DenseLayers {
 public:
  DenseLayers() = default;
  DenseLayers(int64_t inputs, const EncoderOptions& options, const Parameter& parameter);

  /// Numbers of a part: the size of the first layer, or 0 where there is none.
  int32_t part_size() const { return sizes_.size() > 1 ? sizes_[1] : 0; }
  /// Size of what comes out of the last layer; 0 where there is none.
  int32_t outputs() const { return sizes_.size() > 1 ? sizes_.back() : 0; }
  /// part [part_size] += first weight's columns from `at` on times x [width].
  void add(int64_t at, const float* x, int32_t width, float* part) const;
  /// Everything behind the first product: out [outputs].
  void finish(const float* part, Encoder::Scratch& scratch, float* out) const;

 private:
  void activate(MutableVector x) const;

  std::vector<int32_t> sizes_;
  bool smooth_ = false;
  std::vector<const float*> weight_, bias_;
};

std::unique_ptr<Encoder> make_straight(Encoder::Arrays arrays);  // linear, mlp
std::unique_ptr<Encoder> make_cross(Encoder::Arrays arrays);     // dcn
std::unique_ptr<Encoder> make_mf(Encoder::Arrays arrays);
std::unique_ptr<Encoder> make_deepfm(Encoder::Arrays arrays);

}  // namespace fewshop::encoder
