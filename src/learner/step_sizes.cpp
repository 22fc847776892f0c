#include "learner/step_sizes.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace fewshop::learning {
namespace {

constexpr std::array<double, 6> kSizes = {1, 3, 10, 30, 100, 300};

StepSizes::Kind kind_from_name(const std::string& name) {
  if (name == "fixed") return StepSizes::Kind::kFixed;
  if (name == "tensor") return StepSizes::Kind::kTensor;
  if (name == "step") return StepSizes::Kind::kStep;
  require(name == "coordinate", "learner.step_sizes: expected fixed, tensor, step or coordinate, got '", name, "'");
  return StepSizes::Kind::kCoordinate;
}

std::vector<int64_t> with_steps(std::vector<int64_t> shape, int64_t steps) {
  shape.insert(shape.begin(), steps);
  return shape;
}

}  // namespace

StepSizes::StepSizes(const Options& options, const std::vector<Adapting>& tensors, at::ScalarType type)
    : kind_(kind_from_name(options.kind)),
      by_size_(options.by_size && kind_ != Kind::kFixed),
      initial_(options.initial),
      type_(type),
      tensors_(tensors) {
  if (kind_ == Kind::kCoordinate)
    for (const auto& tensor : tensors_) coordinate_.push_back(at::full(tensor.shape, initial_, type).requires_grad_());
  if (kind_ == Kind::kTensor || kind_ == Kind::kStep || by_size_)
    log_ = at::zeros({kind_ == Kind::kStep ? std::max(1, options.steps) : 1, static_cast<int64_t>(tensors_.size()),
                      by_size_ ? static_cast<int64_t>(kSizes.size()) : 1},
                     type)
               .requires_grad_();
}

std::vector<Parameter> StepSizes::parameters() const {
  std::vector<Parameter> list;
  const auto add = [&](const std::string& name, const Tensor& value) {
    list.push_back({"step_size." + name, value, at::zeros({}, value.options().requires_grad(false))});  // no decay
  };
  if (log_.defined()) add("log", log_);
  for (size_t i = 0; i < coordinate_.size(); ++i) add(tensors_[i].name, coordinate_[i]);
  return list;
}

Tensor StepSizes::shares(const Tensor& mask) const {
  if (!by_size_) return {};
  at::NoGradGuard no_grad;
  const Tensor size = mask.sum(1).clamp(kSizes.front(), kSizes.back()).log();
  std::vector<Tensor> shares;
  for (size_t k = 0; k < kSizes.size(); ++k) {
    Tensor share = at::ones_like(size);
    const double here = std::log(kSizes[k]);
    if (k > 0) share = at::minimum(share, (size - std::log(kSizes[k - 1])) / (here - std::log(kSizes[k - 1])));
    if (k + 1 < kSizes.size())
      share = at::minimum(share, (std::log(kSizes[k + 1]) - size) / (std::log(kSizes[k + 1]) - here));
    shares.push_back(share.clamp_min(0));
  }
  return at::stack(shares, 1);
}

Tensor StepSizes::at(int step, size_t i, const Tensor& shares) const {
  const auto axes = static_cast<int64_t>(tensors_[i].shape.size());
  Tensor size = coordinate_.empty() ? at::full({}, initial_, shares.defined() ? shares.scalar_type() : at::kDouble)
                                    : coordinate_[i];
  if (!log_.defined()) return size;
  const Tensor log = log_.select(0, std::min<int64_t>(step, log_.size(0) - 1)).select(0, static_cast<int64_t>(i));
  if (!by_size_) return size * log[0].exp();
  std::vector<int64_t> per_task(axes + 1, 1);
  per_task[0] = shares.size(0);
  return size * at::mv(shares, log).exp().view(per_task);
}

Tensor StepSizes::log_of_steps(int steps) const {
  if (steps <= log_.size(0)) return log_.narrow(0, 0, steps);
  return at::cat({log_, log_.narrow(0, log_.size(0) - 1, 1).expand({steps - log_.size(0), -1, -1})});
}

Tensor StepSizes::without_size(size_t i, int steps) const {
  if (!coordinate_.empty()) return coordinate_[i].unsqueeze(0).expand(with_steps(tensors_[i].shape, steps));
  const Tensor same = at::full({steps}, initial_, type_);
  if (!log_.defined() || by_size_) return same;
  return same * log_of_steps(steps).select(1, static_cast<int64_t>(i)).select(1, 0).exp();
}

Tensor StepSizes::by_size(const Tensor& shares, int steps) const {
  if (!by_size_) return {};
  return at::matmul(log_of_steps(steps), shares.t()).permute({2, 0, 1}).exp();
}

StepTable StepSizes::runtime_form(int steps) const {
  at::NoGradGuard no_grad;
  StepTable table;
  table.steps = steps;
  table.parts = static_cast<int>(tensors_.size());
  if (by_size_)
    table.sizes.assign(kSizes.begin(), kSizes.end());
  else
    table.sizes = {1};
  Tensor log = at::full({steps, table.parts, static_cast<int64_t>(table.sizes.size())},
                        coordinate_.empty() ? std::log(initial_) : 0.0, at::kFloat);
  if (log_.defined()) log = log + log_of_steps(steps).to(at::kFloat);
  log = log.contiguous();
  table.log_rate.assign(log.data_ptr<float>(), log.data_ptr<float>() + log.numel());
  return table;
}

}  // namespace fewshop::learning
