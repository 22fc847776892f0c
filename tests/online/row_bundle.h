#pragma once

#include <memory>
#include <string>
#include <utility>

#include "bundle/tensor_file.h"
#include "runtime/small_row_model.h"

namespace fewshop::testing {

/// The small model of rows whose prior is `mean`, for a number "x" and a colour of each row and the age of each task.
inline RowModel::Parts served_row_model(float mean = 0.25F, const std::string& name = "small-rows") {
  RowModel::Parts parts = small_row_model();
  parts.scenario.name = name;
  parts.members[0] = mean_member("majority", Family::kBernoulli, {mean}, false);
  parts.members[1] = mean_member("slow", Family::kBernoulli, {mean}, true, 8);
  parts.members[2] = mean_member("fast", Family::kBernoulli, {mean}, true, 1);
  ColumnEncoder number, colour, age;
  number.spec = {"rows.x", FeatureType::kNumber};
  number.width = 2;
  number.mean = {0, 0};
  number.scale = {1, 1};
  colour.spec = {"rows.colour", FeatureType::kCategory};
  colour.vocabulary = {"red", "green"};
  age.spec = {"tasks.age", FeatureType::kCategory};
  age.vocabulary = {"old"};
  for (ColumnEncoder* encoder : {&colour, &age}) encoder->build_index();
  parts.encoders.rows = {number, colour};
  parts.encoders.tasks = {age};
  return parts;
}

/// Its probability of 1 after two rows of 1.
inline double after_two(double mean) { return ((8 * mean + 2) / 10 + (mean + 2) / 3) / 2; }

/// Its bundle, in `folder`.
inline std::string row_bundle(const std::string& folder, float mean = 0.25F, const std::string& name = "small-rows") {
  RowModel(served_row_model(mean, name)).save(folder, nlohmann::json::object(), nlohmann::json::object());
  return folder;
}

/// A member that only a library of training could read.
class TrainingOnly final : public RowMember {
 public:
  std::string_view name() const override { return "training-only"; }
  std::unique_ptr<Workspace> workspace() const override { return std::make_unique<Workspace>(); }
  void adapt(const RowTask&, Workspace&) const override {}
  void predict(const Workspace&, const RowInput&, Predictive& out) const override { out = Predictive::bernoulli(0.5); }
  double explain(const Workspace&, const RowInput&, int32_t, std::span<double>) const override { return 0; }
  void save(TensorFile& file) const override { file.put_text("kind", "training-only"); }
};

/// A bundle whose learner is one.
inline std::string unservable_row_bundle(const std::string& folder) {
  RowModel::Parts parts = served_row_model();
  parts.names[2] = parts.learner = "training-only";
  parts.members[2] = std::make_unique<TrainingOnly>();
  RowModel(std::move(parts)).save(folder, nlohmann::json::object(), nlohmann::json::object());
  return folder;
}

}  // namespace fewshop::testing
