#include "learner/cavia.h"

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

constexpr const char* kFirstBias = "body.0.bias";

bool is_multiplicative(const std::string& name) {
  require(name == "concatenated" || name == "multiplicative",
          "learner.context_in: expected concatenated or multiplicative, got '", name, "'");
  return name == "multiplicative";
}

}  // namespace

Cavia::Cavia(const CaviaOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
             const Random& random)
    : GradientModel({options.steps, options.choose_steps, options.steps, options.standardize}, encoder, problem,
                    random),
      options_(options),
      multiplicative_(is_multiplicative(options.context_in)),
      step_sizes_({options.step_sizes, options.step_size, options.steps, options.by_size},
                  {{"context", {options.context}}}, problem.type) {
  Random draw = random.fork("context");
  const auto normal = [&](int64_t rows) {
    const double deviation = 1 / std::sqrt(options.context);
    return normal_tensor({rows, options.context}, deviation, draw, problem.type).requires_grad_();
  };
  if (multiplicative_) {
    const int64_t size = network().feature_size();
    weight_ = normal(size);
    scale_ = at::ones({size}, problem.type).requires_grad_();
    shift_ = normal(size);
    add_parameter("context.scale_weight", weight_);
    add_parameter("context.scale", scale_);
    add_parameter("context.shift_weight", shift_);
  } else {
    const auto& infos = network().parameters();
    bias_ = std::find_if(infos.begin(), infos.end(), [](const auto& info) { return info.name == kFirstBias; }) -
            infos.begin();
    require(network().dense_body() && bias_ < infos.size(),
            "learner.context_in: a concatenated context needs an encoder of dense layers, at least one hidden; use ",
            "learner.encoder.name = \"mlp\", or multiplicative");
    encoder_ = nn::make_network(encoder_options(encoder), problem.fields, 1);
    weight_ = normal(infos[bias_].shape[0]);
    add_parameter("context.weight", weight_);
  }
  for (auto& p : step_sizes_.parameters()) add_parameter(p.name, p.value, p.decay);
}

Cavia::Fixed Cavia::fix(const nn::NetworkInput& x) const {
  Fixed fixed{network().embed(weights(), x), {}};
  if (multiplicative_) fixed.features = network().features(weights(), fixed.embedded);
  return fixed;
}

Tensor Cavia::answer(const Tensor& context, const Fixed& rows) const {
  const Tensor moved = at::matmul(context, weight_.t());  // [T, H] or [T, D]
  if (multiplicative_) {
    const Tensor shift = at::matmul(context, shift_.t());
    return network().head(weights(), rows.features * (scale_ + moved).unsqueeze(1) + shift.unsqueeze(1));
  }
  std::vector<Tensor> p(weights().begin(), weights().end());
  p[bias_] = p[bias_] + moved;
  return network().head(p, network().features(p, rows.embedded));
}

Tensor Cavia::adapted_context(const Rows& support, const Fixed& rows, const Watch& watch) const {
  const Tensor share = row_shares(support), sizes = step_sizes_.shares(support.mask);
  InnerLoop loop;
  loop.steps = support.mask.size(1) == 0 ? 0 : steps();
  loop.order = options_.order;
  loop.loss = [&](std::span<const Tensor> c, int) { return (inner_loss(answer(c[0], rows), support) * share).sum(1); };
  loop.step_size = [&](int step, size_t i) { return step_sizes_.at(step, i, sizes); };
  loop.watch = watch;
  const Tensor start = at::zeros({task_count(support), options_.context}, weight_.options());
  return run(loop, {start.requires_grad_()})[0];
}

Tensor Cavia::query_loss(const Batch& batch, const Random& /*random*/) const {
  const Tensor context = adapted_context(batch.support, fix(batch.support.x), nullptr);
  const Tensor raw = answer(context, fix(batch.query.x));
  return mean_loss(row_loss(raw * scale(), batch.query), batch.query.mask, batch.query.weight);
}

Tensor Cavia::output(const Adapted& adapted, const Rows& rows) const {
  return answer(adapted.at("context"), fix(rows.x)) * scale();
}

Adapted Cavia::adapt(const Rows& support, const Task& /*task*/) const {
  const Fixed rows = fix(support.x);
  const int64_t tasks = task_count(support), size = support.mask.size(1);
  const Tensor share = row_shares(support).detach(), step_sizes = step_sizes_.shares(support.mask);
  Tensor contribution = at::zeros({tasks, size, options_.context}, share.options());

  // Every row as a task of its own: its gradient alone.
  const auto as_tasks = [](const Tensor& t) { return t.defined() ? t.detach().flatten(0, 1).unsqueeze(1) : t; };
  Fixed single;
  for (const auto& e : rows.embedded) single.embedded.push_back(as_tasks(e));
  single.features = as_tasks(rows.features);
  Rows single_rows;
  single_rows.target = as_tasks(support.target);
  single_rows.offset = as_tasks(support.offset);
  const Watch watch = [&](int step, std::span<const Tensor> values, std::span<const Tensor>) {
    at::AutoGradMode enabled(true);
    const Tensor context = values[0].detach().unsqueeze(1).expand_as(contribution).flatten(0, 1).requires_grad_();
    const Tensor loss = inner_loss(answer(context, single), single_rows).sum();
    const Tensor gradient = torch::autograd::grad({loss}, {context})[0].view_as(contribution) * share.unsqueeze(2);
    const Tensor rate = step_sizes_.at(step, 0, step_sizes).detach();  // [], [K] or [T, 1]
    contribution = contribution - (rate.dim() == 2 ? rate.unsqueeze(1) : rate) * gradient;
  };
  Adapted adapted{{"context", adapted_context(support, rows, watch)}};
  adapted["contribution"] = contribution;
  return adapted;
}

Explains::Explanation Cavia::explain(const Adapted& adapted, const Rows& query) const {
  at::AutoGradMode enabled(true);
  const Tensor context = adapted.at("context").detach().requires_grad_();
  const Tensor raw = answer(context, fix(query.x)) * scale();
  const Tensor link = query.offset.defined() ? raw + query.offset.unsqueeze(-1) : raw;
  const Tensor chosen = of_output(link, link.argmax(-1));  // [T, Q]
  std::vector<Tensor> slopes;
  for (int64_t q = 0; q < chosen.size(1); ++q)
    slopes.push_back(torch::autograd::grad({chosen.select(1, q).sum()}, {context}, {}, /*retain_graph=*/true)[0]);
  const Tensor evidence = at::matmul(at::stack(slopes, 1), adapted.at("contribution").transpose(1, 2)).detach();
  return {chosen.detach() - evidence.sum(2), evidence};
}

std::unique_ptr<EpisodicModel> make_cavia(const nlohmann::json& options, const nlohmann::json& encoder,
                                          const EpisodicProblem& problem, Random random) {
  CaviaOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Cavia>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
