#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/encoded_inputs.h"
#include "runtime/member.h"
#include "runtime/task_head.h"

namespace fewshop {

/// An episodic learner of a recommender at serving time: items and the task's description go through a trained network
/// that does not adapt, a head adapts to the features of the support rows.
///
///   score(item) = head(features(item, description), offset of the item)
///
/// For ranks, items drawn at random stand behind the support as rows without interest, as in training.
class EncodedMember final : public Member {
 public:
  struct Parts {
    std::string learner;  // the name in reports
    bool ranking = false;
    int32_t negatives = 0;       // ranks: rows without interest for each support row
    std::vector<float> own;      // [items, P] what each item adds to the first layer
    std::vector<float> offset;   // [items] what stands on the link of each item before the head
    float unknown_offset = 0;    // of items that came after training
    std::vector<int32_t> drawn;  // ranks: the items that are drawn
    int64_t state_size = 0;      // numbers that the head keeps of a task, for reports
  };
  /// Throws InvalidInput where sizes disagree.
  EncodedMember(EncodedInputs inputs, std::unique_ptr<TaskHead> head, Parts parts);
  static std::unique_ptr<Member> load(const TensorFile& file);

  std::string_view name() const override { return p_.learner; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void add_item(std::span<const ColumnView> features) override;
  void change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after) override;
  nlohmann::json facts() const override { return {{"state_size", p_.state_size}}; }
  void save(TensorFile& file) const override;

 private:
  struct State;
  int64_t items() const { return static_cast<int64_t>(p_.offset.size()); }
  std::span<const float> own(int32_t item) const;
  float offset(int32_t item) const { return item >= 0 && item < items() ? p_.offset[item] : p_.unknown_offset; }
  /// Features [D] of an item for the task of a workspace.
  std::span<const float> features(const State& state, int32_t item) const;
  void fill_features();

  EncodedInputs inputs_;
  std::unique_ptr<TaskHead> head_;
  Parts p_;
  std::vector<float> nothing_;   // [P] zeros: an item of which nothing is known
  std::vector<float> features_;  // [items, D] where they do not depend on the task; else empty
  std::vector<float> unknown_features_;
};

}  // namespace fewshop
