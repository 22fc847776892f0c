#include <algorithm>
#include <cmath>

#include "learner/baseline/options.h"
#include "learner/baseline/row_baseline.h"
#include "learner/baseline/row_matrix.h"
#include "learner/baseline/row_options.h"
#include "runtime/mean_member.h"

namespace fewshop {
namespace {

/// Sums over training rows by any number that a row has (its item, its task, nothing).
class Sums {
 public:
  Sums(size_t groups, size_t classes) : classes_(classes), sum_(groups * classes), weight_(groups) {}

  void add(size_t group, float target, float weight) {
    weight_[group] += weight;
    if (classes_ == 1)
      sum_[group] += static_cast<double>(weight) * target;
    else
      sum_[group * classes_ + static_cast<size_t>(target)] += weight;
  }
  double weight(size_t group) const { return weight_[group]; }
  /// Mean or share with `strength` rows of `prior` added.
  double shrunk(size_t group, size_t c, double prior, double strength) const {
    return (sum_[group * classes_ + c] + strength * prior) / (weight_[group] + strength);
  }

 private:
  size_t classes_;
  std::vector<double> sum_, weight_;
};

/// Squared distances of the targets from their group's mean, as counts and normals need them.
struct Spread {
  double variance = 1;  // within groups, an estimate without bias
  double size = 1e6;    // negative binomial: of a target around its group's mean, by moments
};

class MeansFit final : public RowBaselineFit {
 public:
  enum class Kind { kAll, kItem, kTask };

  MeansFit(const RowFitInput& input, const char* name, Kind kind) : input_(input), kind_(kind) {
    const Problem problem = input.scenario.problem;
    base_.name = name;
    base_.family = problem == Problem::kCount ? Family::kNegativeBinomial : family_of(problem);
    base_.adapts = kind == Kind::kTask;
    classes_ = has_classes(problem) ? input.data.classes.size() : 1;
    Sums all(1, classes_);
    visit([&](int32_t r, size_t) { all.add(0, input.data.target[r], input.data.weight[r]); });
    // Half a row of each class, so that none is impossible; half a row of either answer; a thousandth of an event.
    const double start = problem == Problem::kRegression ? 0 : problem == Problem::kCount ? 1e-3 : 0.5;
    const double rows = problem == Problem::kRegression ? 0 : classes_ > 1 ? 0.5 * static_cast<double>(classes_) : 1;
    for (size_t c = 0; c < classes_; ++c)
      base_.mean.push_back(static_cast<float>(problem == Problem::kCount
                                                  ? std::max(start, all.shrunk(0, 0, 0, 0))
                                                  : all.shrunk(0, c, rows > 0 ? start / rows : 0, rows)));
  }

  std::unique_ptr<RowMember> fit(nlohmann::json& chosen) override {
    MeanMember::Parts parts = base_;
    if (kind_ == Kind::kItem) {
      const auto options = read_constants<RowItemMeanOptions>(chosen, "item-mean");
      parts.item_mean = item_means(options.item_shrink);
      set_spread(parts, [&](int32_t r, size_t) {
        const int32_t item = input_.data.item[r];
        return item < 0 ? parts.mean[0] : parts.item_mean[item];
      });
    } else if (kind_ == Kind::kTask) {
      parts.strength = read_constants<TaskMeanOptions>(chosen, "task-mean").strength;
      std::vector<double> mean(input_.tasks.size());
      Sums by_task(input_.tasks.size(), 1);
      visit([&](int32_t r, size_t t) { by_task.add(t, input_.data.target[r], input_.data.weight[r]); });
      for (size_t t = 0; t < mean.size(); ++t) mean[t] = by_task.shrunk(t, 0, parts.mean[0], 1e-9);
      set_spread(parts, [&](int32_t, size_t t) { return mean[t]; });
    } else {
      read_constants<NoOptions>(chosen, base_.name.c_str());
      set_spread(parts, [&](int32_t, size_t) { return parts.mean[0]; });
    }
    return std::make_unique<MeanMember>(std::move(parts));
  }

 private:
  template <class Visit>
  void visit(Visit&& visit) const {
    for (size_t t = 0; t < input_.tasks.size(); ++t)
      for (const int32_t r : input_.tasks[t].rows) visit(r, t);
  }

  std::vector<float> item_means(double shrink) const {
    Sums by_item(input_.data.items(), classes_);
    visit([&](int32_t r, size_t) {
      if (input_.data.item[r] >= 0) by_item.add(input_.data.item[r], input_.data.target[r], input_.data.weight[r]);
    });
    std::vector<float> means;
    for (int64_t i = 0; i < input_.data.items(); ++i)
      for (size_t c = 0; c < classes_; ++c)
        means.push_back(static_cast<float>(by_item.shrunk(i, c, base_.mean[c], shrink)));
    return means;
  }

  /// Variance and size of the targets around mean_of(row, task), by moments; a task's own mean takes one degree of
  /// freedom.
  template <class MeanOf>
  void set_spread(MeanMember::Parts& parts, MeanOf&& mean_of) const {
    if (classes_ > 1 || parts.family == Family::kBernoulli) return;
    double square = 0, over = 0, squared_mean = 0, weight = 0;
    visit([&](int32_t r, size_t t) {
      const double mean = mean_of(r, t), w = input_.data.weight[r], d = input_.data.target[r] - mean;
      square += w * d * d;
      over += w * (d * d - mean);
      squared_mean += w * mean * mean;
      weight += w;
    });
    const double spent = kind_ == Kind::kTask ? static_cast<double>(input_.tasks.size()) : 1;
    parts.noise = std::max(1e-9, square / std::max(1.0, weight - spent));
    if (over > 1e-6 * squared_mean) parts.size = std::clamp(squared_mean / over, 1e-3, 1e6);
  }

  const RowFitInput& input_;
  Kind kind_;
  size_t classes_ = 1;
  MeanMember::Parts base_;
};

class Means final : public RowBaseline {
 public:
  Means(const char* name, MeansFit::Kind kind, bool (*fits)(const Scenario&), std::vector<Candidates> candidates)
      : name_(name), kind_(kind), fits_(fits), candidates_(std::move(candidates)) {}

  std::string_view name() const override { return name_; }
  bool fits(const Scenario& scenario) const override { return fits_(scenario); }
  std::vector<Candidates> candidates() const override { return candidates_; }
  std::unique_ptr<RowBaselineFit> prepare(const RowFitInput& input) const override {
    return std::make_unique<MeansFit>(input, name_, kind_);
  }

 private:
  const char* name_;
  MeansFit::Kind kind_;
  bool (*fits_)(const Scenario&);
  std::vector<Candidates> candidates_;
};

bool is_number(Problem problem) { return problem == Problem::kRegression || problem == Problem::kCount; }

}  // namespace

const RowBaseline& majority_baseline() {
  static const Means baseline("majority", MeansFit::Kind::kAll,
                              [](const Scenario& s) { return is_row_problem(s.problem) && !is_number(s.problem); }, {});
  return baseline;
}

const RowBaseline& row_global_mean_baseline() {
  static const Means baseline("global-mean", MeansFit::Kind::kAll,
                              [](const Scenario& s) { return is_number(s.problem); }, {});
  return baseline;
}

const RowBaseline& row_item_mean_baseline() {
  static const Means baseline("item-mean", MeansFit::Kind::kItem,
                              [](const Scenario& s) { return is_row_problem(s.problem) && !s.item.empty(); },
                              {{"item_shrink", {10, 1, 3, 30}}});
  return baseline;
}

const RowBaseline& task_mean_baseline() {
  static const Means baseline("task-mean", MeansFit::Kind::kTask,
                              [](const Scenario& s) { return is_row_problem(s.problem); },
                              {{"strength", {10, 0.3, 1, 3, 30, 100}}});
  return baseline;
}

}  // namespace fewshop
