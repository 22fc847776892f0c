#include "runtime/encoder_forms.h"

#include <algorithm>
#include <cmath>

namespace fewshop::encoder {

void FieldVector::read(const ColumnView& value, float* out) const {
  MutableVector y(out, width);
  if (!table && !value.dense.empty()) {
    std::copy(value.dense.begin(), value.dense.end(), out);
    return;
  }
  y.setZero();
  if (numbers && !value.dense.empty())
    y.noalias() += Matrix(table, width, numbers) * Vector(value.dense.data(), numbers);
  for (const int32_t id : value.ids) y += Vector(table + static_cast<int64_t>(id) * width, width);
  if (value.ids.size() > 1) y /= static_cast<float>(value.ids.size());
}

DenseLayers::DenseLayers(int64_t inputs, const EncoderOptions& options, const Parameter& parameter)
    : sizes_{static_cast<int32_t>(inputs)}, smooth_(is_smooth(options)) {
  for (const int64_t size : hidden_sizes(options)) {
    const std::string name = "body." + std::to_string(weight_.size());
    weight_.push_back(parameter(name + ".weight", size * sizes_.back()));
    bias_.push_back(parameter(name + ".bias", size));
    sizes_.push_back(static_cast<int32_t>(size));
  }
}

void DenseLayers::add(int64_t at, const float* x, int32_t width, float* part) const {
  MutableVector(part, sizes_[1]).noalias() +=
      Matrix(weight_[0], sizes_[1], sizes_[0]).middleCols(at, width) * Vector(x, width);
}

void DenseLayers::activate(MutableVector x) const {
  if (smooth_)
    x.array() = x.array().tanh();
  else
    x = x.cwiseMax(0.0F);
}

void DenseLayers::finish(const float* part, Encoder::Scratch& scratch, float* out) const {
  const size_t layers = weight_.size();
  const auto largest = static_cast<size_t>(*std::max_element(sizes_.begin() + 1, sizes_.end()));
  scratch.first.resize(largest);
  scratch.second.resize(largest);
  const float* from = nullptr;
  for (size_t l = 0; l < layers; ++l) {
    float* to = l + 1 == layers ? out : (l % 2 ? scratch.second.data() : scratch.first.data());
    MutableVector y(to, sizes_[l + 1]);
    if (l == 0)
      y = Vector(part, sizes_[1]);
    else
      y.noalias() = Matrix(weight_[l], sizes_[l + 1], sizes_[l]) * Vector(from, sizes_[l]);
    y += Vector(bias_[l], sizes_[l + 1]);
    activate(y);
    from = to;
  }
}

}  // namespace fewshop::encoder
