#include "learner/head_prior.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include "core/error.h"

namespace fewshop::learning {
namespace {

constexpr double kSmallestVariance = 1e-6;
constexpr double kLargestMove = 3;  // of an output in one step
constexpr int kNewtonSteps = 10, kBoundSteps = 30;

/// First and second derivative of each row's loss in its outputs: [T, S, O] each.
std::pair<Tensor, Tensor> derivatives(const std::function<Tensor(const Tensor&)>& loss, const Tensor& output) {
  at::AutoGradMode enabled(true);
  const Tensor f = output.detach().requires_grad_();
  const bool one = f.size(-1) == 1;
  const Tensor first = torch::autograd::grad({loss(f).sum()}, {f}, {}, one, one)[0];
  if (!one) return {first, at::full_like(first, 0.5)};
  // A loss that is linear in its output has a first derivative without a graph.
  if (!first.requires_grad()) return {first.detach(), at::zeros_like(first)};
  const Tensor second = torch::autograd::grad({first.sum()}, {f}, {}, false, false, /*allow_unused=*/true)[0];
  return {first.detach(), second.defined() ? second.clamp_min(0) : at::zeros_like(first)};
}

/// Lower Cholesky factors of [..., D, D].
Tensor factor(const Tensor& matrices) {
  Tensor lower, info;
  std::tie(lower, info) = at::linalg_cholesky_ex(matrices);
  if (info.any().item<bool>())
    throw Failure("heads of new tasks: a system is not positive definite (training diverged); lower learner.lr");
  return lower;
}

}  // namespace

HeadPrior fit_head_prior(const Tensor& heads) {
  at::NoGradGuard no_grad;
  const Tensor w = heads.to(at::kDouble).transpose(0, 1);  // [O, N, D]
  const int64_t n = w.size(1), d = w.size(2);
  const Tensor mean = w.mean(1, true);
  const Tensor centred = w - mean;
  const Tensor covariance = at::bmm(centred.transpose(1, 2), centred) / static_cast<double>(n);
  const Tensor diagonal = at::diag_embed(at::diagonal(covariance, 0, 1, 2) + kSmallestVariance);
  const double pull = static_cast<double>(d) / static_cast<double>(n + d);
  const Tensor drawn = (1 - pull) * covariance + pull * diagonal;
  return {mean.squeeze(1), at::cholesky_inverse(factor(drawn + kSmallestVariance * at::eye(d, w.options())))};
}

Tensor most_probable_heads(const Tensor& x, const Tensor& importance, const HeadPrior& prior, bool quadratic,
                           const std::function<Tensor(const Tensor&)>& loss) {
  at::NoGradGuard no_grad;
  const int64_t tasks = x.size(0), outputs = prior.mean.size(0), d = prior.mean.size(1);
  const Tensor features = x.detach().to(at::kDouble);  // [T, S, D]
  const Tensor rows = importance.to(at::kDouble).unsqueeze(-1);
  const Tensor mean = prior.mean.to(at::kDouble), precision = prior.precision.to(at::kDouble);
  Tensor w = mean.expand({tasks, outputs, d}).clone();
  const int most = quadratic ? 1 : outputs == 1 ? kNewtonSteps : kBoundSteps;
  for (int step = 0; step < most; ++step) {
    const Tensor output = at::matmul(features, w.transpose(1, 2));  // [T, S, O]
    const auto slopes = derivatives(loss, output.to(x.scalar_type()));
    const Tensor gradient = slopes.first.to(at::kDouble) * rows, curvature = slopes.second.to(at::kDouble) * rows;
    std::vector<Tensor> moves;
    for (int64_t o = 0; o < outputs; ++o) {
      const Tensor weighted = features * curvature.narrow(2, o, 1);
      const Tensor a = at::baddbmm(precision[o].expand({tasks, d, d}), weighted.transpose(1, 2), features);
      const Tensor b =
          (features * gradient.narrow(2, o, 1)).sum(1) + at::matmul(w.select(1, o) - mean[o], precision[o]);
      moves.push_back(at::cholesky_solve(b.unsqueeze(2), factor(a)).squeeze(2));
    }
    const Tensor move = at::stack(moves, 1);
    if (quadratic || x.size(1) == 0) return (w - move).to(x.scalar_type());
    const Tensor moved = (at::matmul(features, move.transpose(1, 2)).abs() * rows.gt(0)).amax({1, 2});
    w = w - move / (moved / kLargestMove).clamp_min(1).view({tasks, 1, 1});
  }
  return w.to(x.scalar_type());
}

}  // namespace fewshop::learning
