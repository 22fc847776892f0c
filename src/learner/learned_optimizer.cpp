#include "learner/learned_optimizer.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fewshop::learning {

LearnedOptimizer::LearnedOptimizer(const LearnedOptimizerOptions& options, const nlohmann::json& encoder,
                                   const EpisodicProblem& problem, const Random& random)
    : NetworkModel(encoder, problem, 0, random, output_scale(problem)),
      options_(options),
      part_(network(), options.adapts, "learner.adapts"),
      rule_(options.hidden, random.fork("optimizer"), problem.type) {
  require(options.adapts != "all",
          "learner.adapts: learned-optimizer has a memory for every number that adapts, too many for embeddings; "
          "expected head or decision, got all");
  const Tensor none = at::zeros({}, problem.type);
  for (const auto& named : rule_.parameters()) add_parameter("optimizer." + named.first, named.second, none);
  steps_ = at::full({}, options.steps, problem.type).requires_grad_();
  add_parameter("inner.steps", steps_, none);
}

std::vector<nlohmann::json> LearnedOptimizer::candidates() const {
  std::vector<nlohmann::json> all;
  for (const int steps : {options_.steps, options_.steps / 2, options_.steps * 2}) all.push_back({{"steps", steps}});
  return all;
}

void LearnedOptimizer::choose(const nlohmann::json& candidate) {
  at::NoGradGuard no_grad;
  steps_.fill_(candidate.at("steps").get<int>());
}

LearnedOptimizer::Unroll LearnedOptimizer::start(int64_t tasks) const {
  return {part_.start(weights(), tasks), rule_.start(tasks * part_.size())};
}

Tensor LearnedOptimizer::support_gradient(std::span<const Tensor> fast, const Rows& support,
                                          const FastPart::Fixed& rows) const {
  const bool through = options_.order == 2 && at::GradMode::is_enabled();
  at::AutoGradMode enabled(true);
  std::vector<Tensor> w(fast.begin(), fast.end());
  if (!through)
    for (auto& tensor : w) tensor = tensor.detach().requires_grad_();
  const Tensor loss = task_loss(part_.output(part_.merged(weights(), w), rows), support).sum();
  auto gradients = torch::autograd::grad({loss}, w, {}, /*retain_graph=*/true, through, /*allow_unused=*/true);
  std::vector<Tensor> flat;
  for (size_t i = 0; i < w.size(); ++i)
    flat.push_back((gradients[i].defined() ? gradients[i] : at::zeros_like(w[i])).reshape({w[i].size(0), -1}));
  return at::cat(flat, 1).reshape({-1});
}

void LearnedOptimizer::advance(Unroll& unroll, const Rows& support, const FastPart::Fixed& rows, int steps) const {
  for (int step = 0; step < steps; ++step) {
    const Tensor gradient = support_gradient(unroll.fast, support, rows);
    const Tensor update = rule_.update(gradient, unroll.state).view({task_count(support), -1});
    int64_t from = 0;
    for (auto& w : unroll.fast) {
      const int64_t numbers = w.numel() / std::max<int64_t>(1, w.size(0));
      w = w + update.narrow(1, from, numbers).reshape(w.sizes());
      from += numbers;
    }
  }
}

Adapted LearnedOptimizer::adapt(const Rows& support, const Task& /*task*/) const {
  Unroll unroll = start(task_count(support));
  advance(unroll, support, part_.fix(weights(), support.x), static_cast<int>(std::lround(steps_.item<double>())));
  return fast_state(std::move(unroll.fast));
}

Tensor LearnedOptimizer::output(const Adapted& adapted, const Rows& rows) const {
  const auto fast = fast_weights(adapted, part_.positions().size());
  return part_.output(part_.merged(weights(), fast), part_.fix(weights(), rows.x));
}

Tensor LearnedOptimizer::query_loss(const Batch& batch, const Random& /*random*/) const {
  const FastPart::Fixed support = part_.fix(weights(), batch.support.x), query = part_.fix(weights(), batch.query.x);
  Unroll unroll = start(task_count(batch.support));
  Tensor total;
  int windows = 0;
  for (int done = 0; done < options_.steps || windows == 0; done += options_.truncation, ++windows) {
    if (windows > 0) {
      unroll.state = unroll.state.detached();
      for (auto& w : unroll.fast) w = w.detach();
    }
    advance(unroll, batch.support, support, std::min(options_.truncation, options_.steps - done));
    const Tensor loss = task_loss(part_.output(part_.merged(weights(), unroll.fast), query), batch.query).mean();
    total = total.defined() ? total + loss : loss;
  }
  return total / windows;
}

std::unique_ptr<EpisodicModel> make_learned_optimizer(const nlohmann::json& options, const nlohmann::json& encoder,
                                                      const EpisodicProblem& problem, Random random) {
  LearnedOptimizerOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<LearnedOptimizer>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
