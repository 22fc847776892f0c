#pragma once

#include <string>
#include <vector>

#include "runtime/glm.h"
#include "runtime/row_inputs.h"
#include "runtime/row_member.h"

namespace fewshop {

/// A generalised linear model over all tasks, and one for each task that deviates from it:
///
///   eta(row) = intercept + weights . x(row)  +  f(row),    f(row) = deviation_0 + deviation . z(row)
///
/// x are all flat inputs, z those that tell rows of a task apart. A pooled model has no f. Else the deviations of a
/// task are gaussian with mean 0 and precisions `intercept_ridge` and `ridge`, and f is their posterior mode given the
/// support, found in its dual form f(row) = sum over support rows s of k(row, s) a_s with k(r, s) = 1 / intercept_ridge
/// + z_r . z_s / ridge: every support row is one term of the explanation.
///
/// The pooled model is what is seen of many tasks at once. Within one task effects are larger, as nothing is averaged
/// over tasks: eta is scaled (bernoulli, ordinal: by sqrt(1 + pi k / 8); counts: k / 2 is taken off) so that without
/// support the prediction is the pooled one.
/// Zeger, Liang, Albert. "Models for longitudinal data: a generalized estimating equation approach." Biometrics 1988.
/// Rasmussen, Williams. "Gaussian processes for machine learning." 2006, algorithms 3.1 and 3.2.
/// Categorical modes are found by Boehning's bound on the curvature, which needs one factorisation for all classes.
/// Boehning. "Multinomial logistic regression algorithm." Ann. Inst. Statist. Math. 44, 1992.
class LinearMember final : public RowMember {
 public:
  struct Parts {
    std::string name;
    Glm glm;              // not used where outputs > 1
    int32_t outputs = 1;  // categorical: C
    RowInputs inputs;
    std::vector<float> weights;    // [P, outputs]
    std::vector<float> intercept;  // [outputs]
    double centre = 0, scale = 1;  // gaussian: targets are centre + scale * (what the model says)
    bool adapts = false;
    double ridge = 1, intercept_ridge = 1;
    double mean_kernel = 0;  // mean of k(r, r) over training rows
  };
  /// Throws InvalidInput where sizes disagree.
  explicit LinearMember(Parts parts);

  std::string_view name() const override { return p_.name; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const RowTask& task, Workspace& workspace) const override;
  void predict(const Workspace& workspace, const RowInput& row, Predictive& out) const override;
  double explain(const Workspace& workspace, const RowInput& row, int32_t label,
                 std::span<double> contribution) const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<RowMember> load(const TensorFile& file);

  const Parts& parts() const { return p_; }

 private:
  struct State;
  struct Asked;

  void pooled(const SparseRow& row, std::span<double> eta) const;
  double kernel(const SparseRow& a, const SparseRow& b) const;
  double offset(double eta, double self) const;
  void solve(State& state) const;
  void solve_categorical(State& state) const;
  void ask(const State& state, const RowInput& row, Asked& asked) const;
  void distribution(const Asked& asked, double share_of_evidence, Predictive& out) const;

  bool categorical() const { return p_.outputs > 1; }

  Parts p_;
  Glm glm_;  // as it is within one task
};

}  // namespace fewshop
