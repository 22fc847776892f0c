#pragma once

#include <memory>
#include <vector>

#include "runtime/member.h"
#include "runtime/search.h"

namespace fewshop {

/// The learner `bayes` at serving time: item vectors and a Gaussian prior over one task's linear head.
///
///   score(item) = offset + bias[item] + vector[item] . w,   w ~ N(prior(description), I) given the support
///
/// For ranks a row also adds v * repeat[e] * exp(-repeat_decay[e] * age in days) to the score of its own item: what is
/// bought is bought again. The vector z of an item that training has not seen is uncertain as well: the variance of its
/// score has E[|w|^2] = |mean|^2 + trace of the covariance, times the variance of a coordinate of z, added to it.
/// Vectors are whitened with the learned prior precision (for ranks that includes the shared Gram matrix of all items),
/// so the prior covariance is the identity. A support row of kind e with target y and weight v enters with target
/// y * target_scale[e] (minus offset and bias for ratings) and precision v * precision[e] * exp(-decay[e] * age in
/// days). Training: learner/bayes.h; the mathematics: docs/learners/bayes.md.
class BayesMember : public Member {
 public:
  /// Plain arrays, I items, D whitened head size, d embedding size (raw), P item inputs, Q description inputs.
  struct Arrays {
    bool ranking = false;
    int32_t head = 0;                 // D
    int32_t raw = 0;                  // d
    std::vector<float> vectors;       // [I, D] whitened
    std::vector<float> bias;          // [I]
    float offset = 0;                 // mean target (ratings)
    float noise = 0;                  // variance of a target beside that of the head (ratings)
    std::vector<float> prior;         // [D] prior mean without description, whitened
    std::vector<float> prior_weight;  // [Q, D] description inputs to prior mean, whitened
    // Ranks: items that training has seen have a part of their own beside what their features tell. That of others is
    // not known: its variance widens their intervals.
    std::vector<uint8_t> learned;             // [I] 1 = has such a part; empty = all have
    float vector_variance = 0;                // of a coordinate of that part, whitened
    float bias_variance = 0;                  // of the bias
    std::vector<float> repeat, repeat_decay;  // [kinds] ranks: what a support row adds to its own item's score
    std::vector<float> target_scale, precision, decay;  // [kinds]
    // What encodes an item that comes later.
    std::vector<float> item_weight;    // [P, d + 1] content inputs to raw vector and bias
    std::vector<float> new_item;       // [d + 1] what every item that comes later has beside them; empty = nothing
    std::vector<double> whitening;     // [D, D] lower triangle L: whitened = L^-1 raw (with a constant 1 for ratings)
    std::vector<int32_t> item_inputs;  // first input of each item feature column, then P
    std::vector<int32_t> description_inputs;  // first input of each description column, then Q
  };

  explicit BayesMember(Arrays arrays);

  std::string_view name() const override { return "bayes"; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                  std::vector<int32_t>& items) const override;
  void seek(std::span<const Sought> lists) const override;
  int64_t searched_items() const override { return items(); }
  void add_item(std::span<const ColumnView> features) override;
  void change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after) override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<Member> load(const TensorFile& file);

  const Arrays& arrays() const { return a_; }
  int32_t items() const { return static_cast<int32_t>(a_.bias.size()); }
  /// Posterior head weights [D] of an adapted workspace: the query vector of a maximum-inner-product search.
  std::span<const float> head(const Workspace& workspace) const;
  /// Posterior variance of z . w for any vector z [D] in the coordinates of the head.
  float head_variance(const Workspace& workspace, std::span<const float> z) const;
  /// A raw vector [up to D, missing = 0] in these coordinates.
  std::vector<float> whitened(std::span<const double> raw) const;
  /// The search over vectors and bias that candidates() uses.
  const ItemSearch& search() const { return search_; }
  ItemSearch& search() { return search_; }

 private:
  bool knows(int32_t item) const { return item >= 0 && item < items(); }
  float unlearned_variance(const Workspace& workspace, int32_t item) const;
  void add_whitened(std::span<const double> raw, float* vector) const;
  const float* vector(int32_t item) const { return a_.vectors.data() + static_cast<int64_t>(item) * a_.head; }

  Arrays a_;
  ItemSearch search_;  // over vectors and bias
};

}  // namespace fewshop
