#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "learner/episodic_model.h"
#include "learner/item_inputs.h"
#include "runtime/member.h"

namespace fewshop::learning {

/// What it takes to make an episodic learner again: for files.
struct EpisodicRecipe {
  std::string learner;
  nlohmann::json options = nlohmann::json::object(), encoder = nlohmann::json::object();
  EpisodicProblem problem;
};

nlohmann::json recipe_to_json(const EpisodicRecipe& recipe);
EpisodicRecipe recipe_from_json(const nlohmann::json& json);

/// Writes and reads the values of a model's parameters by name ("parameter.NAME"). Reading throws InvalidInput where
/// one is missing, of another size, or not finite.
void put_parameters(TensorFile& file, const EpisodicModel& model);
void get_parameters(const TensorFile& file, EpisodicModel& model);

/// Rows with items drawn as rows without interest (target 0) behind each of the others: [T, S] -> [T, S (1 + n)].
Rows with_negatives(const Rows& rows, const std::vector<int32_t>& items, int negatives, Random random);

/// An episodic learner of a recommender that has no plain-array form: answers through libtorch, one task at a time.
/// What adapting does depends on the support as a whole, so that its explanation is all prior unless the learner
/// explains.
class EpisodicMember final : public Member {
 public:
  EpisodicMember(EpisodicRecipe recipe, std::shared_ptr<EpisodicModel> model, ItemInputs inputs, bool ranking,
                 int negatives);
  static std::unique_ptr<Member> load(const TensorFile& file);

  std::string_view name() const override { return recipe_.learner; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void add_item(std::span<const ColumnView> features) override;
  void change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after) override;
  nlohmann::json facts() const override;
  void save(TensorFile& file) const override;

 private:
  Rows rows_of(std::span<const int32_t> items, const DescriptionRows& description) const;

  EpisodicRecipe recipe_;
  std::shared_ptr<EpisodicModel> model_;
  ItemInputs inputs_;
  bool ranking_;
  int negatives_;
};

}  // namespace fewshop::learning
