#include "runtime/als_member.h"

#include <algorithm>
#include <array>

#include "runtime/member_support.h"
#include "runtime/small_cholesky.h"

namespace fewshop {

namespace {

/// Sum in double with a fixed order, four lanes wide, so that one item gets the same bits wherever it is scored.
double dot(const double* u, const float* v, int n) {
  double lane[4] = {0, 0, 0, 0};
  int i = 0;
  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; ++k) lane[k] += u[i + k] * v[i + k];
  for (; i < n; ++i) lane[0] += u[i] * v[i];
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

}  // namespace

struct AlsMember::State final : Workspace {
  std::span<const SupportRow> support;
  std::vector<double> factor;  // [d, d] upper triangle: A = Uᵀ U
  std::vector<double> user;    // [d]
  std::vector<double> row;     // [d]
  std::vector<double> target;  // [support rows] g_s
  std::vector<int32_t> order;  // [support rows] by item, to count repeats
};

AlsMember::AlsMember(Parts parts) : parts_(std::move(parts)) {
  const auto d = static_cast<size_t>(parts_.width);
  const size_t items = parts_.item_bias.size();
  require(parts_.width >= 1 && parts_.width <= kMaxWidth, "als: width ", parts_.width, " is outside [1, ", kMaxWidth,
          "]; the file is damaged");
  require(parts_.vectors.size() == items * d && parts_.base.size() == d * d, "als: ", parts_.vectors.size(),
          " factors for ", items, " items of width ", d, "; the file is damaged");
  require(parts_.content.outputs == 1 + free_width(parts_), "als: content map has ", parts_.content.outputs,
          " outputs, expected ", 1 + free_width(parts_), "; the file is damaged");
  require_finite(parts_.item_bias, "als");
  require_finite(parts_.vectors, "als");
  const std::array scalars{parts_.mean, parts_.alpha, parts_.noise};
  require_finite(scalars, "als");
  require(parts_.alpha >= 0 && parts_.noise >= 0, "als: alpha or noise is negative; the file is damaged");
  std::vector<double> factor = parts_.base;
  require(cholesky_in_place(factor.data(), parts_.width),
          "als: base matrix is not positive definite; the file is damaged");
  unknown_vector_.resize(d);
  predict_vector({}, unknown_bias_, unknown_vector_.data());
}

void AlsMember::predict_vector(std::span<const ColumnView> features, float& bias, float* vector) const {
  std::array<float, kMaxWidth + 1> out;
  parts_.content.apply(features, out);
  bias = out[0];
  std::copy_n(out.begin() + 1, free_width(parts_), vector);
  if (!parts_.ranking) vector[parts_.width - 1] = 1;
}

std::unique_ptr<Workspace> AlsMember::workspace() const {
  auto state = std::make_unique<State>();
  const auto d = static_cast<size_t>(parts_.width);
  state->factor.resize(d * d);
  state->user.resize(d);
  state->row.resize(d);
  return state;
}

void AlsMember::adapt(const TaskView& task, Workspace& workspace) const {
  auto& state = static_cast<State&>(workspace);
  const int d = parts_.width;
  const auto& support = task.support;
  state.support = support;
  state.target.assign(support.size(), 0.0);
  std::copy(parts_.base.begin(), parts_.base.end(), state.factor.begin());
  std::fill(state.user.begin(), state.user.end(), 0.0);

  const auto add_row = [&](size_t s, double weight, double target) {
    const float* v = vector_of(support[s].item);
    std::copy(v, v + d, state.row.begin());
    add_outer_product(state.factor.data(), d, weight, state.row.data());
    for (int i = 0; i < d; ++i) state.user[i] += target * state.row[i];
    state.target[s] = target;
  };

  if (parts_.ranking) {
    state.order.clear();
    for (size_t s = 0; s < support.size(); ++s)
      if (knows(support[s].item) && evidence(support[s]) > 0) state.order.push_back(static_cast<int32_t>(s));
    std::sort(state.order.begin(), state.order.end(), [&](int32_t a, int32_t b) {
      return support[a].item != support[b].item ? support[a].item < support[b].item : a < b;
    });
    for (size_t begin = 0, end; begin < state.order.size(); begin = end) {
      for (end = begin + 1;
           end < state.order.size() && support[state.order[end]].item == support[state.order[begin]].item;)
        ++end;
      for (size_t i = begin; i < end; ++i) {
        const double weight = parts_.alpha * evidence(support[state.order[i]]);
        add_row(state.order[i], weight, weight + 1.0 / static_cast<double>(end - begin));
      }
    }
  } else {
    for (size_t s = 0; s < support.size(); ++s) {
      const auto& row = support[s];
      if (row.weight > 0) add_row(s, row.weight, row.weight * (row.target - parts_.mean - bias_of(row.item)));
    }
  }
  if (!cholesky_in_place(state.factor.data(), d))
    throw Failure(
        "als: the support of a task gives a system that cannot be solved; its weights or targets are not finite");
  solve_cholesky(state.factor.data(), d, state.user.data());
}

float AlsMember::score_of(const State& state, int32_t item) const {
  return static_cast<float>(parts_.mean + bias_of(item) + dot(state.user.data(), vector_of(item), parts_.width));
}

void AlsMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                      std::span<float> variance) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < items.size(); ++i) score[i] = score_of(state, items[i]);
  if (variance.empty()) return;
  // Posterior of the user's factors only; the items' are taken as known.
  std::array<double, kMaxWidth> x;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!(parts_.noise > 0)) {
      variance[i] = 0;
      continue;
    }
    std::copy_n(vector_of(items[i]), parts_.width, x.begin());
    solve_transposed(state.factor.data(), parts_.width, x.data());
    double square = 0;
    for (int k = 0; k < parts_.width; ++k) square += x[k] * x[k];
    variance[i] = static_cast<float>(parts_.noise * (1 + square));
  }
}

void AlsMember::score_all(const Workspace& workspace, std::span<float> score) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < score.size(); ++i) score[i] = score_of(state, static_cast<int32_t>(i));
}

double AlsMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const auto& state = static_cast<const State&>(workspace);
  std::array<double, kMaxWidth> x;
  std::copy_n(vector_of(item), parts_.width, x.begin());
  solve_cholesky(state.factor.data(), parts_.width, x.data());
  for (size_t s = 0; s < state.support.size(); ++s)
    contribution[s] =
        state.target[s] == 0 ? 0.0 : state.target[s] * dot(x.data(), vector_of(state.support[s].item), parts_.width);
  return static_cast<double>(parts_.mean) + bias_of(item);
}

void AlsMember::add_item(std::span<const ColumnView> features) {
  const size_t end = parts_.vectors.size();
  parts_.vectors.resize(end + parts_.width);
  float bias = 0;
  predict_vector(features, bias, parts_.vectors.data() + end);
  parts_.item_bias.push_back(bias);
}

void AlsMember::change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after) {
  float bias = 0;
  std::vector<float> vector(parts_.width);
  predict_vector(before, bias, vector.data());
  float* own = parts_.vectors.data() + static_cast<size_t>(item) * parts_.width;
  if (!std::equal(vector.begin(), vector.end(), own)) return;
  predict_vector(after, parts_.item_bias[item], own);
}

void AlsMember::save(TensorFile& file) const {
  file.put_text("kind", "als");
  file.put_text("problem", parts_.ranking ? "ranking" : "rating");
  put_one(file, "mean", parts_.mean);
  put_one(file, "alpha", parts_.alpha);
  put_one(file, "noise", parts_.noise);
  file.put("item_bias", parts_.item_bias);
  file.put("vectors", parts_.vectors, {items(), parts_.width});
  file.put("base", parts_.base, {parts_.width, parts_.width});
  parts_.content.save(file, "content");
}

std::unique_ptr<Member> AlsMember::load(const TensorFile& file) {
  Parts parts;
  const std::string& problem = file.text("problem");
  require(problem == "ranking" || problem == "rating", "als: unknown problem '", problem, "'; the file is damaged");
  parts.ranking = problem == "ranking";
  parts.mean = get_one<float>(file, "mean");
  parts.alpha = get_one<float>(file, "alpha");
  parts.noise = get_one<float>(file, "noise");
  parts.item_bias = file.get<float>("item_bias");
  parts.vectors = file.get<float>("vectors");
  parts.base = file.get<double>("base");
  const auto& shape = file.shape("base");
  require(shape.size() == 2 && shape[0] == shape[1] && shape[0] <= kMaxWidth,
          "als: base is not a square matrix; the file is damaged");
  parts.width = static_cast<int32_t>(shape[0]);
  parts.content = ContentMap::load(file, "content");
  return std::make_unique<AlsMember>(std::move(parts));
}

}  // namespace fewshop
