#include "learner/mamo.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "learner/inner_loop.h"
#include "learner/normal_tensor.h"

namespace fewshop::learning {
namespace {

constexpr double kStartSharpness = 1.5;  // log; attention to the best of random slots begins at about a half

/// [T, P] numbers of each task in one row.
Tensor flattened(std::span<const Tensor> tensors) {
  std::vector<Tensor> rows;
  for (const Tensor& t : tensors) rows.push_back(t.reshape({t.size(0), -1}));
  return at::cat(rows, 1);
}

}  // namespace

Mamo::Mamo(const MamoOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
           const Random& random)
    : NetworkModel(encoder, problem, 0, random, output_scale(problem)),
      options_(options),
      part_(network(), options.adapts, "learner.adapts") {
  require(!problem.description.empty(),
          "learner: mamo attends by what describes a task, and nothing does; give [tasks] a table with features, or "
          "take maml");
  const at::ScalarType type = problem.type;
  profile_ = nn::make_network({{"name", "linear"}}, problem.description, options.profile);
  profile_weights_ = nn::initial_parameters(*profile_, random.fork("profile"), type);
  for (size_t i = 0; i < profile_weights_.size(); ++i)
    add_parameter("profile." + profile_->parameters()[i].name, profile_weights_[i].requires_grad_());
  const int64_t d = network().feature_size(), slots = options.memories;
  Random draw = random.fork("keys");
  keys_ = normal_tensor({slots, options.profile}, 1, draw, type).requires_grad_();
  start_memory_ = at::zeros({slots, part_.size()}, type).requires_grad_();
  mixing_memory_ = at::zeros({slots, d, d}, type).requires_grad_();
  sharpness_ = at::full({}, kStartSharpness, type).requires_grad_();
  log_rate_ = at::full({}, std::log(options.rate), type).requires_grad_();
  const Tensor none = at::zeros({}, type);
  add_parameter("memory.keys", keys_, none);
  add_parameter("memory.start", start_memory_);
  add_parameter("memory.mixing", mixing_memory_);
  add_parameter("sharpness", sharpness_, none);
  add_parameter("inner.log_rate", log_rate_, none);
}

int64_t Mamo::state_size() const { return part_.size() + network().feature_size() * network().feature_size(); }

Mamo::Start Mamo::start(const Task& task) const {
  require(task.descriptions != nullptr, "mamo: the task features are missing (Task::descriptions)");
  nn::NetworkInput input;
  input.parts.push_back({task.descriptions, task.description.unsqueeze(1)});
  Start start;
  start.profile = profile_->forward(profile_weights_, input).squeeze(1);
  const auto unit = [](const Tensor& v) { return v / (v.square().sum(-1, true) + 1e-6).sqrt(); };
  start.attention = (sharpness_.exp() * at::matmul(unit(start.profile), unit(keys_).t())).softmax(-1);
  const Tensor moved = at::matmul(start.attention, start_memory_);  // [T, P]
  const int64_t tasks = moved.size(0), d = network().feature_size();
  start.fast = part_.start(weights(), tasks);
  int64_t from = 0;
  for (auto& w : start.fast) {
    const int64_t numbers = w.numel() / std::max<int64_t>(1, tasks);
    w = w - moved.narrow(1, from, numbers).reshape(w.sizes());
    from += numbers;
  }
  const Tensor mixing = at::matmul(start.attention, mixing_memory_.view({-1, d * d})).view({tasks, d, d});
  start.fast.push_back(at::eye(d, mixing.options()) + mixing);
  return start;
}

Tensor Mamo::output_of(std::span<const Tensor> fast, const FastPart::Fixed& rows) const {
  const auto p = part_.merged(weights(), fast.first(fast.size() - 1));
  return network().head(p, at::matmul(part_.features(p, rows), fast.back().transpose(1, 2)));
}

std::vector<Tensor> Mamo::adapted_weights(const Start& start, const Rows& support) const {
  const FastPart::Fixed rows = part_.fix(weights(), support.x);
  const Tensor rate = log_rate_.exp();
  InnerLoop loop;
  loop.steps = options_.steps;
  loop.order = options_.order;
  loop.loss = [&](std::span<const Tensor> fast, int /*step*/) { return task_loss(output_of(fast, rows), support); };
  loop.step_size = [&](int /*step*/, size_t /*i*/) { return rate; };
  return run(loop, start.fast);
}

Adapted Mamo::adapt(const Rows& support, const Task& task) const {
  return fast_state(adapted_weights(start(task), support));
}

Tensor Mamo::output(const Adapted& adapted, const Rows& rows) const {
  const auto fast = fast_weights(adapted, part_.positions().size() + 1);
  return output_of(fast, part_.fix(weights(), rows.x));
}

Tensor Mamo::query_loss(const Batch& batch, const Random& /*random*/) const {
  const Start begin = start(batch.task);
  const auto fast = adapted_weights(begin, batch.support);
  const Tensor loss = task_loss(output_of(fast, part_.fix(weights(), batch.query.x)), batch.query).mean();
  return options_.write > 0 ? loss + options_.write * write_loss(begin, batch.support, fast) : loss;
}

Tensor Mamo::write_loss(const Start& start, const Rows& support, std::span<const Tensor> adapted) const {
  std::vector<Tensor> w;
  for (const Tensor& t : start.fast) w.push_back(t.detach().requires_grad_());
  const Tensor loss = task_loss(output_of(w, part_.fix(weights(), support.x)), support).sum();
  auto gradients = torch::autograd::grad({loss}, w, {}, false, false, /*allow_unused=*/true);
  gradients.pop_back();  // of C: what is written of it is where the inner loop has left it
  for (size_t i = 0; i < gradients.size(); ++i)
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(w[i]);
  const Tensor step = log_rate_.detach().exp() * flattened(gradients);
  const Tensor mixing = adapted.back().detach() - at::eye(network().feature_size(), step.options());
  const Tensor distance =
      (keys_.unsqueeze(0) - start.profile.detach().unsqueeze(1)).square().sum(2) / options_.profile +
      (start_memory_.unsqueeze(0) - step.unsqueeze(1)).square().sum(2) +
      (mixing_memory_.unsqueeze(0) - mixing.unsqueeze(1)).square().sum({2, 3});  // [T, K]
  return (start.attention.detach() * distance).sum(1).mean();
}

std::unique_ptr<EpisodicModel> make_mamo(const nlohmann::json& options, const nlohmann::json& encoder,
                                         const EpisodicProblem& problem, Random random) {
  MamoOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Mamo>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
