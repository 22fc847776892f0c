#include "runtime/bayes_head.h"

#include <algorithm>
#include <cmath>

#include "runtime/head.h"
#include "runtime/member_support.h"
#include "runtime/softmax_posterior.h"

namespace fewshop {
namespace {

constexpr double kLongestStep = 2;  // of a link value in one Newton step

/// Minus the second derivative of the log-likelihood of a row: where the likelihood has only its expectation, as in
/// Fisher scoring, that of the row itself.
double bend_of(const Glm& glm, double eta, double target) {
  if (glm.family != Family::kNegativeBinomial) return glm.curvature(eta, target);
  const double share = sigmoid(eta - std::log(glm.size));  // mean / (mean + size)
  return std::max(1e-9, (target + glm.size) * share * (1 - share));
}

template <class A, class B>
double dot(const A* a, const B* b, int n) {
  double sums[4] = {};
  int i = 0;
  for (; i + 4 <= n; i += 4)
    for (int j = 0; j < 4; ++j) sums[j] += static_cast<double>(a[i + j]) * b[i + j];
  for (; i < n; ++i) sums[0] += static_cast<double>(a[i]) * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

struct BayesHead::State : Workspace {
  std::vector<double> shift;                            // [outputs, H] g
  std::vector<double> z, base;                          // [S, H], [S, outputs]
  HeadPosterior single;                                 // one output
  SoftmaxPosterior classes;                             // several
  std::vector<float> vectors;                           // [S, H] z in float
  std::vector<int32_t> rows;                            // 0, 1, ...
  std::vector<int> label;                               // [S]
  std::vector<float> response, precision, weight;       // [S] of the weighted least squares
  std::vector<double> moved;                            // [S] link value less its base
  mutable std::vector<double> query, link, covariance;  // [H], [outputs], [outputs, outputs]
  mutable std::vector<float> query_float;               // [H]
};

BayesHead::BayesHead(Arrays arrays) : a_(std::move(arrays)) {
  const size_t d = a_.size, h = d + 1, outputs = a_.link.outputs;
  const auto& inputs = a_.description_inputs;
  require(d > 0 && a_.steps > 0 && a_.spread > 0 && a_.mean.size() == outputs * d && a_.bias.size() == outputs &&
              a_.factor.size() == h * h && !inputs.empty() && inputs.front() == 0 &&
              std::is_sorted(inputs.begin(), inputs.end()) &&
              a_.description_weight.size() == static_cast<size_t>(inputs.back()) * outputs * h,
          "bayes: sizes of the head disagree");
  factor_.assign(a_.factor.begin(), a_.factor.end());
}

std::unique_ptr<Workspace> BayesHead::workspace() const {
  auto w = std::make_unique<State>();
  const size_t h = head_size(), outputs = a_.link.outputs;
  w->shift.resize(outputs * h);
  w->query.resize(h);
  w->query_float.resize(h);
  w->link.resize(outputs);
  w->covariance.resize(outputs * outputs);
  return w;
}

/// z = F^T (x, 1). Four rows of F at a time: what bounds it is reading and writing z.
void BayesHead::whiten(const float* x, double* z) const {
  const int h = head_size();
  const double* row = factor_.data();
  std::copy_n(row + static_cast<size_t>(a_.size) * h, h, z);
  int i = 0;
  for (; i + 4 <= a_.size; i += 4, row += 4 * h) {
    const double x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
    const double *r1 = row + h, *r2 = r1 + h, *r3 = r2 + h;
    for (int j = 0; j < h; ++j) z[j] += (x0 * row[j] + x1 * r1[j]) + (x2 * r2[j] + x3 * r3[j]);
  }
  for (; i < a_.size; ++i, row += h)
    for (int j = 0; j < h; ++j) z[j] += x[i] * row[j];
}

double BayesHead::prior_link(const State& state, std::span<const float> x, const double* z, float offset,
                             int output) const {
  return static_cast<double>(offset) + a_.bias[output] +
         dot(x.data(), a_.mean.data() + static_cast<size_t>(output) * a_.size, a_.size) +
         dot(z, state.shift.data() + static_cast<size_t>(output) * head_size(), head_size());
}

void BayesHead::adapt(const HeadSupport& support, std::span<const ColumnView> description, Workspace& workspace) const {
  auto& w = static_cast<State&>(workspace);
  const size_t n = support.target.size(), h = head_size(), outputs = a_.link.outputs;
  std::fill(w.shift.begin(), w.shift.end(), 0.0);
  if (!description.empty() && a_.description_inputs.back() > 0) {
    require(description.size() + 1 == a_.description_inputs.size(), "bayes: expected ",
            a_.description_inputs.size() - 1, " encoded description columns, got ", description.size());
    for (size_t c = 0; c < description.size(); ++c) {
      const auto add = [&](size_t input, double factor) {
        const size_t row = a_.description_inputs[c] + input;
        require(row < static_cast<size_t>(a_.description_inputs[c + 1]), "bayes: description column ", c,
                " has an entry that the model does not know");
        for (size_t j = 0; j < outputs * h; ++j) w.shift[j] += factor * a_.description_weight[row * outputs * h + j];
      };
      for (size_t j = 0; j < description[c].dense.size(); ++j) add(j, description[c].dense[j]);
      for (const int32_t id : description[c].ids) add(id, 1.0 / static_cast<double>(description[c].ids.size()));
    }
  }
  w.z.resize(n * h);
  w.base.resize(n * outputs);
  for (size_t s = 0; s < n; ++s) {
    const auto x = support.x.subspan(s * a_.size, a_.size);
    whiten(x.data(), w.z.data() + s * h);
    for (size_t o = 0; o < outputs; ++o)
      w.base[s * outputs + o] =
          prior_link(w, x, w.z.data() + s * h, support.offset.empty() ? 0 : support.offset[s], static_cast<int>(o));
  }
  if (outputs == 1)
    adapt_single(support, w);
  else
    adapt_classes(support, w);
}

void BayesHead::adapt_single(const HeadSupport& support, State& w) const {
  const size_t n = support.target.size(), h = head_size();
  w.vectors.resize(n * h);
  w.rows.resize(n);
  w.response.resize(n);
  w.precision.resize(n);
  for (size_t i = 0; i < n * h; ++i) w.vectors[i] = static_cast<float>(w.z[i]);
  for (size_t s = 0; s < n; ++s) w.rows[s] = static_cast<int32_t>(s);
  w.moved.assign(n, 0.0);
  const int steps = a_.link.glm.family == Family::kGaussian || n == 0 ? 1 : a_.steps;
  for (int step = 0; step < steps; ++step) {
    for (size_t s = 0; s < n; ++s) {
      const double eta = w.base[s] + w.moved[s], target = support.target[s];
      const double bend = bend_of(a_.link.glm, eta, target);
      w.response[s] = static_cast<float>(w.moved[s] + a_.link.glm.slope(eta, target) / bend);
      w.precision[s] = static_cast<float>(support.weight[s] * bend);
    }
    w.single.solve(w.vectors.data(), static_cast<int64_t>(h), static_cast<int>(h), w.rows, w.response, w.precision, {});
    if (step + 1 == steps) break;
    const double* weights = w.single.weights_double().data();
    double longest = 0;
    for (size_t s = 0; s < n; ++s) {
      const double change = dot(w.vectors.data() + s * h, weights, static_cast<int>(h)) - w.moved[s];
      w.response[s] = static_cast<float>(change);
      if (support.weight[s] > 0) longest = std::max(longest, std::abs(change));
    }
    const double share = kLongestStep / std::max(kLongestStep, longest);
    for (size_t s = 0; s < n; ++s) w.moved[s] += share * w.response[s];
  }
}

void BayesHead::adapt_classes(const HeadSupport& support, State& w) const {
  const size_t n = support.target.size();
  w.label.resize(n);
  w.weight.resize(n);
  for (size_t s = 0; s < n; ++s) {
    const float target = support.target[s];
    const bool known = target >= 0 && target < static_cast<float>(a_.link.outputs);
    w.label[s] = known ? static_cast<int>(target) : 0;
    w.weight[s] = known ? support.weight[s] : 0;
  }
  w.classes.solve(w.z, w.base, w.label, w.weight, head_size(), a_.link.outputs, a_.steps);
}

void BayesHead::predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const {
  const auto& w = static_cast<const State&>(workspace);
  const int h = head_size(), outputs = a_.link.outputs;
  whiten(x.data(), w.query.data());
  const double* weights = outputs == 1 ? w.single.weights_double().data() : w.classes.weights().data();
  for (int o = 0; o < outputs; ++o)
    w.link[o] =
        prior_link(w, x, w.query.data(), offset, o) + dot(w.query.data(), weights + static_cast<size_t>(o) * h, h);
  if (outputs == 1) {
    for (int j = 0; j < h; ++j) w.query_float[j] = static_cast<float>(w.query[j]);
    w.covariance[0] = w.single.variance(w.query_float.data());
  } else {
    w.classes.covariance(w.query, w.covariance);
  }
  if (a_.link.glm.family != Family::kGaussian)
    for (double& c : w.covariance) c *= a_.spread;
  a_.link.predict(w.link, w.covariance, out);
}

double BayesHead::explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                          std::span<double> contribution) const {
  const auto& w = static_cast<const State&>(workspace);
  whiten(x.data(), w.query.data());
  if (a_.link.outputs == 1) {
    for (int j = 0; j < head_size(); ++j) w.query_float[j] = static_cast<float>(w.query[j]);
    w.single.equivalent_kernel(w.query_float.data(), contribution);
    for (size_t s = 0; s < contribution.size(); ++s) contribution[s] *= w.single.residuals()[s];
  } else {
    w.classes.evidence(w.query, output, contribution);
  }
  return prior_link(w, x, w.query.data(), offset, output);
}

void BayesHead::save(TensorFile& file, const std::string& prefix) const {
  const int64_t h = head_size(), outputs = a_.link.outputs;
  file.put_text(prefix + "kind", std::string(kind()));
  a_.link.save(file, prefix);
  file.put(prefix + "sizes", std::vector<int32_t>{a_.size, a_.steps});
  put_one<double>(file, prefix + "spread", a_.spread);
  file.put(prefix + "mean", a_.mean, {outputs, a_.size});
  file.put(prefix + "bias", a_.bias);
  file.put(prefix + "factor", a_.factor, {h, h});
  file.put(prefix + "description_inputs", a_.description_inputs);
  file.put(prefix + "description_weight", a_.description_weight, {a_.description_inputs.back(), outputs * h});
}

std::unique_ptr<TaskHead> BayesHead::load(const TensorFile& file, const std::string& prefix) {
  Arrays a;
  a.link = HeadLink::load(file, prefix);
  const auto sizes = file.get<int32_t>(prefix + "sizes");
  require(sizes.size() == 2, "bayes: sizes of the head have the wrong length; the file is damaged");
  a.size = sizes[0];
  a.steps = sizes[1];
  a.spread = get_one<double>(file, prefix + "spread");
  a.mean = file.get<float>(prefix + "mean");
  a.bias = file.get<float>(prefix + "bias");
  a.factor = file.get<float>(prefix + "factor");
  a.description_inputs = file.get<int32_t>(prefix + "description_inputs");
  a.description_weight = file.get<float>(prefix + "description_weight");
  return std::make_unique<BayesHead>(std::move(a));
}

}  // namespace fewshop
