#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "feature/columns.h"
#include "runtime/member.h"
#include "runtime/predictive.h"

namespace fewshop {

// Members of problems that ask about rows (binary, multiclass, regression, count, ordinal): what is asked for is not an
// item of a list but a row with features of its own.

/// What is known of a row before its target.
struct RowInput {
  std::span<const ColumnView> features;  // columns of the row, then those of its item, in the order of the encoders
  int32_t item = -1;                     // index into the model's items; -1: none, or one that training has not seen
};

/// One row of a task whose target is known.
struct Example {
  RowInput input;
  float target = 0;  // a number, 0 or 1, a count, or the position of a class
  float weight = 1;
  float age = 0;      // seconds before the query; 0 where there is no time
  int32_t group = 0;  // rows of equal group happened together
  uint8_t kind = 0;   // index into the model's event kinds
};

/// What a member adapts to. The spans must live until the last call with the same workspace.
struct RowTask {
  std::span<const Example> support;         // oldest first
  std::span<const ColumnView> description;  // one per task feature column; empty = nothing known
};

/// A fitted method that adapts to the support rows of a task and predicts its query rows. Members are immutable and
/// shared by all threads; a workspace belongs to one thread and one member.
///
/// Life cycle: w = workspace(); then any number of times adapt(task, *w) followed by predict / explain.
class RowMember {
 public:
  virtual ~RowMember() = default;

  /// The name in reports: "task-mean", "xgboost".
  virtual std::string_view name() const = 0;

  virtual std::unique_ptr<Workspace> workspace() const = 0;
  virtual void adapt(const RowTask& task, Workspace& workspace) const = 0;

  /// The distribution of one row's target. Every number in it is finite.
  virtual void predict(const Workspace& workspace, const RowInput& row, Predictive& out) const = 0;

  /// link(level(prediction, label)) as a prior (returned) plus contribution [support rows]: they add up to it within
  /// 1e-6 of the sum of their magnitudes. What depends on the support as a whole counts as prior.
  virtual double explain(const Workspace& workspace, const RowInput& row, int32_t label,
                         std::span<double> contribution) const = 0;

  /// What is worth knowing of the fit beside its answers, for the manifest: an object, or null for nothing.
  virtual nlohmann::json facts() const { return nullptr; }

  /// Writes everything the member needs, with a text "kind"; load_row_member (row_members.h) reads it back to identical
  /// answers.
  virtual void save(TensorFile& file) const = 0;
};

}  // namespace fewshop
