#pragma once

#include <string>
#include <vector>

#include "runtime/row_member.h"

namespace fewshop {

/// Means and class shares, of all rows or of an item, with the task's own rows added where it adapts:
///
///   share(c) = (strength prior(c) + weight of the support rows of class c) / (strength + weight of the support)
///
/// prior is that of the row's item where items have one, else that of all rows. Classes: Dirichlet (Beta for binary).
/// Numbers: the mean likewise, a normal with a normal prior; its predictive variance is noise (1 + 1 / (strength +
/// weight)). Counts: likewise with a gamma prior, and the predictive of a mean that is known so well is a negative
/// binomial.
class MeanMember final : public RowMember {
 public:
  struct Parts {
    std::string name;
    Family family = Family::kBernoulli;  // kGaussian, kBernoulli, kCategorical, kOrdinal, kNegativeBinomial
    std::vector<float> mean;             // [C]: class shares, or one number (bernoulli: the share of 1)
    std::vector<float> item_mean;        // [items, C] or empty
    double noise = 1;                    // gaussian: variance of a target around its task's mean
    double size = 1e6;                   // counts: of a target around its task's mean
    bool adapts = false;
    double strength = 1;  // rows of the prior
  };
  /// Throws InvalidInput where sizes disagree.
  explicit MeanMember(Parts parts);

  std::string_view name() const override { return p_.name; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const RowTask& task, Workspace& workspace) const override;
  void predict(const Workspace& workspace, const RowInput& row, Predictive& out) const override;
  double explain(const Workspace& workspace, const RowInput& row, int32_t label,
                 std::span<double> contribution) const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<RowMember> load(const TensorFile& file);

 private:
  struct State;
  std::span<const float> prior(const RowInput& row) const;

  Parts p_;
};

}  // namespace fewshop
