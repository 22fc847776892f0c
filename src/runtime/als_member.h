#pragma once

#include <memory>
#include <vector>

#include "runtime/content_map.h"
#include "runtime/member.h"

namespace fewshop {

/// Matrix factorisation with the support folded in: the user's factors u [d] are solved for, the items' are fixed.
///
///   score(j) = mean + item_bias[j] + u v_j,    u = A⁻¹ sum_s g_s v_s,    A = base + sum_s a_s v_s v_sᵀ
///
///   rating:   a_s = w_s,              g_s = w_s (target_s - mean - item_bias[s]);  base = ridge. The last factor of
///             every item is 1: its user factor is the user's bias.
///   ranking:  a_s = alpha evidence_s, g_s = a_s + 1 / (support rows of the same item);  base = ridge + sum_j v_j v_jᵀ.
///             mean 0; item_bias is a popularity share too small to do more than order items when nothing is known.
///
/// An item that training has not seen has the vector that a linear map predicts from its features. A support row of
/// an unknown item counts with the map's intercept for ratings, and not at all for ranks.
///
/// Hu, Koren, Volinsky. "Collaborative Filtering for Implicit Feedback Datasets." ICDM 2008 (ranking).
/// Zhou et al. "Large-Scale Parallel Collaborative Filtering for the Netflix Prize." AAIM 2008 (rating).
class AlsMember final : public Member {
 public:
  static constexpr int kMaxWidth = 512;

  struct Parts {
    bool ranking = false;
    float mean = 0, alpha = 0;
    float noise = 0;               // residual variance of a rating; 0: no variance is stated
    int32_t width = 0;             // d, the constant factor of ratings included
    std::vector<float> item_bias;  // [items]
    std::vector<float> vectors;    // [items, d]
    std::vector<double> base;      // [d, d] symmetric, positive definite
    ContentMap content;            // features -> item_bias, then the factors (without the constant one)
  };
  /// Throws InvalidInput where sizes disagree, a value is not finite, or base is not positive definite.
  explicit AlsMember(Parts parts);

  std::string_view name() const override { return "als"; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void add_item(std::span<const ColumnView> features) override;
  /// An item that training has seen keeps its factors; one that it has not takes those of its new features.
  void change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after) override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<Member> load(const TensorFile& file);

  /// Free factors: what the content map predicts beside the bias.
  static int32_t free_width(const Parts& parts) { return parts.ranking ? parts.width : parts.width - 1; }
  const Parts& parts() const { return parts_; }

 private:
  struct State;
  int32_t items() const { return static_cast<int32_t>(parts_.item_bias.size()); }
  bool knows(int32_t item) const { return item >= 0 && item < items(); }
  const float* vector_of(int32_t item) const {
    return knows(item) ? parts_.vectors.data() + static_cast<size_t>(item) * parts_.width : unknown_vector_.data();
  }
  float bias_of(int32_t item) const { return knows(item) ? parts_.item_bias[item] : unknown_bias_; }
  float score_of(const State& state, int32_t item) const;
  /// Appends what the content map says of an item to vectors and biases.
  void predict_vector(std::span<const ColumnView> features, float& bias, float* vector) const;

  Parts parts_;
  std::vector<float> unknown_vector_;  // [d] of an item of which nothing is known
  float unknown_bias_ = 0;
};

}  // namespace fewshop
