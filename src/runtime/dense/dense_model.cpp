#include "runtime/dense/dense_model.h"

#include <algorithm>

namespace fewshop::dense {
namespace {

/// [rows, columns] -> [rows, padded(columns)].
template <class T>
void pad_rows(int64_t rows, int64_t columns, const T* from, T* to) {
  const int64_t width = padded<T>(columns);
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(from + i * columns, columns, to + i * width);
    std::fill(to + i * width + columns, to + (i + 1) * width, T(0));
  }
}

/// [rows, columns] -> [columns, padded(rows)].
template <class T>
void transpose_padded(int64_t rows, int64_t columns, const T* from, T* to) {
  const int64_t width = padded<T>(rows);
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) to[j * width + i] = from[i * columns + j];
    std::fill(to + j * width + rows, to + (j + 1) * width, T(0));
  }
}

}  // namespace

template <class T>
DenseModel<T>::DenseModel(std::span<const int64_t> sizes, bool smooth, int steps, Family family,
                          std::span<const T> beside, std::span<const T* const> weights,
                          std::span<const StepSizes<T>> step_sizes)
    : layers_(sizes.size() - 1),
      smooth_(smooth),
      steps_(steps),
      beside_(beside.begin(), beside.end()),
      loss_(family, sizes.back(), beside_) {
  struct Room {
    T *weight, *transposed, *bias, *step, *steps, *bias_steps;
  };
  std::vector<Room> rooms(layers_.size());
  const auto lay_out = [&](T* block) {
    Layout<T> layout(block);
    for (size_t l = 0; l < layers_.size(); ++l) {
      const DenseLayer<T>& layer = layers_[l];
      const StepSizes<T>& size = step_sizes[2 * l];
      rooms[l] = {layout.take(layer.out * layer.in_pad),
                  layout.take(layer.in * layer.out_pad),
                  layout.take(layer.out_pad),
                  layout.take(steps),
                  layout.take(size.per_coordinate ? steps * layer.in * layer.out_pad : 0),
                  layout.take(steps * layer.out_pad)};
    }
    return layout.used();
  };
  const auto adapts = [&](int64_t l) {
    return !step_sizes[2 * l].values.empty() || !step_sizes[2 * l + 1].values.empty();
  };
  while (frozen_layers_ < static_cast<int64_t>(layers_.size()) && !adapts(frozen_layers_)) ++frozen_layers_;
  for (size_t l = 0; l < layers_.size(); ++l)
    layers_[l] = {sizes[l], sizes[l + 1], padded<T>(sizes[l]), padded<T>(sizes[l + 1])};
  lay_out(storage_.grow(lay_out(nullptr)));
  for (size_t l = 0; l < layers_.size(); ++l) {
    DenseLayer<T>& layer = layers_[l];
    const Room& room = rooms[l];
    pad_rows(layer.out, layer.in, weights[2 * l], room.weight);
    transpose_padded(layer.out, layer.in, weights[2 * l], room.transposed);
    pad_rows(1, layer.out, weights[2 * l + 1], room.bias);
    layer.weight = room.weight;
    layer.transposed = room.transposed;
    layer.bias = room.bias;
    const StepSizes<T>&size = step_sizes[2 * l], &bias_size = step_sizes[2 * l + 1];
    if (size.per_coordinate) {
      for (int k = 0; k < steps; ++k)
        transpose_padded(layer.out, layer.in, size.values.data() + k * layer.out * layer.in,
                         room.steps + k * layer.in * layer.out_pad);
      layer.steps = room.steps;
    } else if (!size.values.empty()) {
      std::copy_n(size.values.data(), steps, room.step);
      layer.step = room.step;
    }
    std::fill_n(room.bias_steps, steps * layer.out_pad, T(0));
    for (int k = 0; k < steps && !bias_size.values.empty(); ++k)
      for (int64_t i = 0; i < layer.out; ++i)
        room.bias_steps[k * layer.out_pad + i] = bias_size.values[bias_size.per_coordinate ? k * layer.out + i : k];
    layer.bias_steps = room.bias_steps;
  }
}

template class DenseModel<float>;
template class DenseModel<double>;

}  // namespace fewshop::dense
