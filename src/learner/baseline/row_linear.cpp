#include <map>

#include "learner/baseline/glm_fit.h"
#include "learner/baseline/options.h"
#include "learner/baseline/row_baseline.h"
#include "learner/baseline/row_options.h"

namespace fewshop {
namespace {

/// Pooled generalised linear models, and those that deviate by task; both share the pooled fits, one for each ridge.
class LinearFit final : public RowBaselineFit {
 public:
  LinearFit(const RowFitInput& input, std::string name, bool adapts)
      : input_(input), name_(std::move(name)), adapts_(adapts), matrix_(row_matrix(input)) {}

  std::unique_ptr<RowMember> fit(nlohmann::json& chosen) override {
    LinearMember::Parts parts;
    if (!adapts_) {
      parts = pooled(read_constants<PooledLinearOptions>(chosen, name_.c_str()).ridge);
    } else {
      const auto options = read_constants<TaskLinearOptions>(chosen, name_.c_str());
      parts = pooled(options.ridge);
      parts.adapts = true;
      parts.ridge = options.task_ridge;
      parts.intercept_ridge = options.task_intercept_ridge;
      parts.mean_kernel = mean_kernel(matrix_, parts.ridge, parts.intercept_ridge);
    }
    parts.name = name_;
    return std::make_unique<LinearMember>(std::move(parts));
  }

 private:
  const LinearMember::Parts& pooled(double ridge) {
    const auto found = pooled_.find(ridge);
    if (found != pooled_.end()) return found->second;
    const LinearMember::Parts* start = pooled_.empty() ? nullptr : &pooled_.begin()->second;
    return pooled_
        .emplace(ridge,
                 fit_pooled(matrix_, input_.scenario.problem, input_.data.classes.size(), ridge, start, input_.threads))
        .first->second;
  }

  const RowFitInput& input_;
  std::string name_;
  bool adapts_;
  RowMatrix matrix_;
  std::map<double, LinearMember::Parts> pooled_;
};

bool is_number(Problem problem) { return problem == Problem::kRegression || problem == Problem::kCount; }

class Linear final : public RowBaseline {
 public:
  Linear(const char* name, bool numbers, bool adapts) : name_(name), numbers_(numbers), adapts_(adapts) {}

  std::string_view name() const override { return name_; }
  bool fits(const Scenario& s) const override { return is_row_problem(s.problem) && is_number(s.problem) == numbers_; }
  std::vector<Candidates> candidates() const override {
    std::vector<Candidates> all{{"ridge", {10, 1, 100}}};
    if (adapts_) {
      all.push_back({"task_intercept_ridge", {2, 0.5, 8, 30}});
      all.push_back({"task_ridge", {30, 3, 300, 3000}});
    }
    return all;
  }
  std::unique_ptr<RowBaselineFit> prepare(const RowFitInput& input) const override {
    return std::make_unique<LinearFit>(input, name_, adapts_);
  }

 private:
  const char* name_;
  bool numbers_, adapts_;
};

}  // namespace

const RowBaseline& pooled_linear_baseline() {
  static const Linear baseline("pooled-linear", true, false);
  return baseline;
}

const RowBaseline& pooled_logistic_baseline() {
  static const Linear baseline("pooled-logistic", false, false);
  return baseline;
}

const RowBaseline& task_linear_baseline() {
  static const Linear baseline("task-linear", true, true);
  return baseline;
}

const RowBaseline& task_logistic_baseline() {
  static const Linear baseline("task-logistic", false, true);
  return baseline;
}

}  // namespace fewshop
