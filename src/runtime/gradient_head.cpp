#include "runtime/gradient_head.h"

#include <algorithm>
#include <cmath>

#include "runtime/inner_slope.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

double dot(const double* w, const float* x, size_t n) {
  // Eight independent sums, so that the compiler can use vector registers without reordering a single sum.
  double sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (size_t j = 0; j < 8; ++j) sums[j] += w[i + j] * x[i + j];
  for (; i < n; ++i) sums[i & 7] += w[i] * x[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

}  // namespace

// Axes: S support rows, D features, O outputs, J steps.
struct GradientHead::State : Workspace {
  HeadSupport support;
  std::vector<double> share;              // [S] what a row counts in the mean
  std::vector<double> rate;               // [J, 2]
  std::vector<double> weights, gradient;  // [O, D + 1]
  std::vector<double> slopes;             // [J, S, O] share * d loss / d output
  std::vector<double> output, slope;      // [O]
  mutable std::vector<double> link;       // [O]
  mutable std::vector<double> moved;      // [D + 1]
  mutable std::vector<double> scaled;     // [D + 1]
};

GradientHead::GradientHead(Arrays arrays) : a_(std::move(arrays)) {
  const size_t expected = static_cast<size_t>(a_.link.outputs) * (a_.size + 1);
  require(a_.size > 0 && a_.scale > 0 && a_.weights.size() == expected &&
              (a_.coordinate.empty() || a_.coordinate.size() == expected) && a_.steps.parts == 2,
          "gradient head: sizes disagree");
  a_.steps.check();
  require_finite(a_.weights, "gradient head");
  require_finite(a_.coordinate, "gradient head");
}

std::unique_ptr<Workspace> GradientHead::workspace() const {
  auto state = std::make_unique<State>();
  state->weights.resize(a_.weights.size());
  state->gradient.resize(a_.weights.size());
  state->output.resize(a_.link.outputs);
  state->slope.resize(a_.link.outputs);
  state->link.resize(a_.link.outputs);
  state->moved.resize(a_.size + 1);
  state->scaled.resize(a_.size + 1);
  return state;
}

void GradientHead::adapt(const HeadSupport& support, std::span<const ColumnView> /*description*/,
                         Workspace& workspace) const {
  auto& w = static_cast<State&>(workspace);
  const size_t rows = support.target.size(), size = a_.size, width = size + 1, outputs = a_.link.outputs;
  w.support = support;
  std::copy(a_.weights.begin(), a_.weights.end(), w.weights.begin());
  double total = 0;
  for (const float weight : support.weight) total += weight;
  w.share.resize(rows);
  for (size_t s = 0; s < rows; ++s) w.share[s] = support.weight[s] / std::max(total, 1e-6);
  a_.steps.rates(static_cast<double>(rows), w.rate);
  w.slopes.resize(rows == 0 ? 0 : a_.steps.steps * rows * outputs);
  for (int step = 0; step < (rows == 0 ? 0 : a_.steps.steps); ++step) {
    std::fill(w.gradient.begin(), w.gradient.end(), 0.0);
    for (size_t s = 0; s < rows; ++s) {
      const float* x = support.x.data() + s * size;
      for (size_t o = 0; o < outputs; ++o)
        w.output[o] = dot(w.weights.data() + o * width, x, size) + w.weights[o * width + size];
      inner_slope(a_.link, a_.scale, w.output, support.target[s], support.offset.empty() ? 0 : support.offset[s],
                  w.slope);
      for (size_t o = 0; o < outputs; ++o) {
        const double slope = w.share[s] * w.slope[o];
        w.slopes[(step * rows + s) * outputs + o] = slope;
        double* gradient = w.gradient.data() + o * width;
        for (size_t d = 0; d < size; ++d) gradient[d] += slope * x[d];
        gradient[size] += slope;
      }
    }
    for (size_t i = 0; i < w.weights.size(); ++i) {
      const double rate = w.rate[2 * step + (i % width == size ? 1 : 0)];
      w.weights[i] -= rate * (a_.coordinate.empty() ? 1 : a_.coordinate[i]) * w.gradient[i];
    }
  }
}

void GradientHead::predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const {
  const auto& w = static_cast<const State&>(workspace);
  const size_t size = a_.size;
  for (int o = 0; o < a_.link.outputs; ++o) {
    const double* weights = w.weights.data() + o * (size + 1);
    w.link[o] = offset + a_.scale * (dot(weights, x.data(), size) + weights[size]);
  }
  a_.link.predict(w.link, out);
}

double GradientHead::initial(std::span<const float> x, int output) const {
  const float* weights = a_.weights.data() + static_cast<size_t>(output) * (a_.size + 1);
  double sum = weights[a_.size];
  for (int32_t d = 0; d < a_.size; ++d) sum += static_cast<double>(weights[d]) * x[d];
  return sum;
}

double GradientHead::explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                             std::span<double> contribution) const {
  const auto& w = static_cast<const State&>(workspace);
  std::fill(contribution.begin(), contribution.end(), 0.0);
  if (!w.slopes.empty()) {
    if (a_.link.glm.family == Family::kGaussian)
      explain_linear(w, x, contribution);
    else
      explain_steps(w, x, output, contribution);
  }
  for (double& c : contribution) c *= a_.scale;
  return offset + a_.scale * initial(x, output);
}

// delta_J = D_J (m e) with D_{j+1} = D_j - 2 A_j (X^T m X D_j - X^T), e the first residuals (maml_explain.cpp). For one
// query u it is cheaper from behind: u_J = [x, 1], u_j = u_{j+1} - 2 X^T m X A_j u_{j+1}, and a row s has
// sum over j of 2 x_s . A_j u_{j+1}, times m_s e_s, which is minus half its first slope.
void GradientHead::explain_linear(const State& w, std::span<const float> x, std::span<double> contribution) const {
  const size_t size = a_.size, rows = contribution.size();
  std::copy(x.begin(), x.end(), w.moved.begin());
  w.moved[size] = 1;
  for (int step = a_.steps.steps - 1; step >= 0; --step) {
    for (size_t d = 0; d <= size; ++d)
      w.scaled[d] =
          2 * w.rate[2 * step + (d == size ? 1 : 0)] * (a_.coordinate.empty() ? 1 : a_.coordinate[d]) * w.moved[d];
    for (size_t s = 0; s < rows; ++s) {
      const float* row = w.support.x.data() + s * size;
      const double kernel = dot(w.scaled.data(), row, size) + w.scaled[size];
      contribution[s] -= 0.5 * kernel * w.slopes[s];
      if (step == 0) continue;
      const double factor = w.share[s] * kernel;
      for (size_t d = 0; d < size; ++d) w.moved[d] -= factor * row[d];
      w.moved[size] -= factor;
    }
  }
}

void GradientHead::explain_steps(const State& w, std::span<const float> x, int output,
                                 std::span<double> contribution) const {
  const size_t size = a_.size, rows = contribution.size(), outputs = a_.link.outputs;
  const float* coordinate = a_.coordinate.empty() ? nullptr : a_.coordinate.data() + output * (size + 1);
  for (size_t d = 0; d < size; ++d) w.scaled[d] = x[d] * (coordinate ? coordinate[d] : 1.0);
  const double bias = coordinate ? coordinate[size] : 1;
  for (size_t s = 0; s < rows; ++s) {
    const double kernel = dot(w.scaled.data(), w.support.x.data() + s * size, size);
    for (int step = 0; step < a_.steps.steps; ++step)
      contribution[s] -=
          w.slopes[(step * rows + s) * outputs + output] * (w.rate[2 * step] * kernel + w.rate[2 * step + 1] * bias);
  }
}

void GradientHead::save(TensorFile& file, const std::string& prefix) const {
  file.put_text(prefix + "kind", std::string(kind()));
  a_.link.save(file, prefix);
  put_one<int32_t>(file, prefix + "size", a_.size);
  put_one<double>(file, prefix + "scale", a_.scale);
  file.put(prefix + "weights", a_.weights);
  file.put(prefix + "coordinate", a_.coordinate);
  a_.steps.save(file, prefix);
}

std::unique_ptr<TaskHead> GradientHead::load(const TensorFile& file, const std::string& prefix) {
  Arrays a;
  a.link = HeadLink::load(file, prefix);
  a.size = get_one<int32_t>(file, prefix + "size");
  a.scale = get_one<double>(file, prefix + "scale");
  a.weights = file.get<float>(prefix + "weights");
  a.coordinate = file.get<float>(prefix + "coordinate");
  a.steps = StepTable::load(file, prefix);
  return std::make_unique<GradientHead>(std::move(a));
}

}  // namespace fewshop
