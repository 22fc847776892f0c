#pragma once

#include <optional>

#include "runtime/row_model.h"
#include "table/text_rows.h"
#include "task/row_answer.h"

namespace fewshop {

/// A question to a model that predicts rows. Everything that it is answered from comes with it.
struct RowQuestion {
  TextRows support;          // rows of the task with their targets; none = a new task
  TextRows query;            // rows that are asked for
  EntityValues task;         // the task's description; what it lacks is taken from columns of the rows
  std::optional<Micros> at;  // ages count from here; nothing = from the latest support row
  bool explain = false;
};

/// Throws InvalidInput naming place, row and column where rows or task have a column that neither the scenario nor the
/// model knows, or a value that is not of its feature's type. What is not there counts as missing, as in training.
void check_columns(const RowModel& model, const RowQuestion& question);

}  // namespace fewshop
