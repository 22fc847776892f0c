#pragma once

#include "learner/network_model.h"
#include "learner/step_sizes.h"

namespace fewshop::learning {

// Axes: T tasks, S rows of a task, O outputs.

/// What learners share that adapt by gradient steps on the loss of the support rows (maml, reptile, cavia).
///
/// The inner loss l is -log p; where targets are numbers it is the squared error in units of `scale`, whatever the
/// outer loss is: a noise variance would only rescale the step sizes.
class GradientModel : public NetworkModel {
 public:
  /// {"steps": n}, from options.steps down to 1 and then up to options.most_steps; empty without `choose`.
  std::vector<nlohmann::json> candidates() const override;
  void choose(const nlohmann::json& candidate) override;

  int steps() const;

 protected:
  struct Options {
    int steps = 5;        // while training
    bool choose = false;  // the steps of new tasks on meta-validation tasks
    int most_steps = 5;   // to choose from
    bool standardize = true;
  };
  GradientModel(const Options& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
                const Random& random);

  /// The loss of every row given what the network says: raw_output [T, S, O] in units of scale -> [T, S].
  Tensor inner_loss(const Tensor& raw_output, const Rows& rows) const;

  Family family() const { return family_; }
  double scale() const { return scale_; }  // outputs = scale * what the network says

 private:
  Options options_;
  Family family_;
  double scale_;
  Tensor steps_;  // []
};

/// Of values [..., O] the one that `output` [...] numbers.
Tensor of_output(const Tensor& values, const Tensor& output);

}  // namespace fewshop::learning
