#include "learner/finetune.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "learner/inner_loop.h"

namespace fewshop::learning {
namespace {

// Until something is chosen the pre-trained network answers as it is, so that it is validated as it is.
constexpr int kUnchosenSteps = 0;
constexpr double kUnchosenRate = 0.05;

Tensor constant(double value, at::ScalarType type) { return at::full({}, value, type).requires_grad_(); }

}  // namespace

Finetune::Finetune(const FinetuneOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
                   const Random& random)
    : Pooled(encoder, problem, random), options_(options), part_(network(), options.adapts, "learner.adapts") {
  steps_ = constant(options.steps > 0 ? options.steps : kUnchosenSteps, problem.type);
  rate_ = constant(options.rate > 0 ? options.rate : kUnchosenRate, problem.type);
  shrink_ = constant(0, problem.type);
  const Tensor none = at::zeros({}, problem.type);  // no decay: these are chosen, not trained
  add_parameter("inner.steps", steps_, none);
  add_parameter("inner.rate", rate_, none);
  add_parameter("inner.shrink", shrink_, none);
}

std::vector<nlohmann::json> Finetune::candidates() const {
  if (options_.steps > 0 && options_.rate > 0) return {};
  const std::vector<int> steps = options_.steps > 0 ? std::vector<int>{options_.steps} : std::vector<int>{10, 1};
  const std::vector<double> rates =
      options_.rate > 0 ? std::vector<double>{options_.rate} : std::vector<double>{0.1, 0.03, 0.3, 0.01};
  std::vector<nlohmann::json> all;
  for (const int s : steps)
    for (const double rate : rates)
      for (const double shrink : {0.0, 8.0}) all.push_back({{"steps", s}, {"rate", rate}, {"shrink", shrink}});
  if (options_.steps == 0) all.push_back({{"steps", 0}, {"rate", kUnchosenRate}, {"shrink", 0.0}});
  return all;
}

void Finetune::choose(const nlohmann::json& candidate) {
  at::NoGradGuard no_grad;
  steps_.fill_(candidate.at("steps").get<int>());
  rate_.fill_(candidate.at("rate").get<double>());
  shrink_.fill_(candidate.at("shrink").get<double>());
}

Adapted Finetune::adapt(const Rows& support, const Task& /*task*/) const {
  const int64_t tasks = task_count(support);
  std::vector<Tensor> fixed_weights;
  for (const Tensor& weight : weights()) fixed_weights.push_back(weight.detach());
  const FastPart::Fixed rows = part_.fix(fixed_weights, support.x);
  const Tensor count = (support.mask * support.weight).sum(1);
  const Tensor share = count / (count + shrink_.detach()).clamp_min(1e-6);
  const Tensor rate = rate_.detach();
  InnerLoop loop;
  loop.steps = static_cast<int>(std::lround(steps_.item<double>()));
  loop.loss = [&](std::span<const Tensor> fast, int /*step*/) {
    return share * task_loss(part_.output(part_.merged(fixed_weights, fast), rows), support);
  };
  loop.step_size = [&](int /*step*/, size_t /*i*/) { return rate; };
  at::NoGradGuard no_graph;
  return fast_state(run(loop, part_.start(fixed_weights, tasks)));
}

Tensor Finetune::output(const Adapted& adapted, const Rows& rows) const {
  const auto fast = fast_weights(adapted, part_.positions().size());
  return part_.output(part_.merged(weights(), fast), part_.fix(weights(), rows.x));
}

std::unique_ptr<EpisodicModel> make_finetune(const nlohmann::json& options, const nlohmann::json& encoder,
                                             const EpisodicProblem& problem, Random random) {
  FinetuneOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Finetune>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
