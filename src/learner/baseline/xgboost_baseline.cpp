#include "learner/baseline/xgboost_baseline.h"

#include <algorithm>
#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/baseline/options.h"
#include "learner/baseline/row_matrix.h"
#include "learner/baseline/row_options.h"
#include "learner/baseline/xgboost_fit.h"
#include "runtime/tree_member.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

constexpr int32_t kHeldOutEvery = 7;  // one task of so many stops the fit
constexpr int32_t kItemFolds = 5;     // an item's mean, as a training row sees it, comes from tasks of other folds
constexpr double kItemStrength = 10;  // rows of all items that are added to it

/// The options among `chosen`, which also holds what a first fit has found.
template <class Options>
Options options_of(nlohmann::json chosen, const char* name) {
  for (const char* found : {"rounds_found", "variance", "size"}) chosen.erase(found);
  return read_constants<Options>(chosen, name);
}

/// Pooled trees on training rows.
class PooledTrees {
 public:
  explicit PooledTrees(const RowFitInput& input) : input_(input), matrix_(row_matrix(input, false)) {
    const Problem problem = input.scenario.problem;
    model_.family = problem == Problem::kCount ? Family::kNegativeBinomial : family_of(problem);
    standardise();
    if (!input.scenario.item.empty() && problem != Problem::kMulticlass) add_item_means();
  }

  std::unique_ptr<TreeMember> fit(const char* name, const XgboostOptions& o, nlohmann::json& chosen) {
    BoostOptions boost_options{o.max_depth, o.learning_rate, o.min_child_weight, o.max_rounds,
                               20,          input_.threads,  input_.seed};
    const auto tasks = matrix_.task.empty() ? 0 : matrix_.task.back() + 1;
    if (!chosen.contains("rounds_found")) {
      const auto held = [&](int64_t r) { return tasks >= 2 * kHeldOutEvery && matrix_.task[r] % kHeldOutEvery == 3; };
      const BoostRows train = rows([&](int64_t r) { return !held(r); }), asked = rows(held);
      const bool any = !asked.target.empty();
      const Boosted first = boost(input_.scenario.problem, classes(), train, any ? &asked : nullptr, boost_options);
      chosen["rounds_found"] = first.rounds;
      find_spread(first.json, any ? asked : train, chosen);
    }
    boost_options.rounds = std::max(1, chosen.at("rounds_found").get<int>());
    TreeModel model = model_;
    model.variance = chosen.value("variance", 1.0);
    model.size = chosen.value("size", 1e6);
    model.json =
        boost(input_.scenario.problem, classes(), rows([](int64_t) { return true; }), nullptr, boost_options).json;
    return std::make_unique<TreeMember>(name, matrix_.inputs, std::move(model));
  }

 private:
  size_t classes() const {
    return std::max<size_t>(1, has_classes(input_.scenario.problem) ? input_.data.classes.size() : 1);
  }

  /// Margins without trees: the log odds, logarithm or standardised mean of all rows, log shares of classes.
  void standardise() {
    std::vector<double> sum(classes(), 0.5);
    double total = 0.5 * static_cast<double>(classes()), mean = 0, square = 0, weight = 0;
    for (int64_t r = 0; r < matrix_.rows(); ++r) {
      if (classes() > 1) sum[static_cast<size_t>(matrix_.target[r])] += matrix_.weight[r];
      total += matrix_.weight[r];
      mean += static_cast<double>(matrix_.weight[r]) * matrix_.target[r];
      weight += matrix_.weight[r];
    }
    mean_ = mean /= weight;
    for (int64_t r = 0; r < matrix_.rows(); ++r)
      square += matrix_.weight[r] * (matrix_.target[r] - mean) * (matrix_.target[r] - mean);
    target_ = matrix_.target;
    switch (input_.scenario.problem) {
      case Problem::kRegression:
        model_.centre = mean;
        model_.scale = square > 0 ? std::sqrt(square / weight) : 1;
        for (float& t : target_) t = static_cast<float>((t - model_.centre) / model_.scale);
        model_.base = {0};
        break;
      case Problem::kCount:
        model_.base = {static_cast<float>(std::log(std::max(1e-6, mean)))};
        break;
      case Problem::kBinary:
        mean = std::clamp(mean, 1e-6, 1 - 1e-6);
        model_.base = {static_cast<float>(std::log(mean / (1 - mean)))};
        break;
      default:
        for (const double s : sum) model_.base.push_back(static_cast<float>(std::log(s / total)));
    }
  }

  void add_item_means() {
    const auto items = static_cast<size_t>(input_.data.items());
    std::vector<double> sum((kItemFolds + 1) * items), weight((kItemFolds + 1) * items);
    const auto visit = [&](auto&& add) {
      for (int64_t r = 0; r < matrix_.rows(); ++r) add(r, static_cast<size_t>(input_.data.item[matrix_.row[r]]));
    };
    visit([&](int64_t r, size_t item) {
      for (const size_t fold : {static_cast<size_t>(matrix_.task[r] % kItemFolds), static_cast<size_t>(kItemFolds)}) {
        sum[fold * items + item] += static_cast<double>(matrix_.weight[r]) * matrix_.target[r];
        weight[fold * items + item] += matrix_.weight[r];
      }
    });
    const auto shrunk = [&](double s, double w) {
      return static_cast<float>((s + kItemStrength * mean_) / (w + kItemStrength));
    };
    const size_t all = kItemFolds * items;
    for (size_t i = 0; i < items; ++i) model_.item_mean.push_back(shrunk(sum[all + i], weight[all + i]));
    visit([&](int64_t r, size_t item) {
      const size_t own = static_cast<size_t>(matrix_.task[r] % kItemFolds) * items + item;
      seen_mean_.push_back(shrunk(sum[all + item] - sum[own], weight[all + item] - weight[own]));
    });
  }

  template <class Wanted>
  BoostRows rows(Wanted&& wanted) const {
    BoostRows out;
    out.columns = matrix_.inputs.size() + 1;
    for (int64_t r = 0; r < matrix_.rows(); ++r) {
      if (!wanted(r)) continue;
      for (int64_t e = matrix_.begin[r]; e < matrix_.begin[r + 1]; ++e) {
        out.column.push_back(static_cast<uint32_t>(matrix_.column[e]));
        out.value.push_back(matrix_.value[e]);
      }
      if (!seen_mean_.empty()) {
        out.column.push_back(static_cast<uint32_t>(matrix_.inputs.size()));
        out.value.push_back(seen_mean_[r]);
      }
      out.begin.push_back(out.column.size());
      out.target.push_back(target_[r]);
      out.weight.push_back(matrix_.weight[r]);
      out.margin.insert(out.margin.end(), model_.base.begin(), model_.base.end());
    }
    return out;
  }

  /// Variance of numbers, and size of counts, around what trees say of rows that they have not seen.
  void find_spread(const std::string& json, const BoostRows& asked, nlohmann::json& chosen) const {
    if (model_.family != Family::kGaussian && model_.family != Family::kNegativeBinomial) return;
    const Trees trees(json);
    SparseRow row;
    double square = 0, over = 0, squared_mean = 0, weight = 0;
    for (size_t r = 0; r < asked.target.size(); ++r) {
      row.index.assign(asked.column.begin() + static_cast<int64_t>(asked.begin[r]),
                       asked.column.begin() + static_cast<int64_t>(asked.begin[r + 1]));
      row.value.assign(asked.value.begin() + static_cast<int64_t>(asked.begin[r]),
                       asked.value.begin() + static_cast<int64_t>(asked.begin[r + 1]));
      std::vector<float> margin = model_.base;
      trees.add_margins(row, margin);
      const double mu = model_.family == Family::kGaussian ? margin[0] : std::exp(std::min(30.0F, margin[0]));
      const double error = asked.target[r] - mu;
      square += asked.weight[r] * error * error;
      over += asked.weight[r] * (error * error - mu);
      squared_mean += asked.weight[r] * mu * mu;
      weight += asked.weight[r];
    }
    chosen["variance"] = std::max(1e-9, square / weight * model_.scale * model_.scale);
    chosen["size"] = over > 1e-6 * squared_mean ? std::clamp(squared_mean / over, 1e-3, 1e6) : 1e6;
  }

  const RowFitInput& input_;
  RowMatrix matrix_;
  TreeModel model_;
  std::vector<float> target_, seen_mean_;
  double mean_ = 0;
};

class XgboostFit final : public RowBaselineFit {
 public:
  explicit XgboostFit(const RowFitInput& input) : trees_(input) {}
  std::unique_ptr<RowMember> fit(nlohmann::json& chosen) override {
    return trees_.fit("xgboost", options_of<XgboostOptions>(chosen, "xgboost"), chosen);
  }

 private:
  PooledTrees trees_;
};

/// Trees of a task on top of the pooled ones.
class XgboostTaskMember final : public RowMember {
 public:
  struct State final : Workspace {
    std::span<const ColumnView> description;
    bool adapted = false;
    Trees trees;
    mutable SparseRow row;
    mutable std::vector<float> margin;
  };

  XgboostTaskMember(std::unique_ptr<TreeMember> pooled, Problem problem, XgboostTaskOptions options)
      : pooled_(std::move(pooled)), problem_(problem), o_(options) {}

  std::string_view name() const override { return "xgboost-task"; }
  std::unique_ptr<Workspace> workspace() const override { return std::make_unique<State>(); }

  void adapt(const RowTask& task, Workspace& workspace) const override {
    auto& state = static_cast<State&>(workspace);
    state.description = task.description;
    BoostRows rows;
    rows.columns = pooled_->inputs().size() + 1;
    const TreeModel& model = pooled_->model();
    for (const Example& example : task.support) {
      if (!(example.weight > 0)) continue;
      pooled_->flatten(example.input, task.description, state.row);
      rows.column.insert(rows.column.end(), state.row.index.begin(), state.row.index.end());
      rows.value.insert(rows.value.end(), state.row.value.begin(), state.row.value.end());
      rows.begin.push_back(rows.column.size());
      rows.target.push_back(model.family == Family::kGaussian
                                ? static_cast<float>((example.target - model.centre) / model.scale)
                                : example.target);
      rows.weight.push_back(example.weight);
      pooled_->margins(state.row, state.margin);
      rows.margin.insert(rows.margin.end(), state.margin.begin(), state.margin.end());
    }
    state.adapted = !rows.target.empty();
    if (state.adapted)
      state.trees = Trees(
          boost(problem_, model.base.size(), rows, nullptr, {o_.max_depth, o_.learning_rate, 0, o_.rounds, 0, 1, 0})
              .json);
  }

  void predict(const Workspace& workspace, const RowInput& row, Predictive& out) const override {
    const auto& state = static_cast<const State&>(workspace);
    pooled_->flatten(row, state.description, state.row);
    pooled_->margins(state.row, state.margin);
    if (state.adapted) state.trees.add_margins(state.row, state.margin);
    pooled_->model().predict(state.margin, out);
  }

  /// Trees know no single rows: all is prior.
  double explain(const Workspace& workspace, const RowInput& row, int32_t label,
                 std::span<double> contribution) const override {
    std::fill(contribution.begin(), contribution.end(), 0.0);
    Predictive prediction;
    predict(workspace, row, prediction);
    return link(prediction.family, level(prediction, label));
  }

  void save(TensorFile& file) const override {
    pooled_->save(file);
    file.put_text("kind", "xgboost-task");
    file.put_text("problem", problem_name(problem_));
    file.put("options",
             std::vector<double>{static_cast<double>(o_.max_depth), o_.learning_rate, static_cast<double>(o_.rounds)});
  }

  static std::unique_ptr<RowMember> load(const TensorFile& file) {
    const auto o = file.get<double>("options");
    require(o.size() == 3, "xgboost-task: expected 3 options, got ", o.size());
    const auto problem = problem_from_name(file.text("problem"));
    require(problem && is_row_problem(*problem), "xgboost-task: unknown problem ", file.text("problem"));
    return std::make_unique<XgboostTaskMember>(
        std::make_unique<TreeMember>("xgboost-task", RowInputs::load(file), TreeModel::load(file)), *problem,
        XgboostTaskOptions{static_cast<int>(o[0]), o[1], static_cast<int>(o[2])});
  }

 private:
  std::unique_ptr<TreeMember> pooled_;
  Problem problem_;
  XgboostTaskOptions o_;
};

class XgboostTaskFit final : public RowBaselineFit {
 public:
  explicit XgboostTaskFit(const RowFitInput& input) : problem_(input.scenario.problem), trees_(input) {}
  std::unique_ptr<RowMember> fit(nlohmann::json& chosen) override {
    const auto options = options_of<XgboostTaskOptions>(chosen, "xgboost-task");
    return std::make_unique<XgboostTaskMember>(trees_.fit("xgboost-task", {}, chosen), problem_, options);
  }

 private:
  Problem problem_;
  PooledTrees trees_;
};

class Xgboost final : public RowBaseline {
 public:
  std::string_view name() const override { return "xgboost"; }
  bool fits(const Scenario& scenario) const override { return is_row_problem(scenario.problem); }
  std::vector<Candidates> candidates() const override { return {{"max_depth", {6, 3}}}; }
  std::unique_ptr<RowBaselineFit> prepare(const RowFitInput& input) const override {
    return std::make_unique<XgboostFit>(input);
  }
};

class XgboostTask final : public RowBaseline {
 public:
  std::string_view name() const override { return "xgboost-task"; }
  bool fits(const Scenario& scenario) const override { return is_row_problem(scenario.problem); }
  bool has_runtime_form() const override { return false; }
  std::vector<Candidates> candidates() const override { return {{"rounds", {10, 3}}}; }
  std::unique_ptr<RowBaselineFit> prepare(const RowFitInput& input) const override {
    return std::make_unique<XgboostTaskFit>(input);
  }
};

}  // namespace

const RowBaseline& xgboost_baseline() {
  static const Xgboost baseline;
  return baseline;
}

const RowBaseline& xgboost_task_baseline() {
  static const XgboostTask baseline;
  return baseline;
}

std::unique_ptr<RowMember> load_xgboost_task(const TensorFile& file) { return XgboostTaskMember::load(file); }

}  // namespace fewshop
