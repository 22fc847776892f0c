#include "learner/maml.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "learner/inner_loop.h"
#include "learner/maml_head.h"

namespace fewshop::learning {
namespace {

MamlOptions checked(MamlOptions options, const EpisodicProblem& problem) {
  require(options.loss == "likelihood" || options.loss == "squared",
          "learner.loss: expected likelihood or squared, got '", options.loss, "'");
  require(options.loss == "likelihood" || problem.family == Family::kGaussian,
          "learner.loss: squared is for numbers as targets; expected likelihood");
  require(!options.shared_head_row || problem.family == Family::kCategorical,
          "learner.shared_head_row: only multiclass problems have a row for each class; expected false");
  require(
      !options.shared_head_row || options.adapts != "body",
      "learner.shared_head_row: with adapts = \"body\" the head stays one row, and all classes alike; expected head, ",
      "decision or all");
  return options;
}

std::vector<StepSizes::Adapting> adapting(const FastPart& part, const std::vector<nn::ParameterInfo>& infos,
                                          bool shared_head_row) {
  std::vector<StepSizes::Adapting> list;
  for (const size_t i : part.positions()) {
    list.push_back({infos[i].name, infos[i].shape});
    if (shared_head_row && infos[i].layer == nn::Layer::kHead) list.back().shape[0] = 1;
  }
  return list;
}

}  // namespace

Maml::Maml(const MamlOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
           const Random& random)
    : Maml(options, options.steps, encoder, problem, random) {}

Maml::Maml(const MamlOptions& options, int most_steps, const nlohmann::json& encoder, const EpisodicProblem& problem,
           const Random& random)
    : GradientModel({options.steps, options.choose_steps, most_steps, options.standardize}, encoder, problem, random),
      options_(checked(options, problem)),
      part_(network(), options.adapts, "learner.adapts"),
      step_sizes_({options.step_sizes, options.step_size, options.steps, options.by_size},
                  adapting(part_, network().parameters(), options.shared_head_row), problem.type) {
  for (auto& p : step_sizes_.parameters()) add_parameter(p.name, p.value, p.decay);
}

std::vector<Tensor> Maml::initial() const {
  std::vector<Tensor> p(weights().begin(), weights().end());
  if (options_.shared_head_row)
    for (size_t i = p.size() - 2; i < p.size(); ++i) p[i] = p[i].narrow(0, 0, 1).expand(p[i].sizes());
  return p;
}

std::vector<Tensor> Maml::adapted_weights(const Rows& support, const FastPart::Fixed& rows,
                                          const std::function<Tensor(int step)>& shares, const Watch& watch) const {
  const std::vector<Tensor> shared = initial();
  const Tensor sizes = step_sizes_.shares(support.mask);
  InnerLoop loop;
  loop.steps = support.mask.size(1) == 0 ? 0 : steps();
  loop.order = options_.order;
  loop.loss = [&](std::span<const Tensor> fast, int step) {
    return (inner_loss(part_.output(part_.merged(shared, fast), rows), support) * shares(step)).sum(1);
  };
  loop.step_size = [&](int step, size_t i) { return step_sizes_.at(step, i, sizes); };
  loop.watch = watch;
  return part_.merged(shared, run(loop, part_.start(shared, task_count(support))));
}

Tensor Maml::query_loss(const Batch& batch, const Random& /*random*/) const {
  if (is_dense()) return dense_query_loss(batch);
  const Tensor share = row_shares(batch.support);
  const auto p = adapted_weights(
      batch.support, part_.fix(initial(), batch.support.x), [&](int) { return share; }, nullptr);
  return outer_loss(network().forward(p, batch.query.x), batch.query);
}

Tensor Maml::outer_loss(const Tensor& raw_output, const Rows& query) const {
  const auto mean = [&](const Tensor& loss) { return mean_loss(loss, query.mask, query.weight); };
  if (options_.loss == "likelihood") return mean(row_loss(raw_output * scale(), query));
  const Tensor noise_only = mean(row_loss(raw_output.detach() * scale(), query));
  return mean(inner_loss(raw_output, query)) + (noise_only - noise_only.detach());
}

Tensor Maml::output(const Adapted& adapted, const Rows& rows) const {
  const auto p = part_.merged(initial(), fast_weights(adapted, part_.positions().size()));
  return network().forward(p, rows.x) * scale();
}

std::unique_ptr<EpisodicModel> make_maml(const nlohmann::json& options, const nlohmann::json& encoder,
                                         const EpisodicProblem& problem, Random random) {
  MamlOptions o;
  set_fields(o, options, "learner");
  if (o.adapts == "head") return std::make_unique<MamlHead>(o, encoder, problem, random);
  return std::make_unique<Maml>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
