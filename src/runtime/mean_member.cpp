#include "runtime/mean_member.h"

#include <algorithm>
#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"

namespace fewshop {

/// The support and its sums.
struct MeanMember::State final : Workspace {
  std::span<const Example> support;
  std::vector<double> sum;  // [C] weight of each class, or weighted sum of targets
  double weight = 0;
};

MeanMember::MeanMember(Parts parts) : p_(std::move(parts)) {
  const bool classes = p_.family == Family::kCategorical || p_.family == Family::kOrdinal;
  require(classes ? p_.mean.size() >= 2 : p_.mean.size() == 1, p_.name, ": ", p_.mean.size(),
          " means do not go with its family");
  require(p_.item_mean.size() % p_.mean.size() == 0, p_.name, ": item means have the wrong size");
  require(p_.strength > 0 && p_.noise > 0 && p_.size > 0, p_.name, ": strength, noise and size must be above 0");
}

std::unique_ptr<Workspace> MeanMember::workspace() const { return std::make_unique<State>(); }

std::span<const float> MeanMember::prior(const RowInput& row) const {
  const size_t classes = p_.mean.size();
  const auto item = static_cast<size_t>(std::max(0, row.item));
  if (row.item < 0 || (item + 1) * classes > p_.item_mean.size()) return p_.mean;
  return std::span(p_.item_mean).subspan(item * classes, classes);
}

void MeanMember::adapt(const RowTask& task, Workspace& workspace) const {
  auto& state = static_cast<State&>(workspace);
  state.support = p_.adapts ? task.support : std::span<const Example>();
  state.sum.assign(p_.mean.size(), 0);
  state.weight = 0;
  for (const Example& example : state.support) {
    state.weight += example.weight;
    if (p_.mean.size() == 1)
      state.sum[0] += static_cast<double>(example.weight) * example.target;
    else
      state.sum.at(static_cast<size_t>(example.target)) += example.weight;
  }
}

void MeanMember::predict(const Workspace& workspace, const RowInput& row, Predictive& out) const {
  const auto& state = static_cast<const State&>(workspace);
  const auto prior = this->prior(row);
  const double strength = p_.strength, total = strength + state.weight;
  const auto shrunk = [&](size_t c) { return (strength * prior[c] + state.sum[c]) / total; };
  out.family = p_.family;
  if (p_.mean.size() > 1) {
    out.probability.resize(p_.mean.size());
    for (size_t c = 0; c < out.probability.size(); ++c) out.probability[c] = shrunk(c);
    return;
  }
  out.mean = shrunk(0);
  if (p_.family == Family::kGaussian) out.variance = p_.noise * (p_.adapts ? 1 + 1 / total : 1);
  if (p_.family != Family::kNegativeBinomial) return;
  // mean + mean^2 / size + the gamma's own variance, mean / total.
  out.mean = std::max(out.mean, 1e-9);
  const double over = out.mean * out.mean / p_.size + (p_.adapts ? out.mean / total : 0);
  out.size = out.mean * out.mean / over;
}

double MeanMember::explain(const Workspace& workspace, const RowInput& row, int32_t label,
                           std::span<double> contribution) const {
  const auto& state = static_cast<const State&>(workspace);
  Predictive with, without;
  predict(workspace, row, with);
  State none;
  none.sum.assign(p_.mean.size(), 0);
  predict(none, row, without);
  const double total = link(with.family, level(with, label));
  std::fill(contribution.begin(), contribution.end(), 0.0);
  // Rows move the level by their distance from the prior; the link moves with it.
  const double before = level(without, label), moved = level(with, label) - before;
  if (std::abs(moved) < 1e-12) return total;
  const double slope = (total - link(without.family, before)) / moved;
  const double classes = static_cast<double>(p_.mean.size());
  double added = 0;
  for (size_t s = 0; s < state.support.size() && s < contribution.size(); ++s) {
    const Example& example = state.support[s];
    double target = example.target;
    if (p_.family == Family::kCategorical) target = example.target == static_cast<float>(label);
    if (p_.family == Family::kOrdinal) target = example.target / (classes - 1);
    added += contribution[s] = slope * example.weight * (target - before) / (p_.strength + state.weight);
  }
  return total - added;
}

void MeanMember::save(TensorFile& file) const {
  file.put_text("kind", "mean");
  file.put_text("name", p_.name);
  file.put_text("family", std::string(family_name(p_.family)));
  file.put("mean", p_.mean);
  file.put("item_mean", p_.item_mean);
  file.put("scalars", std::vector<double>{p_.noise, p_.size, p_.adapts ? 1.0 : 0.0, p_.strength});
}

std::unique_ptr<RowMember> MeanMember::load(const TensorFile& file) {
  Parts parts;
  parts.name = file.text("name");
  const auto family = family_from_name(file.text("family"));
  require(family.has_value(), parts.name, ": unknown family '", file.text("family"), "'");
  parts.family = *family;
  parts.mean = file.get<float>("mean");
  parts.item_mean = file.get<float>("item_mean");
  const auto scalars = file.get<double>("scalars");
  require(scalars.size() == 4, parts.name, ": expected 4 scalars, got ", scalars.size());
  parts.noise = scalars[0];
  parts.size = scalars[1];
  parts.adapts = scalars[2] != 0;
  parts.strength = scalars[3];
  return std::make_unique<MeanMember>(std::move(parts));
}

}  // namespace fewshop
