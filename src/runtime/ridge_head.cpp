#include "runtime/ridge_head.h"

#include <algorithm>
#include <cmath>

#include "runtime/head.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

struct RidgeWorkspace : Workspace {
  HeadPosterior posterior;
  std::vector<float> z;                    // [S, D'] where there is a constant; else the caller's vectors
  std::vector<int32_t> rows;               // 0, 1, ...
  std::vector<float> target, precision;    // [S]
  std::vector<double> weights, residuals;  // [O, D'], [O, S]
  mutable std::vector<float> query;        // [D']
  mutable std::vector<double> link;        // [O]
};

double dot(const double* w, std::span<const float> x) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= x.size(); i += 4)
    for (size_t j = 0; j < 4; ++j) sums[j] += w[i + j] * x[i + j];
  for (; i < x.size(); ++i) sums[0] += w[i] * x[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

RidgeHead::RidgeHead(Arrays arrays) : a_(std::move(arrays)) {
  require(a_.size > 0 && a_.penalty > 0 && std::isfinite(a_.scale) && std::isfinite(a_.constant) &&
              a_.bias.size() == static_cast<size_t>(a_.link.outputs),
          "ridge: sizes disagree, or the penalty is not above 0");
}

std::unique_ptr<Workspace> RidgeHead::workspace() const {
  auto w = std::make_unique<RidgeWorkspace>();
  w->query.resize(inputs());
  w->link.resize(a_.link.outputs);
  w->weights.resize(static_cast<size_t>(a_.link.outputs) * inputs());
  if (a_.constant != 0) w->query.back() = a_.constant;
  return w;
}

float RidgeHead::target(const HeadSupport& support, size_t row, int32_t output) const {
  const float y = support.target[row];
  const double base = (support.offset.empty() ? 0 : support.offset[row]) + a_.bias[output];
  switch (a_.link.glm.family) {
    case Family::kGaussian:
      return static_cast<float>(y - base);
    case Family::kCategorical:
      return y == static_cast<float>(output) ? 1.0F : -1.0F;
    case Family::kOrdinal:
      return y - 0.5F * static_cast<float>(a_.link.glm.threshold.size());
    case Family::kPoisson:
    case Family::kNegativeBinomial:
      return static_cast<float>(std::log1p(y) - base);
    default:
      return 2 * y - 1;
  }
}

void RidgeHead::adapt(const HeadSupport& support, std::span<const ColumnView> /*description*/,
                      Workspace& workspace) const {
  auto& w = static_cast<RidgeWorkspace&>(workspace);
  const size_t n = support.target.size(), d = a_.size, width = inputs();
  const float* vectors = support.x.data();
  if (a_.constant != 0) {
    w.z.resize(n * width);
    for (size_t s = 0; s < n; ++s) {
      std::copy_n(vectors + s * d, d, w.z.data() + s * width);
      w.z[s * width + d] = a_.constant;
    }
    vectors = w.z.data();
  }
  w.rows.resize(n);
  w.target.resize(n);
  w.precision.resize(n);
  w.residuals.resize(a_.link.outputs * n);
  const double unit = 1 / a_.penalty;
  for (size_t s = 0; s < n; ++s) {
    w.rows[s] = static_cast<int32_t>(s);
    w.precision[s] = static_cast<float>(support.weight[s] * unit);
  }
  for (int32_t o = 0; o < a_.link.outputs; ++o) {
    for (size_t s = 0; s < n; ++s) w.target[s] = target(support, s, o);
    if (o == 0)
      w.posterior.solve(vectors, static_cast<int64_t>(width), static_cast<int>(width), w.rows, w.target, w.precision,
                        {});
    else
      w.posterior.solve_again(w.target);
    std::copy_n(w.posterior.weights_double().data(), width, w.weights.data() + o * width);
    std::copy_n(w.posterior.residuals().data(), n, w.residuals.data() + o * n);
  }
}

void RidgeHead::predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const {
  const auto& w = static_cast<const RidgeWorkspace&>(workspace);
  const size_t width = inputs();
  for (int32_t o = 0; o < a_.link.outputs; ++o) {
    const double* weights = w.weights.data() + o * width;
    double sum = dot(weights, x);
    if (a_.constant != 0) sum += weights[width - 1] * a_.constant;
    w.link[o] = offset + a_.bias[o] + a_.scale * sum;
  }
  a_.link.predict(w.link, out);
}

double RidgeHead::explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                          std::span<double> contribution) const {
  const auto& w = static_cast<const RidgeWorkspace&>(workspace);
  std::copy(x.begin(), x.end(), w.query.begin());
  w.posterior.equivalent_kernel(w.query.data(), contribution);
  const double* residual = w.residuals.data() + output * contribution.size();
  for (size_t s = 0; s < contribution.size(); ++s) contribution[s] *= a_.scale * residual[s];
  return offset + a_.bias[output];
}

void RidgeHead::save(TensorFile& file, const std::string& prefix) const {
  file.put_text(prefix + "kind", std::string(kind()));
  a_.link.save(file, prefix);
  put_one<int32_t>(file, prefix + "size", a_.size);
  put_one<float>(file, prefix + "constant", a_.constant);
  file.put(prefix + "scalars", std::vector<double>{a_.penalty, a_.scale});
  file.put(prefix + "bias", a_.bias);
}

std::unique_ptr<TaskHead> RidgeHead::load(const TensorFile& file, const std::string& prefix) {
  Arrays a;
  a.link = HeadLink::load(file, prefix);
  a.size = get_one<int32_t>(file, prefix + "size");
  a.constant = get_one<float>(file, prefix + "constant");
  const auto scalars = file.get<double>(prefix + "scalars");
  require(scalars.size() == 2, "ridge: tensor scalars has ", scalars.size(),
          " values, expected 2; the file is damaged");
  a.penalty = scalars[0];
  a.scale = scalars[1];
  a.bias = file.get<double>(prefix + "bias");
  return std::make_unique<RidgeHead>(std::move(a));
}

}  // namespace fewshop
