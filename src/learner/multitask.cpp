#include "learner/multitask.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/error.h"

namespace fewshop::learning {

Multitask::Multitask(const MultitaskOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
                     const Random& random)
    : NetworkModel(encoder, problem, 0, random, output_scale(problem)), options_(options) {
  require(problem.known_tasks > 0, "learner: multitask has a head for every training task, and there are none");
  delta_ = at::zeros({problem.known_tasks, network().outputs(), network().feature_size() + 1}, problem.type)
               .requires_grad_();
  spread_ = at::full({}, options.spread > 0 ? options.spread : 1, problem.type).requires_grad_();
  add_parameter("heads", delta_, at::zeros({}, problem.type));
  add_parameter("spread", spread_, at::zeros({}, problem.type));
}

std::vector<nlohmann::json> Multitask::candidates() const {
  if (options_.spread > 0) return {};
  std::vector<nlohmann::json> all;
  for (const double spread : {1.0, 4.0, 0.25, 16.0, 0.06}) all.push_back({{"spread", spread}});
  return all;
}

void Multitask::choose(const nlohmann::json& candidate) {
  at::NoGradGuard no_grad;
  spread_.fill_(candidate.at("spread").get<double>());
}

Tensor Multitask::features(const Rows& rows) const {
  const Tensor phi = network().features(weights(), network().embed(weights(), rows.x));
  return at::cat({phi, at::ones({phi.size(0), phi.size(1), 1}, phi.options())}, 2);
}

Tensor Multitask::mean_head() const {
  const Tensor &weight = weights()[weights().size() - 2], &bias = weights().back();  // head.weight, head.bias
  return at::cat({weight, bias.unsqueeze(1)}, 1);
}

Tensor Multitask::known_heads(const Tensor& known) const { return mean_head() + delta_.index_select(0, known); }

HeadPrior Multitask::prior() const {
  std::vector<int64_t> version{static_cast<int64_t>(delta_._version()), static_cast<int64_t>(spread_._version())};
  for (const Tensor& weight : weights()) version.push_back(static_cast<int64_t>(weight._version()));
  const std::lock_guard lock(mutex_);
  if (version != prior_version_) {
    at::NoGradGuard no_grad;
    prior_ = fit_head_prior(mean_head() + delta_);
    prior_.precision = prior_.precision / spread_;
    prior_version_ = std::move(version);
  }
  return prior_;
}

Adapted Multitask::adapt(const Rows& support, const Task& task) const {
  const Tensor unknown = task.known.lt(0);
  const Tensor trained = known_heads(task.known.clamp_min(0));
  if (!unknown.any().item<bool>()) return {{"head", trained}};
  const auto loss = [&](const Tensor& output) { return row_loss(output, support); };
  const Tensor fitted = most_probable_heads(features(support), support.mask * support.weight, prior(),
                                            likelihood().family() == Family::kGaussian, loss);
  return {{"head", at::where(unknown.view({-1, 1, 1}), fitted, trained)}};
}

Tensor Multitask::output(const Adapted& adapted, const Rows& rows) const {
  return at::matmul(features(rows), adapted.at("head").transpose(1, 2));
}

Tensor Multitask::query_loss(const Batch& batch, const Random& /*random*/) const {
  require(!batch.task.known.lt(0).any().item<bool>(),
          "learner: multitask trains on tasks of training (Task::known), and this batch has a new one");
  const Adapted heads{{"head", known_heads(batch.task.known)}};
  Tensor total = 0.5 * options_.shrinkage * delta_.index_select(0, batch.task.known).square().sum({1, 2});
  Tensor count = at::zeros_like(total);
  for (const Rows* rows : {&batch.support, &batch.query}) {
    const Tensor importance = rows->mask * rows->weight;
    total = total + (row_loss(output(heads, *rows), *rows) * importance).sum(1);
    count = count + importance.sum(1);
  }
  return (total / count.clamp_min(1)).mean();
}

std::unique_ptr<EpisodicModel> make_multitask(const nlohmann::json& options, const nlohmann::json& encoder,
                                              const EpisodicProblem& problem, Random random) {
  MultitaskOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Multitask>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
