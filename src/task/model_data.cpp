#include "task/model_data.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "task/entity_reader.h"
#include "task/load_features.h"
#include "task/order_rows.h"
#include "task/raw_rows.h"
#include "task/support_rows.h"
#include "task/task_id.h"

namespace fewshop {
namespace {

/// Position of a column, -1 when there is none.
int find_column(const std::vector<TableColumn>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const TableColumn& c) { return c.name == name; });
  return found == columns.end() ? -1 : static_cast<int>(found - columns.begin());
}

std::unique_ptr<Cursor> open_section(Store& store, const Source& source) {
  return source.table.empty() ? store.query(source.sql) : store.read(source.table);
}

bool is_label(const TableColumn& column) {
  static constexpr std::array kNames = {"title", "name", "description", "label"};
  if (column.type != ColumnType::kText) return false;
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](const std::string name) { return column.name == name || column.name.ends_with("_" + name); });
}

/// Keeps the rows of the latest `limit` groups.
void keep_latest(const Dataset& data, std::vector<int32_t>& rows, int limit) {
  int groups = 0;
  size_t begin = rows.size();
  while (begin > 0) {
    const bool same = begin < rows.size() && data.group[rows[begin - 1]] == data.group[rows[begin]] &&
                      data.task[rows[begin - 1]] == data.task[rows[begin]];
    if (!same && ++groups > limit) break;
    --begin;
  }
  rows.erase(rows.begin(), rows.begin() + static_cast<ptrdiff_t>(begin));
}

}  // namespace

ModelData::ModelData(Model& model, const std::string& database)
    : model_(model), database_(database), store_(open_store(database, Store::Access::kRead)) {
  learn_new_items();
}

void ModelData::learn_new_items() {
  const Scenario& s = model_.scenario();
  const EntitySource items{s.items, s.items_key, "items"};
  if (!items.given()) return;
  const auto cursor = open_source(*store_, items.source, {items.key}, items.section);
  const int key = column_of(*cursor, items.key, items.source, "items.key");
  Interner fresh;
  while (cursor->next()) {
    const Value value = cursor->at(key);
    if (value.is_null()) continue;
    const std::string id = value.to_text();
    if (model_.find_item(id) < 0) fresh.add(id);
  }
  if (fresh.texts().empty()) return;
  std::vector<std::string> notes;
  const Columns features = read_fitted_features(*store_, items, model_.encoders().items, fresh.texts(), notes);
  for (size_t i = 0; i < fresh.texts().size(); ++i)
    model_.add_item(fresh.texts()[i], features.row(static_cast<int64_t>(i)));
}

TaskInput ModelData::task(const std::string& id, std::optional<Micros> at) {
  const Scenario& s = model_.scenario();
  const Dataset data = order_rows(read_task_rows(*store_, s, task_values(id, s.task)), s);

  std::vector<int32_t> item_of;
  for (const std::string& item : data.item_ids) {
    const int32_t known = model_.find_item(item);
    item_of.push_back(known >= 0 ? known : model_.add_item(item, encode_entity(model_.encoders().items, {}).views));
  }
  std::vector<int> kind_of;
  const auto& kinds = model_.kinds();
  for (const std::string& kind : data.kinds) {
    const auto found = std::find(kinds.begin(), kinds.end(), kind);
    kind_of.push_back(found == kinds.end() ? -1 : static_cast<int>(found - kinds.begin()));
  }

  TaskInput input;
  std::vector<int32_t> rows(data.rows());
  std::iota(rows.begin(), rows.end(), 0);
  // As in training and evaluation, rows of a kind of event that the model does not know are not support.
  input.unknown_kinds = static_cast<int64_t>(std::erase_if(rows, [&](int32_t r) { return kind_of[data.kind[r]] < 0; }));
  keep_latest(data, rows, s.episode.support_max);
  input.support = support_rows(data, rows, at ? *at : episode_time(data, rows, {}), item_of);
  for (SupportRow& row : input.support) row.kind = static_cast<uint8_t>(kind_of[row.kind]);
  for (const int32_t r : rows) input.item_ids.push_back(data.item_ids[data.item[r]]);
  input.description = encode_entity(model_.encoders().tasks, description(id));
  return input;
}

EntityValues ModelData::description(const std::string& id) const {
  const Scenario& s = model_.scenario();
  if (s.tasks.table.empty() && s.tasks.sql.empty()) return {};
  EntityReader tasks(database_, s.tasks, s.tasks_key, "tasks", model_.encoders().tasks, {});
  return tasks.values(id).value_or(EntityValues{});
}

std::vector<std::string> ModelData::hidden_items() const {
  std::vector<std::string> hidden;
  const Scenario& s = model_.scenario();
  // SQL of [items] rarely selects it; the shop's own table of items has it.
  const std::string table = s.items.table.empty() ? "items" : s.items.table;
  const std::string key = s.items.table.empty() ? "item_id" : s.items_key;
  if (!store_->has_table(table)) return hidden;
  const auto columns = store_->read(table)->columns();
  if (find_column(columns, "hidden") < 0 || find_column(columns, key) < 0) return hidden;
  const auto cursor = store_->read(table, {key, "hidden"});
  while (cursor->next())
    if (cursor->at(1).number() != 0) hidden.push_back(cursor->at(0).to_text());
  return hidden;
}

ItemLabels ModelData::item_labels() const {
  ItemLabels labels;
  const Scenario& s = model_.scenario();
  if (s.items.table.empty() && s.items.sql.empty()) return labels;
  const auto cursor = open_section(*store_, s.items);
  const auto& columns = cursor->columns();
  const int key = find_column(columns, s.items_key);
  const auto label = std::find_if(columns.begin(), columns.end(), is_label);
  if (key < 0 || label == columns.end()) return labels;
  while (cursor->next()) {
    std::string text = cursor->at(static_cast<int>(label - columns.begin())).to_text();
    if (!text.empty()) labels[cursor->at(key).to_text()] = std::move(text);
  }
  return labels;
}

}  // namespace fewshop
