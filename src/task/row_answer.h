#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/row_model.h"
#include "table/text_rows.h"
#include "task/task_input.h"

namespace fewshop {

/// One task of a row model with its support, encoded. Owns what its spans point into.
struct RowTaskInput {
  std::vector<std::unique_ptr<EncodedEntity>> encoded;
  std::vector<std::unique_ptr<std::vector<ColumnView>>> views;
  std::vector<Example> support;  // in episode order
  std::vector<int32_t> source;   // [support] number of the row that was given
  EncodedEntity description;
  int64_t unknown_kinds = 0;  // rows left out: of a kind of event that training has not seen

  RowTask task() const { return {support, description.views}; }
};

/// Turns rows of one task into support examples, as a scenario's [rows] are read; the latest episode.support groups are
/// kept. Features of rows and of unknown items are taken from columns of their names, where they are; those of known
/// items are the model's. Throws InvalidInput naming place, line and column for what is missing or cannot be read.
RowTaskInput row_task_input(const RowModel& model, const TextRows& support, const EntityValues& description,
                            std::optional<Micros> at = std::nullopt);

/// One support row's part of a prediction's link.
struct RowReason {
  int32_t row = 0;  // number of the row that was given
  double contribution = 0;
};

/// One predicted query row.
struct RowPrediction {
  Predictive distribution;
  std::string value;                // the number, or the label of the most probable class (multiclass, ordinal)
  std::optional<double> low, high;  // central 95 %: numbers, counts, positions of ordered classes
  std::string served;               // "adapted" or the baseline's name
  double prior = 0, link = 0;       // link = prior + contributions of all support rows
  std::vector<RowReason> reasons;   // largest first; all of them where asked for
};

struct RowAnswerOptions {
  bool explain = false;  // prior, link and reasons
};

/// Predictions for rows of the task that `session` was adapted to (`input` made it), in their order. Query rows need no
/// target. Throws InvalidInput naming place and row where the item is missing that the scenario asks for.
std::vector<RowPrediction> predict_rows(const RowModel& model, RowSession& session, RowTaskInput& input,
                                        const TextRows& query, const RowAnswerOptions& options = {});
/// The same in a session of its own.
std::vector<RowPrediction> predict_rows(const RowModel& model, RowTaskInput& input, const TextRows& query,
                                        const RowAnswerOptions& options = {});

/// {value, low, high, family, probabilities: {label: share}, served}, and with `explain` {prior, link, reasons}. value
/// is a number, for classes the label; low and high of ordered classes are labels; null where there are none.
nlohmann::json to_json(const RowPrediction& prediction, const RowModel& model, bool explain);

/// The values of the model's task features that `rows` has as columns, from the first row that has them.
EntityValues description_in(const RowModel& model, const TextRows& rows);

}  // namespace fewshop
