#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "learner/bayes_options.h"
#include "learner/fit.h"
#include "learner/learner.h"
#include "learner/meta_train.h"
#include "nn/sparse_matmul.h"
#include "runtime/bayes_member.h"

namespace fewshop::learning {

/// The trained tensors of `bayes`. d = embedding size, H = head size (d + 1 for ratings: the last weight is the task's
/// own offset; d for ranks), P content inputs, I items, Q description inputs, K kinds of event.
struct BayesParameters {
  Tensor item_weight;         // [P + I + 1, d + 1] content inputs, one input per item, one of all items that are new;
                              // last column = item bias
  Tensor description_weight;  // [Q, H]
  Tensor prior;               // [H]
  Tensor log_precision;       // [H] prior precision of the head
  Tensor log_gram;            // [] ranks: weight of the Gram matrix of all items
  Tensor log_noise;           // [] ratings: variance of a target
  Tensor offset;              // [] ratings: mean target
  Tensor target_scale;        // [K]
  Tensor log_beta;            // [K] precision of a support row
  Tensor raw_decay;           // [K] softplus of it is the decay per day
  Tensor repeat;              // [K] ranks: what a support row adds to the score of its own item
  Tensor raw_repeat_decay;    // [K] likewise its decay

  std::vector<Parameter> list(const BayesOptions& options, int64_t content_inputs, bool ranking, bool repeats) const;
};

/// Encoder inputs of all items and task descriptions, and which items were seen in training.
struct BayesInputs {
  nn::SparseRows items;  // 2 I rows: row i = content and identity of item i, row I + i = content and being new
  nn::SparseRows tasks;
  int64_t content = 0;        // P
  int32_t item_count = 0;     // I
  std::vector<uint8_t> seen;  // [I]
  std::vector<int32_t> seen_items;
};

/// The default learner in its torch form: features of items from an encoder, a Gaussian prior over the head whose mean
/// comes from the task description, the posterior in closed form. docs/learners/bayes.md has the mathematics.
class BayesModel : public Model,
                   public Explains,
                   public HasQueryVectors,
                   public Encodes,
                   public Samples,
                   public Online {
 public:
  BayesModel(BayesParameters parameters, std::shared_ptr<const BayesInputs> inputs, bool ranking);

  /// weights [T, H], factor [T, H, H] (lower Cholesky factor of the posterior precision), prior [T, H], and the support
  /// as the head saw it: x [T, S, H], residual [T, S], beta [T, S]; item and repeat [T, S].
  Adapted adapt(const Rows& support, const Task& task) const override;
  Distribution predict(const Adapted& adapted, const Rows& query) const override;
  Explanation explain(const Adapted& adapted, const Rows& query) const override;
  Tensor query_vectors(const Adapted& adapted) const override;
  /// Ratings: with the constant of the task's own offset behind each vector, and the mean target in the bias, so that
  /// the products are predictions. For ranks what the support adds to its own items comes on top (repeat).
  Tensor item_vectors() const override;
  Tensor item_bias() const override;
  Tensor sample_heads(const Adapted& adapted, int draws, uint64_t seed) const override;
  Adapted update(const Adapted& adapted, const Rows& row) const override;

  /// The form that answers at serving time.
  std::unique_ptr<BayesMember> runtime_form(const Columns& item_columns, const Columns& task_columns) const;

 private:
  Tensor features(const Tensor& items) const;  // [T, S] -> [T, S, H]
  void set_unlearned_variance(BayesMember::Arrays& a, const Tensor& factor) const;
  Tensor residual_target(const Rows& rows) const;
  Tensor row_precision(const Rows& rows) const;
  Tensor prior_mean(const Task& task) const;
  Tensor repeat_terms(const Rows& rows) const;                                  // [T, S]
  Tensor own_item_evidence(const Adapted& adapted, const Tensor& items) const;  // [T, Q] -> [T, Q, S]

  BayesParameters p_;
  std::shared_ptr<const BayesInputs> inputs_;
  bool ranking_;
  Tensor vectors_, bias_;  // [I, d], [I]
  Tensor precision_;       // [H, H]
};

/// One fit of `bayes`: on the rows of `input.tasks` whose item is not hidden. `validate` (lower is better) chooses the
/// number of epochs; without it the fit runs `options.epochs` epochs of a schedule of `schedule_epochs`. The start
/// "auto" is that of ALS here: the learner tries both.
struct BayesFit {
  std::unique_ptr<BayesModel> model;
  std::unique_ptr<BayesMember> member;
  MetaTrainResult training;
};
BayesFit fit_bayes(const FitInput& input, const BayesOptions& options, int schedule_epochs, const MemberLoss& validate,
                   const Run& run);

/// `bayes` as a learner; `options` as in [learner], checked. What it chooses is {"epochs": n}.
std::unique_ptr<Learner> make_bayes(const nlohmann::json& options);

}  // namespace fewshop::learning
