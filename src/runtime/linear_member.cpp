#include "runtime/linear_member.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <numbers>

#include "bundle/tensor_file.h"
#include "core/error.h"

namespace fewshop {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int kNewtonSteps = 50, kBoundSteps = 500;
constexpr double kTolerance = 1e-10;

}  // namespace

/// What adapting leaves, n support rows, C outputs.
struct LinearMember::State final : Workspace {
  std::span<const ColumnView> description;
  std::vector<SparseRow> rows;  // grows, is reused
  size_t count = 0;             // n: rows in use
  std::vector<float> target, weight;
  MatrixXd offset;                // [n, C] eta without deviation
  MatrixXd kernel, dual, f;       // [n, n], [n, C], [n, C] f = kernel dual
  VectorXd root;                  // [n] square roots of the curvatures
  Eigen::LLT<MatrixXd> factor;    // of I + root kernel root, or of kernel + 2 / weight (categorical)
  mutable SparseRow asked, full;  // of the row that is asked for
};

/// What is known of one query row.
struct LinearMember::Asked {
  VectorXd pooled, evidence;  // [C] eta of the pooled model (scaled), f
  VectorXd kernel;            // [n] k(row, support row)
  double variance = 0;        // of f, posterior
};

LinearMember::LinearMember(Parts parts) : p_(std::move(parts)) {
  const auto outputs = static_cast<size_t>(std::max(1, p_.outputs));
  require(p_.outputs >= 1 && p_.weights.size() == static_cast<size_t>(p_.inputs.size()) * outputs &&
              p_.intercept.size() == outputs,
          p_.name, ": expected ", p_.inputs.size(), " x ", outputs, " weights, got ", p_.weights.size());
  require(p_.ridge > 0 && p_.intercept_ridge > 0 && p_.scale > 0 && p_.glm.variance > 0, p_.name,
          ": ridges, scale and variance must be above 0");
  require(p_.glm.family != Family::kOrdinal || !p_.glm.threshold.empty(), p_.name, ": no thresholds");
  require(p_.glm.family != Family::kNegativeBinomial || p_.glm.size > 0, p_.name, ": size must be above 0");
  glm_ = p_.glm;
  if (!p_.adapts) return;
  // Within one task effects are larger and noise is smaller than over all.
  for (double& t : glm_.threshold) t *= std::sqrt(1 + std::numbers::pi * p_.mean_kernel / 8);
  glm_.variance /= 1 + p_.mean_kernel;
  if (glm_.family != Family::kNegativeBinomial) return;
  // What the tasks' own levels add to the width of a count is no noise; a tenth of the width stays in any case.
  const double wider = std::exp(std::min(p_.mean_kernel, 30.0));
  glm_.size = 1 / std::max(0.1 / p_.glm.size, (1 / p_.glm.size - (wider - 1)) / wider);
}

std::unique_ptr<Workspace> LinearMember::workspace() const { return std::make_unique<State>(); }

void LinearMember::pooled(const SparseRow& row, std::span<double> eta) const {
  for (size_t c = 0; c < eta.size(); ++c) eta[c] = p_.intercept[c];
  for (size_t i = 0; i < row.size(); ++i) {
    const float* w = p_.weights.data() + static_cast<size_t>(row.index[i]) * eta.size();
    for (size_t c = 0; c < eta.size(); ++c) eta[c] += static_cast<double>(row.value[i]) * w[c];
  }
}

/// In units of the noise for gaussian targets.
double LinearMember::kernel(const SparseRow& a, const SparseRow& b) const {
  const double unit = glm_.family == Family::kGaussian && !categorical() ? glm_.variance : 1;
  return unit * (1 / p_.intercept_ridge + dot(a, b) / p_.ridge);
}

/// eta of the pooled model as it is within one task; `self` is k(row, row).
double LinearMember::offset(double eta, double self) const {
  if (!p_.adapts || categorical()) return eta;
  switch (glm_.family) {
    case Family::kBernoulli:
      return eta * std::sqrt(1 + std::numbers::pi * self / 8);
    case Family::kOrdinal:
      return eta * std::sqrt(1 + std::numbers::pi * p_.mean_kernel / 8);
    case Family::kPoisson:
    case Family::kNegativeBinomial:
      return eta - self / 2;
    default:
      return eta;
  }
}

void LinearMember::adapt(const RowTask& task, Workspace& workspace) const {
  auto& state = static_cast<State&>(workspace);
  state.description = task.description;
  state.count = p_.adapts ? task.support.size() : 0;
  if (state.count == 0) return;
  const auto n = static_cast<Eigen::Index>(state.count);
  if (state.rows.size() < state.count) state.rows.resize(state.count);
  state.target.clear();
  state.weight.clear();
  state.offset.resize(n, p_.outputs);
  state.kernel.resize(n, n);
  std::vector<double> eta(static_cast<size_t>(p_.outputs));
  for (Eigen::Index i = 0; i < n; ++i) {
    const Example& example = task.support[i];
    p_.inputs.flatten(example.input, task.description, state.full);
    p_.inputs.flatten(example.input, {}, state.rows[i]);
    state.target.push_back(categorical() || glm_.family != Family::kGaussian
                               ? example.target
                               : static_cast<float>((example.target - p_.centre) / p_.scale));
    state.weight.push_back(example.weight);
    pooled(state.full, eta);
    for (Eigen::Index j = 0; j <= i; ++j)
      state.kernel(i, j) = state.kernel(j, i) = kernel(state.rows[i], state.rows[j]);
    for (int32_t c = 0; c < p_.outputs; ++c) state.offset(i, c) = offset(eta[c], state.kernel(i, i));
  }
  categorical() ? solve_categorical(state) : solve(state);
}

/// Newton's steps to the mode, halved where they overshoot.
void LinearMember::solve(State& state) const {
  const auto n = static_cast<Eigen::Index>(state.count);
  const MatrixXd& k = state.kernel;
  VectorXd dual = VectorXd::Zero(n), f = VectorXd::Zero(n), curvature(n), slope(n);
  const auto objective = [&](const VectorXd& a, const VectorXd& at) {
    double sum = -0.5 * a.dot(at);
    for (Eigen::Index i = 0; i < n; ++i)
      sum += state.weight[i] * glm_.log_likelihood(state.offset(i, 0) + at[i], state.target[i]);
    return sum;
  };
  double value = objective(dual, f);
  for (int step = 0; step < kNewtonSteps; ++step) {
    for (Eigen::Index i = 0; i < n; ++i) {
      const double eta = state.offset(i, 0) + f[i];
      slope[i] = state.weight[i] * glm_.slope(eta, state.target[i]);
      curvature[i] = state.weight[i] * glm_.curvature(eta, state.target[i]);
    }
    state.root = curvature.cwiseSqrt();
    MatrixXd system = state.root.asDiagonal() * k * state.root.asDiagonal();
    system.diagonal().array() += 1;
    state.factor.compute(system);
    const VectorXd b = curvature.cwiseProduct(f) + slope;
    const VectorXd full =
        b - state.root.cwiseProduct(state.factor.solve(VectorXd(state.root.cwiseProduct(VectorXd(k * b)))));
    const VectorXd direction = full - dual;
    double length = 1, next = value;
    VectorXd at;
    for (int halving = 0; halving < 20; ++halving, length /= 2) {
      const VectorXd a = dual + length * direction;
      at = k * a;
      next = objective(a, at);
      if (next >= value - 1e-12 * (1 + std::abs(value))) break;
    }
    dual += length * direction;
    const double moved = (at - f).cwiseAbs().maxCoeff();
    f = at;
    value = next;
    if (moved < kTolerance * (1 + f.cwiseAbs().maxCoeff())) break;
  }
  state.dual = dual;
  state.f = f;
}

void LinearMember::solve_categorical(State& state) const {
  const auto n = static_cast<Eigen::Index>(state.count);
  VectorXd slack(n);
  for (Eigen::Index i = 0; i < n; ++i) slack[i] = 2 / std::max(1e-9, static_cast<double>(state.weight[i]));
  MatrixXd system = state.kernel;
  system.diagonal() += slack;
  state.factor.compute(system);
  state.dual = MatrixXd::Zero(n, p_.outputs);
  state.f = MatrixXd::Zero(n, p_.outputs);
  MatrixXd right(n, p_.outputs);
  std::vector<double> eta(static_cast<size_t>(p_.outputs));
  for (int step = 0; step < kBoundSteps; ++step) {
    for (Eigen::Index i = 0; i < n; ++i) {
      for (int32_t c = 0; c < p_.outputs; ++c) eta[c] = state.offset(i, c) + state.f(i, c);
      softmax(eta, eta);
      for (int32_t c = 0; c < p_.outputs; ++c) {
        const double slope = state.weight[i] * ((state.target[i] == static_cast<float>(c)) - eta[c]);
        right(i, c) = slack[i] * slope + state.f(i, c);
      }
    }
    state.dual = state.factor.solve(right);
    right = state.kernel * state.dual;  // the next f
    const double moved = (right - state.f).cwiseAbs().maxCoeff();
    state.f.swap(right);
    if (moved < 1e-8 * (1 + state.f.cwiseAbs().maxCoeff())) break;
  }
}

void LinearMember::ask(const State& state, const RowInput& row, Asked& asked) const {
  p_.inputs.flatten(row, state.description, state.full);
  std::vector<double> eta(static_cast<size_t>(p_.outputs));
  pooled(state.full, eta);
  asked.pooled.resize(p_.outputs);
  asked.evidence = VectorXd::Zero(p_.outputs);
  asked.kernel.resize(static_cast<Eigen::Index>(state.count));
  asked.variance = 0;
  double self = 0;
  if (p_.adapts) {
    p_.inputs.flatten(row, {}, state.asked);
    self = kernel(state.asked, state.asked);
  }
  for (int32_t c = 0; c < p_.outputs; ++c) asked.pooled[c] = offset(eta[c], self);
  asked.variance = self;
  if (state.count == 0) return;
  for (size_t i = 0; i < state.count; ++i)
    asked.kernel[static_cast<Eigen::Index>(i)] = kernel(state.asked, state.rows[i]);
  asked.evidence = state.dual.transpose() * asked.kernel;
  if (categorical()) return;
  const VectorXd half = state.factor.matrixL().solve(VectorXd(state.root.cwiseProduct(asked.kernel)));
  asked.variance = std::max(0.0, self - half.squaredNorm());
}

/// With all of the evidence (1), or none but its certainty (0).
void LinearMember::distribution(const Asked& asked, double share_of_evidence, Predictive& out) const {
  const VectorXd eta = asked.pooled + share_of_evidence * asked.evidence;
  if (categorical()) {
    out.family = Family::kCategorical;
    out.probability.resize(static_cast<size_t>(p_.outputs));
    softmax({eta.data(), static_cast<size_t>(eta.size())}, out.probability);
    return;
  }
  glm_.predict(eta[0], asked.variance, out);
  if (glm_.family != Family::kGaussian) return;
  out.mean = p_.centre + p_.scale * out.mean;
  out.variance *= p_.scale * p_.scale;
}

void LinearMember::predict(const Workspace& workspace, const RowInput& row, Predictive& out) const {
  Asked asked;
  ask(static_cast<const State&>(workspace), row, asked);
  distribution(asked, 1, out);
}

double LinearMember::explain(const Workspace& workspace, const RowInput& row, int32_t label,
                             std::span<double> contribution) const {
  const auto& state = static_cast<const State&>(workspace);
  Asked asked;
  ask(state, row, asked);
  Predictive without, with;
  distribution(asked, 0, without);
  distribution(asked, 1, with);
  const double total = link(with.family, level(with, label));
  std::fill(contribution.begin(), contribution.end(), 0.0);
  if (state.count == 0) return total;
  // What moves the class in question is its eta less what the others gain.
  VectorXd direction = VectorXd::Ones(1);
  if (categorical()) {
    direction.resize(p_.outputs);
    const double others = std::max(1e-12, 1 - with.probability[label]);
    for (int32_t c = 0; c < p_.outputs; ++c) direction[c] = c == label ? 1 : -with.probability[c] / others;
  }
  const VectorXd terms = asked.kernel.cwiseProduct(state.dual * direction);
  const double sum = terms.sum(), moved = total - link(without.family, level(without, label));
  // Exact (1, or the damping) where the link is that of the model; else each row's share of what all moved.
  const double scale = std::abs(sum) > 1e-9 ? std::clamp(moved / sum, 0.0, 10.0 + p_.scale) : 0;
  double added = 0;
  for (size_t i = 0; i < contribution.size() && i < state.count; ++i)
    added += contribution[i] = scale * terms[static_cast<Eigen::Index>(i)];
  return total - added;
}

void LinearMember::save(TensorFile& file) const {
  file.put_text("kind", "linear");
  file.put_text("name", p_.name);
  file.put_text("family", std::string(categorical() ? family_name(Family::kCategorical) : family_name(p_.glm.family)));
  p_.inputs.save(file);
  file.put("weights", p_.weights, {p_.inputs.size(), p_.outputs});
  file.put("intercept", p_.intercept);
  file.put("threshold", p_.glm.threshold);
  file.put("scalars", std::vector<double>{p_.glm.variance, p_.glm.size, p_.centre, p_.scale, p_.adapts ? 1.0 : 0.0,
                                          p_.ridge, p_.intercept_ridge, p_.mean_kernel});
}

std::unique_ptr<RowMember> LinearMember::load(const TensorFile& file) {
  Parts parts;
  parts.name = file.text("name");
  const auto family = family_from_name(file.text("family"));
  require(family.has_value(), parts.name, ": unknown family '", file.text("family"), "'");
  parts.inputs = RowInputs::load(file);
  parts.weights = file.get<float>("weights");
  parts.intercept = file.get<float>("intercept");
  parts.outputs = static_cast<int32_t>(parts.intercept.size());
  require((parts.outputs > 1) == (*family == Family::kCategorical), parts.name, ": ", parts.outputs,
          " outputs do not go with its family");
  if (parts.outputs == 1) parts.glm.family = *family;
  parts.glm.threshold = file.get<double>("threshold");
  const auto scalars = file.get<double>("scalars");
  require(scalars.size() == 8, parts.name, ": expected 8 scalars, got ", scalars.size());
  parts.glm.variance = scalars[0];
  parts.glm.size = scalars[1];
  parts.centre = scalars[2];
  parts.scale = scalars[3];
  parts.adapts = scalars[4] != 0;
  parts.ridge = scalars[5];
  parts.intercept_ridge = scalars[6];
  parts.mean_kernel = scalars[7];
  return std::make_unique<LinearMember>(std::move(parts));
}

}  // namespace fewshop
