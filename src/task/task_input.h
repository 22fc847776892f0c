#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "runtime/model.h"
#include "table/text_rows.h"

namespace fewshop {

/// Values of one entity by column, without prefix ("age").
using EntityValues = std::map<std::string, std::optional<std::string>>;

/// One task in the form that a model adapts to. Owns everything that view() points into.
struct TaskInput {
  std::vector<SupportRow> support;    // in episode order: oldest first where the scenario has an order in time
  std::vector<std::string> item_ids;  // [support]
  std::vector<int32_t> source;        // [support] number of the row that was given
  EncodedEntity description;
  int64_t unknown_kinds = 0;  // rows left out: of a kind of event that training has not seen

  TaskView view() const { return {support, description.views}; }
};

/// Turns rows of one task into support rows, as a scenario's [rows] are read: the item column must be there, the target
/// of a rating, and the time where the scenario orders by it; event, weight and ties are used where they are. Rows that
/// `positive` does not admit, and rows of a kind of event that the model does not know, are left out (the latter are
/// counted); only the latest episode.support groups are kept.
///
///   at   ages count from here; nothing = from the latest row
///
/// Throws InvalidInput naming place, line and column for values that are missing or cannot be read.
TaskInput task_input(const Model& model, const TextRows& rows, const EntityValues& description,
                     std::optional<Micros> at = std::nullopt);

/// A sentence for people about rows that were left out; empty where none were.
std::string left_out(const Model& model, int64_t unknown_kinds);

/// The values of the model's task features that `rows` has as columns, from the first row that has them.
EntityValues description_in(const Model& model, const TextRows& rows);

}  // namespace fewshop
