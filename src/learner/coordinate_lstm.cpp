#include "learner/coordinate_lstm.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "learner/normal_tensor.h"

namespace fewshop::learning {
namespace {

constexpr double kSmallest = 10;  // p: gradients below e^-p are read linearly
constexpr double kStartScale = 0.1;

}  // namespace

Tensor preprocessed_gradient(const Tensor& gradient) {
  const double smallest = std::exp(-kSmallest);
  const Tensor size = gradient.abs();
  const Tensor large = size.ge(smallest);
  // The logarithm is taken of what is large alone, so that nothing infinite is differentiated.
  const Tensor log_size = at::where(large, size, at::ones_like(size)).log() / kSmallest;
  const Tensor first = at::where(large, log_size, at::full_like(size, -1));
  const Tensor second = at::where(large, gradient.sign(), gradient / smallest);
  return at::stack({first, second}, -1);
}

CoordinateLstm::CoordinateLstm(int hidden, Random random, at::ScalarType type) {
  for (int layer = 0; layer < 2; ++layer) {
    const int64_t inputs = (layer == 0 ? 2 : hidden) + hidden;
    weight_[layer] =
        normal_tensor({4 * hidden, inputs}, 1 / std::sqrt(static_cast<double>(inputs)), random, type).requires_grad_();
    bias_[layer] = at::zeros({4 * hidden}, type);
    bias_[layer].narrow(0, hidden, hidden).fill_(1);  // remembers, to begin with
    bias_[layer].requires_grad_();
  }
  out_ = normal_tensor({hidden}, 0.1, random, type).requires_grad_();
  log_scale_ = at::full({}, std::log(kStartScale), type).requires_grad_();
}

CoordinateLstm::State CoordinateLstm::State::detached() const {
  State state;
  for (int layer = 0; layer < 2; ++layer) {
    state.hidden[layer] = hidden[layer].detach();
    state.cell[layer] = cell[layer].detach();
  }
  return state;
}

CoordinateLstm::State CoordinateLstm::start(int64_t coordinates) const {
  State state;
  for (int layer = 0; layer < 2; ++layer) {
    state.hidden[layer] = at::zeros({coordinates, out_.size(0)}, out_.options());
    state.cell[layer] = at::zeros({coordinates, out_.size(0)}, out_.options());
  }
  return state;
}

Tensor CoordinateLstm::update(const Tensor& gradient, State& state) const {
  Tensor input = preprocessed_gradient(gradient);
  for (int layer = 0; layer < 2; ++layer) {
    const auto gates =
        at::addmm(bias_[layer], at::cat({input, state.hidden[layer]}, 1), weight_[layer].t()).chunk(4, 1);
    state.cell[layer] = gates[1].sigmoid() * state.cell[layer] + gates[0].sigmoid() * gates[2].tanh();
    state.hidden[layer] = gates[3].sigmoid() * state.cell[layer].tanh();
    input = state.hidden[layer];
  }
  return log_scale_.exp() * at::matmul(input, out_).tanh();
}

std::vector<std::pair<std::string, Tensor>> CoordinateLstm::parameters() const {
  std::vector<std::pair<std::string, Tensor>> all;
  for (int layer = 0; layer < 2; ++layer) {
    all.emplace_back("lstm." + std::to_string(layer) + ".weight", weight_[layer]);
    all.emplace_back("lstm." + std::to_string(layer) + ".bias", bias_[layer]);
  }
  all.emplace_back("out", out_);
  all.emplace_back("log_scale", log_scale_);
  return all;
}

}  // namespace fewshop::learning
