#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/model.h"

namespace fewshop {

/// How deep members have to be asked for candidates (Model::candidates), from tasks of which the full stack's exact
/// list is known: counts what is found at each of some depths. Counts of several threads are added up.
///
///   DepthCounts counts;   model.adapt(task, session), counts.add(model, session, excluded)   for every task
///   model.set_candidate_depth(counts.choose());
class DepthCounts {
 public:
  static constexpr std::array kDepths = {50, 100, 200, Model::kDefaultDepth, 1000};

  /// Counts one adapted session for which the stack is served; `excluded` may not be an answer.
  void add(const Model& model, ModelSession& session, const ItemSet& excluded, int best = Model::kMeasuredList);
  void add(const DepthCounts& other);

  /// The smallest depth at which 99.8 % of the best are among the candidates, the largest where none has so many.
  /// The default where fewer than a hundred lists were sought: a shop so small that everything is a candidate, or too
  /// few tasks to tell.
  int choose() const;

  /// Items of exact lists, and the share of them that is among the candidates at a depth of kDepths.
  int64_t wanted() const { return wanted_; }
  double recall(int depth) const;

 private:
  int64_t wanted_ = 0;
  int64_t sought_ = 0, sought_wanted_ = 0;           // lists that members were asked for, and their items
  std::array<int64_t, kDepths.size()> contained_{};  // of sought_wanted_
  std::vector<float> score_;
  std::vector<int32_t> order_, candidates_;
  ItemSet found_;
};

}  // namespace fewshop
