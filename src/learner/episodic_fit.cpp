#include "learner/episodic_fit.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <limits>

#include "core/error.h"
#include "core/progress.h"

namespace fewshop::learning {
namespace {

// Judging answers hundreds of episodes, most learners one at a time through libtorch: as long as some dozen outer
// steps.
constexpr int64_t kStepsPerJudgement = 60;

// Of Adam: networks have gradients of all sizes, and rows of an embedding that are rare have small ones.
constexpr double kEpsilon = 1e-6;

/// Of a gradient in the order of a model's parameters the entries of those that are trained.
std::vector<Tensor> trained_part(const EpisodicModel& model, const std::vector<Tensor>& gradient) {
  std::vector<Tensor> part;
  const auto parameters = model.parameters();
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].value.requires_grad()) part.push_back(gradient.at(i));
  return part;
}

/// What the outer loop moves: not the constants that are chosen once. Weights and embeddings are drawn to 0; single
/// numbers and biases are not.
std::vector<Parameter> trained(std::vector<Parameter> parameters, double decay) {
  std::erase_if(parameters, [](const Parameter& p) { return !p.value.requires_grad(); });
  for (auto& p : parameters)
    if (decay > 0 && !p.decay.defined() && p.value.dim() >= 2)
      p.decay = at::full({}, decay, p.value.options().requires_grad(false));
  return parameters;
}

/// What the model leaves open, chosen on meta-validation tasks or as `chosen` says; null where it leaves nothing open.
nlohmann::json choose_constants(const EpisodicFit& fit, const nlohmann::json& chosen) {
  const auto candidates = fit.model.candidates();
  if (candidates.empty()) return nullptr;
  if (!fit.validation_loss) {
    fit.model.choose(chosen.at("constants"));
    return chosen.at("constants");
  }
  size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < candidates.size(); ++c) {
    fit.model.choose(candidates[c]);
    const double loss = fit.validation_loss();
    if (loss < least) {
      least = loss;
      best = c;
    }
  }
  fit.model.choose(candidates[best]);
  return candidates[best];
}

}  // namespace

SplitOptions split_options(const nlohmann::json& options) {
  SplitOptions split;
  nlohmann::json outer = nlohmann::json::object();
  const auto shared = describe_fields<EpisodicOptions>();
  for (const auto& item : options.items()) {
    bool of_outer = false;
    for (const auto& field : shared) of_outer = of_outer || field.name == item.key();
    (of_outer ? outer : split.own)[item.key()] = item.value();
  }
  set_fields(split.outer, outer, "learner");
  return split;
}

nlohmann::json fit_episodic(const EpisodicFit& fit, const nlohmann::json& chosen) {
  EpisodicOptions options = fit.options;
  set_epochs(options, fit.tasks.size());
  const bool choose = static_cast<bool>(fit.validation_loss);
  int schedule = options.epochs;
  if (!choose) {
    options.epochs = chosen.at("epochs").get<int>();
    schedule = chosen.at("schedule").get<int>();
  }
  EpisodicLearner learner;
  learner.parameters = trained(fit.model.parameters(), options.decay);
  learner.query_loss = [&](std::span<const Episode> episodes, const std::vector<uint8_t>& hidden, Random random) {
    return fit.model.query_loss(fit.batch(episodes, hidden, random), random.fork("loss"));
  };
  if (fit.model.has_outer_gradient())
    learner.outer_gradient = [&](std::span<const Episode> episodes, const std::vector<uint8_t>& hidden, Random random) {
      return trained_part(fit.model,
                          fit.model.outer_gradient(fit.batch(episodes, hidden, random), random.fork("loss")));
    };
  learner.validation_loss = fit.validation_loss;
  MetaTrainOptions training;
  training.epochs = options.epochs;
  training.schedule_epochs = schedule;
  training.patience = choose ? options.patience : options.epochs + 1;
  training.batch_tasks = options.batch_tasks;
  training.query = options.query;
  training.lr = options.lr;
  require(options.schedule == "cosine" || options.schedule == "constant",
          "learner.schedule: expected cosine or constant, got '", options.schedule, "'");
  training.cosine = training.average = options.schedule == "cosine";
  training.clamp = options.clamp;
  training.steps_per_judgement = kStepsPerJudgement;
  training.epsilon = kEpsilon;
  training.hold_out_items = fit.scenario.episode.hold_out_items;
  const MetaTrainResult result = meta_train(learner, fit.data, fit.scenario, fit.tasks, training, fit.run);
  for (const auto& p : learner.parameters)
    if (!p.value.isfinite().all().item<bool>())
      throw Failure(fit.run.what + ": training diverged (" + p.name +
                    " is not a finite number); lower learner.lr, or look for extreme values in target and weight");
  nlohmann::json constants = choose_constants(fit, chosen);
  verbose(fmt::format("{}: {} of {} epochs", fit.run.what, choose ? result.epochs : options.epochs, schedule));
  nlohmann::json now = {{"epochs", choose ? result.epochs : options.epochs}, {"schedule", schedule}};
  if (!constants.is_null()) now["constants"] = std::move(constants);
  return now;
}

}  // namespace fewshop::learning
