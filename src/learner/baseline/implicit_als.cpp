#include "learner/baseline/als.h"
#include "learner/baseline/als_solver.h"
#include "learner/baseline/content_fit.h"
#include "runtime/als_member.h"

namespace fewshop {

namespace {

/// Items that nobody has, and users without items, contribute nothing: their factors are 0 while fitting.
std::unique_ptr<Member> fit_one(const FitInput& input, const Interactions& by_task, const Interactions& by_item,
                                const ImplicitAlsOptions& options) {
  const int d = options.factors;
  RowMatrix users = RowMatrix::Zero(by_task.rows(), d), items(by_task.columns, d);
  fill_normal(items, 0.1, Random(input.seed).fork("als"));
  for (Eigen::Index i = 0; i < items.rows(); ++i)
    if (by_item.count(i) == 0) items.row(i).setZero();

  const auto base = [&](const RowMatrix& features) -> Eigen::MatrixXf {
    Eigen::MatrixXf gram = features.transpose() * features;
    gram.diagonal().array() += static_cast<float>(options.ridge);
    return gram;
  };
  const auto terms = [&](const Interactions& side) {
    return [&side, alpha = static_cast<float>(options.alpha)](int64_t, int64_t e) {
      return EntryTerms{alpha * side.value[e], 1 + alpha * side.value[e]};
    };
  };
  for (int sweep = 0; sweep < options.sweeps; ++sweep) {
    solve_rows(by_task, items, base(items), RowMatrix(), input.threads, terms(by_task), users);
    solve_rows(by_item, users, base(users), RowMatrix(), input.threads, terms(by_item), items);
  }

  AlsMember::Parts parts;
  parts.ranking = true;
  parts.alpha = static_cast<float>(options.alpha);
  parts.width = d;
  const Eigen::MatrixXf gram = base(items);
  parts.base.assign(gram.data(), gram.data() + gram.size());

  // The first output is the bias, which no feature predicts here.
  std::vector<float> targets(items.rows() * (d + 1), 0.0f), weights(items.rows());
  for (Eigen::Index i = 0; i < items.rows(); ++i) {
    const double count = static_cast<double>(by_item.count(i));
    weights[i] = static_cast<float>(count / (count + options.ridge / std::max(1.0, options.alpha)));
    for (int k = 0; k < d; ++k) targets[i * (d + 1) + 1 + k] = items(i, k);
  }
  parts.content = fit_content(input.data.item_features, targets, d + 1, weights, options.content_ridge);
  const auto said = apply_content(parts.content, input.data.item_features, items.rows());
  for (Eigen::Index i = 0; i < items.rows(); ++i)
    if (by_item.count(i) == 0)
      for (int k = 0; k < d; ++k) items(i, k) = said[i * (d + 1) + 1 + k];
  parts.item_bias = tie_break(column_counts(by_task));
  parts.vectors.assign(items.data(), items.data() + items.size());
  return std::make_unique<AlsMember>(std::move(parts));
}

}  // namespace

std::vector<std::unique_ptr<Member>> fit_implicit_als(const FitInput& input,
                                                      const std::vector<nlohmann::json>& constants) {
  const Interactions by_task = distinct_items(input);
  const Interactions by_item = transposed(by_task);
  std::vector<std::unique_ptr<Member>> members;
  for (const auto& entry : constants)
    members.push_back(fit_one(input, by_task, by_item, read_constants<ImplicitAlsOptions>(entry, "als")));
  return members;
}

}  // namespace fewshop
