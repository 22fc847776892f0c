#include "learner/baseline/content_fit.h"

#include <algorithm>
#include <cmath>

#include "core/cancel.h"

namespace fewshop {

namespace {

constexpr int kMaxIterations = 100;
constexpr double kTolerance = 1e-4;  // of the residual's length, per output

/// Features of the used items as sparse rows; the last input is the constant 1.
struct Design {
  std::vector<int64_t> begin{0};
  std::vector<int64_t> input;
  std::vector<float> value;
  std::vector<int32_t> item;
};

Design make_design(const Columns& columns, const std::vector<ContentMap::Input>& inputs, int64_t constant,
                   std::span<const float> weights) {
  Design design;
  std::vector<ColumnView> views(columns.columns.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] > 0)) continue;
    if (static_cast<int64_t>(i) < columns.rows) {
      for (size_t c = 0; c < views.size(); ++c) views[c] = columns.columns[c].row(static_cast<int64_t>(i));
      visit_content(inputs, views, [&](int64_t row, float value) {
        design.input.push_back(row);
        design.value.push_back(value);
      });
    }
    design.input.push_back(constant);
    design.value.push_back(1);
    design.item.push_back(static_cast<int32_t>(i));
    design.begin.push_back(static_cast<int64_t>(design.input.size()));
  }
  return design;
}

/// The normal equations (Xᵀ D X + penalty) W = Xᵀ D Y, all outputs side by side. Arrays are [inputs, outputs].
class NormalEquations {
 public:
  NormalEquations(const Design& design, std::span<const float> weights, std::vector<double> penalty, int32_t outputs)
      : design_(design),
        weights_(weights),
        penalty_(std::move(penalty)),
        outputs_(outputs),
        diagonal_(penalty_),
        row_(outputs) {
    for (size_t r = 0; r < design_.item.size(); ++r)
      for (int64_t e = design_.begin[r]; e < design_.begin[r + 1]; ++e)
        diagonal_[design_.input[e]] +=
            static_cast<double>(weights_[design_.item[r]]) * design_.value[e] * design_.value[e];
  }

  size_t size() const { return penalty_.size() * outputs_; }
  double diagonal(size_t input) const { return diagonal_[input]; }

  std::vector<double> right_side(std::span<const float> targets) const {
    std::vector<double> right(size(), 0.0);
    for (size_t r = 0; r < design_.item.size(); ++r) {
      const float* target = targets.data() + static_cast<size_t>(design_.item[r]) * outputs_;
      for (int64_t e = design_.begin[r]; e < design_.begin[r + 1]; ++e)
        for (int32_t o = 0; o < outputs_; ++o)
          right[design_.input[e] * outputs_ + o] +=
              static_cast<double>(weights_[design_.item[r]]) * design_.value[e] * target[o];
    }
    return right;
  }

  void multiply(const std::vector<double>& p, std::vector<double>& out) {
    for (size_t i = 0; i < penalty_.size(); ++i)
      for (int32_t o = 0; o < outputs_; ++o) out[i * outputs_ + o] = penalty_[i] * p[i * outputs_ + o];
    for (size_t r = 0; r < design_.item.size(); ++r) {
      std::fill(row_.begin(), row_.end(), 0.0);
      for (int64_t e = design_.begin[r]; e < design_.begin[r + 1]; ++e)
        for (int32_t o = 0; o < outputs_; ++o) row_[o] += design_.value[e] * p[design_.input[e] * outputs_ + o];
      for (int32_t o = 0; o < outputs_; ++o) row_[o] *= weights_[design_.item[r]];
      for (int64_t e = design_.begin[r]; e < design_.begin[r + 1]; ++e)
        for (int32_t o = 0; o < outputs_; ++o) out[design_.input[e] * outputs_ + o] += design_.value[e] * row_[o];
    }
  }

  int32_t outputs() const { return outputs_; }

 private:
  const Design& design_;
  std::span<const float> weights_;
  std::vector<double> penalty_;
  int32_t outputs_;
  std::vector<double> diagonal_, row_;
};

/// Dot products of two [inputs, outputs] arrays, one per output.
std::vector<double> dots(const std::vector<double>& a, const std::vector<double>& b, int32_t outputs) {
  std::vector<double> result(outputs, 0.0);
  for (size_t i = 0; i < a.size(); i += outputs)
    for (int32_t o = 0; o < outputs; ++o) result[o] += a[i + o] * b[i + o];
  return result;
}

std::vector<double> solve(NormalEquations& equations, const std::vector<double>& right) {
  const int32_t outputs = equations.outputs();
  std::vector<double> x(right.size(), 0.0), residual = right, z(right.size()), product(right.size());
  const auto precondition = [&] {
    for (size_t i = 0; i < z.size(); ++i) z[i] = residual[i] / equations.diagonal(i / outputs);
  };
  precondition();
  std::vector<double> direction = z, rz = dots(residual, z, outputs);
  const std::vector<double> start = dots(right, right, outputs);
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    check_cancelled();
    const auto left = dots(residual, residual, outputs);
    bool done = true;
    for (int32_t o = 0; o < outputs; ++o) done = done && left[o] <= kTolerance * kTolerance * start[o];
    if (done) break;
    equations.multiply(direction, product);
    const auto curvature = dots(direction, product, outputs);
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t o = i % outputs;
      if (!(curvature[o] > 0)) continue;
      const double step = rz[o] / curvature[o];
      x[i] += step * direction[i];
      residual[i] -= step * product[i];
    }
    precondition();
    const auto next = dots(residual, z, outputs);
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t o = i % outputs;
      direction[i] = z[i] + (rz[o] > 0 ? next[o] / rz[o] : 0.0) * direction[i];
    }
    rz = next;
  }
  return x;
}

}  // namespace

ContentMap fit_content(const Columns& columns, std::span<const float> targets, int32_t outputs,
                       std::span<const float> weights, double ridge) {
  ContentMap map;
  map.outputs = outputs;
  map.inputs = ContentMap::inputs_of(columns);
  const int64_t inputs = ContentMap::dimensions(map.inputs);
  const Design design = make_design(columns, map.inputs, inputs, weights);
  // The intercept is barely penalised: only so that the system stays definite without any item.
  std::vector<double> penalty(inputs + 1, ridge);
  penalty.back() = 1e-6;
  NormalEquations equations(design, weights, std::move(penalty), outputs);
  const std::vector<double> solution = solve(equations, equations.right_side(targets));
  map.weights.assign(solution.begin(), solution.end() - outputs);
  map.intercept.assign(solution.end() - outputs, solution.end());
  return map;
}

std::vector<float> apply_content(const ContentMap& map, const Columns& columns, int64_t items) {
  std::vector<float> out(items * map.outputs);
  std::vector<ColumnView> views;
  for (int64_t i = 0; i < items; ++i) {
    views.clear();
    if (i < columns.rows)
      for (const auto& column : columns.columns) views.push_back(column.row(i));
    map.apply(views, std::span(out).subspan(i * map.outputs, map.outputs));
  }
  return out;
}

}  // namespace fewshop
