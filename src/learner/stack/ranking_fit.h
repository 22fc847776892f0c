#pragma once

#include <span>
#include <vector>

#include "learner/held_out.h"
#include "runtime/stack.h"

namespace fewshop {

/// The weights of a ranking stack while they are fitted, M members: [kItemCells + 1, M + 1, basis] in units of each
/// member's deviation among candidates. The last cell is what all cells share, the last of a cell's M + 1 its level.
class RankingWeights {
 public:
  RankingWeights(std::span<const Sample> samples, int members);

  int members() const { return members_; }
  double scale(int member) const { return scale_[member]; }  // 1 / deviation; 1 for the level
  double& at(int cell, int member, int basis) {
    return theta_[(cell * (members_ + 1) + member) * Stack::kBasis + basis];
  }
  double at(int cell, int member, int basis) const {
    return theta_[(cell * (members_ + 1) + member) * Stack::kBasis + basis];
  }
  std::vector<double>& values() { return theta_; }
  const std::vector<double>& values() const { return theta_; }
  /// Nothing but one member, the same at every support size.
  void set_alone(int member);

  /// Whether a member's weight is nowhere below 0, at any support size, in any cell.
  bool nonnegative(int member) const;
  /// Members whose weight is below 0 somewhere leave the mix. Two members that say nearly the same would else be
  /// weighed by their difference, which another fit of them does not repeat. Breiman. "Stacked regressions." Machine
  /// Learning 24, 1996.
  void drop_negative();

  /// Weights [kItemCells, M + 1] of raw scores at a support size.
  void mixing(int support, std::vector<double>& out) const;
  Stack to_stack() const;

 private:
  int members_;
  std::vector<double> scale_, theta_;
};

/// Lowers the softmax loss of the query items among the candidates by gradient descent on all samples; convex.
void fit_softmax(std::span<const Sample> samples, int learner, int threads, RankingWeights& weights);

/// Raises the mean metric by changing one shared weight or one level at a time. A change is kept where its paired gain
/// is more than half its standard error over samples.
void ascend_metric(std::span<const Sample> samples, const Metric& metric, int threads, RankingWeights& weights);

}  // namespace fewshop
