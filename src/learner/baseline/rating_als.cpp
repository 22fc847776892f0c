#include <cmath>

#include "learner/baseline/als.h"
#include "learner/baseline/als_solver.h"
#include "learner/baseline/content_fit.h"
#include "learner/baseline/item_bias.h"
#include "runtime/als_member.h"

namespace fewshop {

namespace {

// Users and items are both [n, d] with d = factors + 1: (factors, bias). In the system of one side the other side's
// last column is the constant 1.

/// The other side's factors with the bias replaced by 1, and the biases apart.
void split_bias(const RowMatrix& vectors, RowMatrix& features, std::vector<float>& bias) {
  features = vectors;
  features.rightCols(1).setOnes();
  bias.resize(vectors.rows());
  for (Eigen::Index i = 0; i < vectors.rows(); ++i) bias[i] = vectors(i, vectors.cols() - 1);
}

Eigen::MatrixXf ridge_matrix(int factors, double ridge, double bias_ridge) {
  Eigen::VectorXf diagonal = Eigen::VectorXf::Constant(factors + 1, static_cast<float>(ridge));
  diagonal[factors] = static_cast<float>(bias_ridge);
  return diagonal.asDiagonal();
}

/// One fit of users and items, and what the member needs of it.
class RatingAls {
 public:
  RatingAls(const FitInput& input, const Interactions& by_task, const Interactions& by_item, double mean,
            const AlsOptions& options)
      : input_(input),
        by_task_(by_task),
        by_item_(by_item),
        mean_(static_cast<float>(mean)),
        options_(options),
        users_(by_task.rows(), options.factors + 1),
        items_(by_task.columns, options.factors + 1),
        user_ridge_(ridge_matrix(options.factors, options.ridge, options.user_ridge)),
        item_ridge_(ridge_matrix(options.factors, options.ridge, options.item_ridge)) {}

  std::unique_ptr<Member> fit() {
    fill_normal(items_, 0.1, Random(input_.seed).fork("als"));
    const auto item_bias = shrunken_item_bias(by_task_, mean_, options_.item_ridge);
    for (Eigen::Index i = 0; i < items_.rows(); ++i) items_(i, options_.factors) = item_bias[i];
    users_.setZero();
    for (int sweep = 0; sweep < options_.sweeps; ++sweep) {
      solve_users(nullptr);
      // The features say something about factors only once there are factors.
      if (options_.content_prior && sweep >= 2) fit_item_prior();
      solve_items(nullptr);
    }
    return make_member();
  }

 private:
  auto terms(const Interactions& side) const {
    return [this, &side](int64_t, int64_t e) {
      const float weight = side.weight[e];
      return EntryTerms{weight, weight * (side.value[e] - mean_ - bias_[side.column[e]])};
    };
  }

  void solve_users(std::vector<float>* trace) {
    split_bias(items_, features_, bias_);
    solve_rows(by_task_, features_, user_ridge_, RowMatrix(), input_.threads, terms(by_task_), users_, trace);
  }

  void solve_items(std::vector<float>* trace) {
    split_bias(users_, features_, bias_);
    solve_rows(by_item_, features_, item_ridge_, prior_, input_.threads, terms(by_item_), items_, trace);
  }

  /// Map from features to (bias, factors). An item counts by how well its ratings determine it.
  ContentMap fit_map() const {
    const auto d = static_cast<int32_t>(items_.cols());
    std::vector<float> targets(items_.rows() * d), weights(items_.rows());
    for (Eigen::Index i = 0; i < items_.rows(); ++i) {
      const double count = static_cast<double>(by_item_.count(i));
      weights[i] = static_cast<float>(count / (count + options_.ridge));
      targets[i * d] = items_(i, d - 1);
      for (int32_t k = 0; k + 1 < d; ++k) targets[i * d + 1 + k] = items_(i, k);
    }
    return fit_content(input_.data.item_features, targets, d, weights, options_.content_ridge);
  }

  /// The right side that shrinks items to what their features say.
  void fit_item_prior() {
    const ContentMap map = fit_map();
    const auto said = apply_content(map, input_.data.item_features, items_.rows());
    const Eigen::Index d = items_.cols();
    prior_.resize(items_.rows(), d);
    for (Eigen::Index i = 0; i < items_.rows(); ++i) {
      for (Eigen::Index k = 0; k + 1 < d; ++k) prior_(i, k) = item_ridge_(k, k) * said[i * d + 1 + k];
      prior_(i, d - 1) = item_ridge_(d - 1, d - 1) * said[i * d];
    }
  }

  /// Residual variance: the sum of squares over ratings minus effective parameters. Overwrites the factors of users.
  float noise() {
    std::vector<float> user_trace(by_task_.rows(), 0.0f), item_trace(by_item_.rows(), 0.0f);
    RowMatrix items = items_;
    solve_items(&item_trace);
    items_ = items;
    solve_users(&user_trace);
    double square = 0, weight = 0, parameters = 0;
    for (int64_t t = 0; t < by_task_.rows(); ++t) {
      for (int64_t e = by_task_.begin[t]; e < by_task_.begin[t + 1]; ++e) {
        const float fitted = mean_ + bias_[by_task_.column[e]] + users_.row(t).dot(features_.row(by_task_.column[e]));
        square += by_task_.weight[e] * (by_task_.value[e] - fitted) * (by_task_.value[e] - fitted);
        weight += by_task_.weight[e];
      }
    }
    for (float value : user_trace) parameters += value;
    for (float value : item_trace) parameters += value;
    return static_cast<float>(square / std::max(0.1 * weight, weight - parameters));
  }

  std::unique_ptr<Member> make_member() {
    AlsMember::Parts parts;
    parts.ranking = false;
    parts.mean = mean_;
    parts.width = options_.factors + 1;
    parts.content = fit_map();
    const auto said = apply_content(parts.content, input_.data.item_features, items_.rows());
    const Eigen::Index d = items_.cols();
    for (Eigen::Index i = 0; i < items_.rows(); ++i) {
      if (by_item_.count(i) > 0) continue;
      for (Eigen::Index k = 0; k + 1 < d; ++k) items_(i, k) = said[i * d + 1 + k];
      items_(i, d - 1) = said[i * d];
    }
    parts.noise = by_task_.entries() > 0 ? noise() : 0.0f;
    split_bias(items_, features_, bias_);
    parts.item_bias = bias_;
    parts.vectors.assign(features_.data(), features_.data() + features_.size());
    parts.base.assign(d * d, 0.0);
    for (Eigen::Index k = 0; k < d; ++k) parts.base[k * d + k] = user_ridge_(k, k);
    return std::make_unique<AlsMember>(std::move(parts));
  }

  const FitInput& input_;
  const Interactions& by_task_;
  const Interactions& by_item_;
  float mean_;
  AlsOptions options_;
  RowMatrix users_, items_;
  Eigen::MatrixXf user_ridge_, item_ridge_;
  RowMatrix prior_;          // [items, d] right side of the items' systems; empty: shrink to 0
  RowMatrix features_;       // of the side that is given
  std::vector<float> bias_;  // of the side that is given
};

}  // namespace

std::vector<std::unique_ptr<Member>> fit_rating_als(const FitInput& input,
                                                    const std::vector<nlohmann::json>& constants) {
  const Interactions by_task = ratings(input);
  const Interactions by_item = transposed(by_task);
  const double mean = weighted_mean(by_task);
  std::vector<std::unique_ptr<Member>> members;
  for (const auto& entry : constants)
    members.push_back(RatingAls(input, by_task, by_item, mean, read_constants<AlsOptions>(entry, "als")).fit());
  return members;
}

}  // namespace fewshop
