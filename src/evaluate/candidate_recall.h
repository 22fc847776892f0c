#pragma once

#include <optional>

#include "runtime/model.h"
#include "task/problem.h"

namespace fewshop {

/// How deep members are asked for candidates, and what that finds.
struct CandidateRecall {
  int depth = Model::kDefaultDepth;
  double recall = 1;
};

struct CandidateRecallOptions {
  int tasks = 500;  // meta-validation tasks that are asked, at most
  int best = 10;    // length of the exact list
  int threads = 0;  // 0 = all cores; the answer does not depend on it
};

/// How deep the members of a model have to be asked for candidates (DepthCounts), and what `recommend` loses by scoring
/// those only: `recall` is the share of the full stack's best items, all items scored, that Model::candidates contains
/// at that depth. 1 where a shop is so small that everything is a candidate.
///
/// Asked are meta-validation tasks, never test tasks, each once: at the headline and the scenario's shots in turn.
/// Where a baseline is served all items are scored, so such episodes do not count. Nothing for a problem that is no
/// ranking, and where no episode counts.
std::optional<CandidateRecall> candidate_recall(const Model& model, const LoadedProblem& problem,
                                                const CandidateRecallOptions& options = {});

}  // namespace fewshop
