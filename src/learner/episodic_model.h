#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "learner/learner.h"
#include "learner/likelihood.h"
#include "learner/meta_train.h"
#include "nn/network.h"
#include "runtime/task_head.h"

namespace fewshop::learning {

/// The problem as a learner that trains by episodes sees it.
struct EpisodicProblem {
  Family family = Family::kGaussian;
  int64_t classes = 0;            // categorical, ordinal
  std::vector<nn::Field> fields;  // of Rows::x; an input of other fields is refused
  double target_variance = 1;     // of training targets behind their offset
  int64_t known_tasks = 0;        // tasks of training: Task::known is in [0, known_tasks) or -1 (multitask heads)
  at::ScalarType type = at::kFloat;
  std::vector<nn::Field> description = {};  // of Task::descriptions; empty = there are none
};

/// A learner that trains by episodes, as a model whose parameters can still move: maml, reptile, cavia, protonet ...
///
/// Life cycle: made with starting values; meta_train moves parameters() in place; from then on immutable. adapt and
/// predict may be called from several threads at once; under at::NoGradGuard, too (serving, validation): a learner that
/// derives while it adapts enables gradients itself and returns a state without a graph.
///
/// The outer loop's own options (epochs, lr ...: EpisodicOptions) are not a learner's: its options are what is left.
class EpisodicModel : public Model {
 public:
  /// Everything that is trained by the outer loop, in a fixed order; values require gradients.
  virtual std::vector<Parameter> parameters() const = 0;

  /// The outer loss of one meta-batch, a scalar, differentiable in parameters(): by default the mean over tasks of the
  /// mean over query rows of -log p after adapting.
  virtual Tensor query_loss(const Batch& batch, const Random& random) const;

  /// The outer gradient where it is not the derivative of query_loss (reptile): in the order of parameters(), undefined
  /// tensors are zeros. Asked for where has_outer_gradient().
  virtual bool has_outer_gradient() const { return false; }
  virtual std::vector<Tensor> outer_gradient(const Batch& /*batch*/, const Random& /*random*/) const { return {}; }

  /// What is left to choose once parameters() are trained, by the metric on meta-validation tasks: the candidates, best
  /// guess first (finetune: inner steps and step size). Empty for most learners.
  virtual std::vector<nlohmann::json> candidates() const { return {}; }
  /// Takes one of candidates(); it is part of parameters() from then on, so that it is saved with them.
  virtual void choose(const nlohmann::json& /*candidate*/) {}

  /// Numbers that the state of one task holds, for reports.
  virtual int64_t state_size() const = 0;
};

/// Optional ability of an EpisodicModel: adapting is a head on features of a network that does not adapt, so that it
/// has a runtime form: the network's runtime encoder, and this head (runtime/task_head.h). The member around the two is
/// made by who knows where the rows come from.
class HasTaskHead {
 public:
  virtual ~HasTaskHead() = default;
  virtual const nn::Network& encoder() const = 0;
  virtual std::vector<Tensor> encoder_parameters() const = 0;  // in the order of encoder().parameters()
  /// What makes encoder() anew, given the [learner.encoder] of the model: the same, unless the head takes some of the
  /// network with it.
  virtual nlohmann::json encoder_options(const nlohmann::json& encoder) const { return encoder; }
  virtual std::unique_ptr<TaskHead> task_head() const = 0;
};

/// Makes a learner by its name of the catalogue. `options` as in [learner], `encoder` as in [learner.encoder]; both
/// checked. Throws InvalidInput for an unknown name or option.
std::unique_ptr<EpisodicModel> make_episodic(const std::string& name, const nlohmann::json& options,
                                             const nlohmann::json& encoder, const EpisodicProblem& problem,
                                             Random random);

}  // namespace fewshop::learning
