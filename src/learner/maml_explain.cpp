#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include "learner/inner_loop.h"
#include "learner/maml.h"

namespace fewshop::learning {
namespace {

/// A step size [], [T, 1, ...] or [...] as [T, shape].
Tensor per_task(const Tensor& step_size, int64_t tasks, std::vector<int64_t> shape) {
  shape.insert(shape.begin(), tasks);
  return step_size.expand(shape);
}

std::string numbered(const char* name, size_t i) { return name + std::to_string(i); }

/// What last_step_evidence() reads of the support.
void keep_support(Adapted& adapted, const Rows& support, const Tensor& share, const std::vector<Tensor>& embedded) {
  adapted["support.mask"] = support.mask;
  adapted["support.share"] = share;
  adapted["support.target"] = support.target;
  if (support.offset.defined()) adapted["support.offset"] = support.offset;
  for (size_t i = 0; i < embedded.size(); ++i) adapted[numbered("support.embedded.", i)] = embedded[i].detach();
}

}  // namespace

Adapted Maml::adapt(const Rows& support, const Task& /*task*/) const {
  const bool recorded = at::GradMode::is_enabled() || options_.adapts == "head" || options_.adapts == "all";
  if (!recorded && is_dense() && support.mask.size(1) > 0) {
    const DenseSteps weights = dense_adapted(support);
    Adapted adapted;
    for (size_t i = 0; i < weights.after.size(); ++i) {
      adapted[numbered("fast.", i)] = weights.after[i];
      adapted[numbered("before.", i)] = weights.before[i];
    }
    keep_support(adapted, support, row_shares(support), network().embed(initial(), support.x));
    return adapted;
  }
  const FastPart::Fixed rows = part_.fix(initial(), support.x);
  const bool head_only = options_.adapts == "head";
  const Tensor share = row_shares(support).detach();
  Adapted adapted;
  std::vector<Tensor> slopes;  // head only: derivative of each row's part of the loss in its outputs, per step
  const Watch watch = [&](int step, std::span<const Tensor> values, std::span<const Tensor>) {
    if (!head_only) {
      if (step + 1 == steps())
        for (size_t i = 0; i < values.size(); ++i) adapted[numbered("before.", i)] = values[i].detach();
      return;
    }
    at::AutoGradMode enabled(true);
    const Tensor raw = part_.output(part_.merged(initial(), values), rows).detach().requires_grad_();
    slopes.push_back(torch::autograd::grad({(inner_loss(raw, support) * share).sum()}, {raw})[0]);
  };
  const auto p = adapted_weights(
      support, rows, [&](int) { return share; }, watch);
  for (size_t i = 0; i < part_.positions().size(); ++i) adapted[numbered("fast.", i)] = p[part_.positions()[i]];
  if (head_only) {
    adapted["support.mask"] = support.mask;
    adapted["support.share"] = share;
    adapted["support.features"] = rows.features.detach();
    if (!slopes.empty()) adapted["support.slopes"] = at::stack(slopes, 1);  // [T, J, S, O]
    return adapted;
  }
  keep_support(adapted, support, share, options_.adapts == "all" ? network().embed(p, support.x) : rows.embedded);
  return adapted;
}

Explains::Explanation Maml::explain(const Adapted& adapted, const Rows& query) const {
  at::NoGradGuard no_grad;
  const Tensor raw = output(adapted, query);
  const Tensor link = query.offset.defined() ? raw + query.offset.unsqueeze(-1) : raw;
  const Tensor chosen = link.argmax(-1);
  const Tensor& share = adapted.at("support.share");
  Tensor evidence = at::zeros({link.size(0), link.size(1), share.size(1)}, link.options());
  if (options_.adapts == "head" && adapted.count("support.slopes")) {
    const Tensor features = part_.fix(initial(), query.x).features;
    evidence =
        family() == Family::kGaussian ? linear_evidence(adapted, features) : head_evidence(adapted, features, chosen);
  } else if (adapted.count("before.0")) {
    evidence = last_step_evidence(adapted, query, chosen);
  }
  evidence = evidence * scale();
  return {of_output(link, chosen) - evidence.sum(2), evidence};
}

// The head's weights move by a linear map of the first residuals e = y - x . w_0. With rows x = [features, 1] of shares
// m, delta_j = D_j (m e) where D_0 = 0 and D_{j+1} = D_j - 2 alpha_j (X^T diag(m) X D_j - X^T).
Tensor Maml::linear_evidence(const Adapted& adapted, const Tensor& features) const {
  const auto with_one = [](const Tensor& x) { return at::cat({x, at::ones_like(x.narrow(2, 0, 1))}, 2); };
  const Tensor x = with_one(adapted.at("support.features")), share = adapted.at("support.share");
  const Tensor transposed = x.transpose(1, 2), weighted = transposed * share.unsqueeze(1);
  const Tensor sizes = step_sizes_.shares(adapted.at("support.mask"));
  const Tensor& slopes = adapted.at("support.slopes");  // of (y - x . w)^2: the first ones are -2 m e
  Tensor map = at::zeros_like(transposed);              // [T, D + 1, S]
  for (int64_t step = 0; step < slopes.size(1); ++step) {
    const int j = static_cast<int>(step);
    const Tensor rate = at::cat({per_task(step_sizes_.at(j, 0, sizes), x.size(0), {1, x.size(2) - 1}).select(1, 0),
                                 per_task(step_sizes_.at(j, 1, sizes), x.size(0), {1})},
                                1);
    map = map - 2 * rate.unsqueeze(2) * (at::matmul(weighted, at::matmul(x, map)) - transposed);
  }
  return at::matmul(with_one(features), map) * (-0.5 * slopes.select(1, 0).select(-1, 0)).unsqueeze(1);
}

Tensor Maml::head_evidence(const Adapted& adapted, const Tensor& features, const Tensor& chosen) const {
  const Tensor &support = adapted.at("support.features"), &slopes = adapted.at("support.slopes");
  const Tensor sizes = step_sizes_.shares(adapted.at("support.mask"));
  const int64_t tasks = features.size(0), outputs = network().outputs(), size = network().feature_size();
  Tensor evidence = at::zeros({tasks, features.size(1), outputs, support.size(1)}, features.options());
  for (int64_t step = 0; step < slopes.size(1); ++step) {
    const int j = static_cast<int>(step);
    const Tensor weight = per_task(step_sizes_.at(j, 0, sizes), tasks, {outputs, size}),
                 bias = per_task(step_sizes_.at(j, 1, sizes), tasks, {outputs});
    const Tensor scaled = (features.unsqueeze(2) * weight.unsqueeze(1)).flatten(1, 2);  // [T, Q O, D]
    const Tensor kernel =
        at::matmul(scaled, support.transpose(1, 2)).view_as(evidence) + bias.unsqueeze(1).unsqueeze(3);
    evidence = evidence - kernel * slopes.select(1, step).transpose(1, 2).unsqueeze(1);
  }
  return of_output(evidence.transpose(2, 3), chosen.unsqueeze(-1).expand({-1, -1, support.size(1)}));
}

// A row s moved the weights in the last step by -alpha m_s grad l_s, and with them an answer f by that times grad f.
Tensor Maml::last_step_evidence(const Adapted& adapted, const Rows& query, const Tensor& chosen) const {
  at::AutoGradMode enabled(true);
  FastPart::Fixed rows;
  for (size_t i = 0; adapted.count(numbered("support.embedded.", i)); ++i)
    rows.embedded.push_back(adapted.at(numbered("support.embedded.", i)));
  Rows support;
  support.target = adapted.at("support.target");
  if (adapted.count("support.offset")) support.offset = adapted.at("support.offset");
  const Tensor sizes = step_sizes_.shares(adapted.at("support.mask"));

  // Embeddings that adapt stay as they are: their part counts as prior.
  const auto& infos = network().parameters();
  std::vector<Tensor> before = initial(), after = initial(), from, to;
  std::vector<size_t> tensors;
  for (size_t i = 0; i < part_.positions().size(); ++i) {
    const size_t at = part_.positions()[i];
    const bool dense = infos[at].layer != nn::Layer::kEmbedding;
    before[at] = adapted.at(numbered("before.", i)).detach().requires_grad_(dense);
    after[at] = adapted.at(numbered("fast.", i)).detach().requires_grad_(dense);
    if (!dense) continue;
    tensors.push_back(i);
    from.push_back(before[at]);
    to.push_back(after[at]);
  }
  const Tensor share = adapted.at("support.share").detach().requires_grad_();
  const Tensor raw = network().head(before, network().features(before, rows.embedded));
  const auto gradients =
      torch::autograd::grad({(inner_loss(raw, support) * share).sum()}, from, {}, true, true, /*allow_unused=*/true);
  const Tensor answer = of_output(network().forward(after, query.x), chosen);
  std::vector<Tensor> per_query;
  for (int64_t q = 0; q < answer.size(1); ++q) {
    const auto slopes = torch::autograd::grad({answer.select(1, q).sum()}, to, {}, /*retain_graph=*/true, false,
                                              /*allow_unused=*/true);
    Tensor moved = at::zeros({}, answer.options());
    for (size_t i = 0; i < tensors.size(); ++i)
      if (slopes[i].defined() && gradients[i].defined())
        moved = moved + (slopes[i] * step_sizes_.at(steps() - 1, tensors[i], sizes).detach() * gradients[i]).sum();
    // The gradients are linear in the shares.
    per_query.push_back(-share.detach() * torch::autograd::grad({moved}, {share}, {}, /*retain_graph=*/true)[0]);
  }
  return at::stack(per_query, 1);
}

}  // namespace fewshop::learning
