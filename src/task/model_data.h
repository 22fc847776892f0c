#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/model.h"
#include "store/store.h"
#include "task/task_input.h"

namespace fewshop {

/// Names of items for people, by id; items without one are absent.
using ItemLabels = std::map<std::string, std::string>;

/// What a database has for a model that was trained on it (or on an older state of it): the rows of one task, its
/// description, items that came since. Reads what is asked for and no more: a task's rows are found by an index over
/// the task column where there is one. Splits and roles play no part.
class ModelData {
 public:
  /// Makes the items of [items] known to the model that came after training. The model must outlive this object.
  /// Throws InvalidInput when the database lacks what the model's scenario reads.
  ModelData(Model& model, const std::string& database);

  /// The task's stored rows, the latest episode.support groups of them, and its description; both empty for a task that
  /// the database does not know. Ages count from `at`, or from the latest row. Where several columns make a task, `id`
  /// is written as task_id.h says. Items of the rows that the model does not know become known to it, without features.
  TaskInput task(const std::string& id, std::optional<Micros> at);

  /// The columns of [tasks] that the model reads, for this task; empty where it has none.
  EntityValues description(const std::string& id) const;

  /// Items whose column `hidden` is not 0: of the table of [items], of the table "items" where [items] is SQL.
  std::vector<std::string> hidden_items() const;

  /// From the first column of [items] that is named like a name: title, name, description, product_name
  /// ...
  ItemLabels item_labels() const;

 private:
  void learn_new_items();

  Model& model_;
  std::string database_;
  std::unique_ptr<Store> store_;
};

}  // namespace fewshop
