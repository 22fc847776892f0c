#include "learner/episodic_catalogue.h"

#include "learner/bayes_rows_options.h"
#include "learner/cavia_options.h"
#include "learner/episodic_options.h"
#include "learner/finetune_options.h"
#include "learner/learned_optimizer_options.h"
#include "learner/lwa_options.h"
#include "learner/maml_options.h"
#include "learner/mamo_options.h"
#include "learner/multitask_options.h"
#include "learner/nlba_options.h"
#include "learner/pooled_options.h"
#include "learner/protonet_options.h"
#include "learner/reptile_options.h"
#include "learner/ridge_options.h"

namespace fewshop {
namespace {

/// A learner's own options, then those of the outer loop.
template <class Options>
std::vector<FieldInfo> with_outer_loop() {
  auto all = describe_fields<Options>();
  for (auto& field : describe_fields<EpisodicOptions>()) all.push_back(std::move(field));
  return all;
}

template <class Options>
LearnerInfo learner(const char* name, const char* summary, const char* paper, const std::vector<Problem>& problems) {
  LearnerInfo info{name, summary, paper, problems, false, with_outer_loop<Options>(), {}, {}};
  info.episodic = problems;
  return info;
}

}  // namespace

std::vector<FieldInfo> bayes_row_options() { return with_outer_loop<BayesRowsOptions>(); }

std::vector<LearnerInfo> episodic_learners() {
  const std::vector<Problem> all{Problem::kRating,     Problem::kRanking, Problem::kBinary, Problem::kMulticlass,
                                 Problem::kRegression, Problem::kCount,   Problem::kOrdinal},
      classes{Problem::kBinary, Problem::kMulticlass},
      solved{Problem::kRating,     Problem::kBinary, Problem::kMulticlass,
             Problem::kRegression, Problem::kCount,  Problem::kOrdinal},
      classified{Problem::kRating, Problem::kRanking, Problem::kBinary, Problem::kMulticlass, Problem::kOrdinal};
  return {
      learner<MamlOptions>("maml", "learned initialisation, gradient steps on the support",
                           "Finn, Abbeel, Levine. Model-Agnostic Meta-Learning. ICML 2017", all),
      learner<ReptileOptions>("reptile", "initialisation moved towards each task's adapted weights",
                              "Nichol, Achiam, Schulman. On First-Order Meta-Learning Algorithms. 2018", all),
      learner<CaviaOptions>("cavia", "only a small context vector adapts, by gradient steps",
                            "Zintgraf et al. Fast Context Adaptation via Meta-Learning. ICML 2019", all),
      learner<ProtonetOptions>("protonet", "class prototypes in embedding space",
                               "Snell, Swersky, Zemel. Prototypical Networks for Few-shot Learning. NeurIPS 2017",
                               classes),
      learner<RidgeOptions>("ridge", "ridge head in closed form, trained through the solve",
                            "Bertinetto et al. Meta-learning with differentiable closed-form solvers. ICLR 2019",
                            solved),
      learner<LearnedOptimizerOptions>("learned-optimizer", "a small LSTM takes the steps on the support",
                                       "Andrychowicz et al. Learning to learn by gradient descent by gradient descent. "
                                       "NeurIPS 2016",
                                       all),
      learner<MamoOptions>(
          "mamo", "gradient steps from weights that a memory chooses by the task's description",
          "Dong et al. MAMO: Memory-Augmented Meta-Optimization for Cold-start Recommendation. KDD 2020", all),
      learner<LwaOptions>(
          "lwa", "a linear classifier whose weights are built from the support's classes",
          "Vartak et al. A Meta-Learning Perspective on Cold-Start Recommendations for Items. NeurIPS 2017",
          classified),
      learner<NlbaOptions>(
          "nlba", "a network whose biases are built from the support's classes",
          "Vartak et al. A Meta-Learning Perspective on Cold-Start Recommendations for Items. NeurIPS 2017",
          classified),
      learner<PooledOptions>("pooled", "one network over all tasks, no adaptation", "", all),
      learner<FinetuneOptions>("finetune", "one network over all tasks, then gradient steps on the support", "", all),
      learner<MultitaskOptions>("multitask", "shared layers, a head for each task",
                                "Caruana. Multitask Learning. Machine Learning 28, 1997", all),
  };
}

}  // namespace fewshop
