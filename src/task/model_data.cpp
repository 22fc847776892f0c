#include "task/model_data.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "store/store.h"
#include "task/support_rows.h"

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

/// Row numbers of every task with this value (one for each value of a split column), in order.
std::vector<int32_t> rows_of_task(const Dataset& data, const std::string& id, bool by_time) {
  std::vector<int32_t> rows;
  for (int64_t t = 0; t < data.tasks(); ++t)
    if (data.task_ids[t] == id)
      for (int64_t r = data.task_begin[t]; r < data.task_begin[t + 1]; ++r) rows.push_back(static_cast<int32_t>(r));
  if (by_time)
    std::stable_sort(rows.begin(), rows.end(), [&](int32_t a, int32_t b) { return data.time[a] < data.time[b]; });
  return rows;
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
    : model_(model), database_(database), problem_(load_problem(model.scenario(), database, &model.encoders())) {
  const Dataset& data = problem_.data;
  for (int64_t i = 0; i < data.items(); ++i) {
    int32_t item = model.find_item(data.item_ids[i]);
    if (item < 0) item = model.add_item(data.item_ids[i], data.item_features.row(i));
    item_of_.push_back(item);
  }
  const auto& kinds = model.kinds();
  for (const std::string& kind : data.kinds) {
    const auto found = std::find(kinds.begin(), kinds.end(), kind);
    kind_of_.push_back(found == kinds.end() ? -1 : static_cast<int>(found - kinds.begin()));
  }
}

TaskInput ModelData::task(const std::string& id, std::optional<Micros> at) const {
  const Dataset& data = problem_.data;
  std::string key = id;
  if (model_.scenario().task.size() > 1) std::replace(key.begin(), key.end(), ',', '\x1f');
  std::vector<int32_t> rows = rows_of_task(data, key, model_.scenario().episode.by_time);
  // As in training and evaluation, rows of a kind of event that the model does not know are not support.
  std::erase_if(rows, [&](int32_t r) { return kind_of_[data.kind[r]] < 0; });
  keep_latest(data, rows, model_.scenario().episode.support_max);

  TaskInput input;
  input.support = support_rows(data, rows, at ? *at : episode_time(data, rows, {}), item_of_);
  for (SupportRow& row : input.support) row.kind = static_cast<uint8_t>(kind_of_[row.kind]);
  for (const int32_t r : rows) input.item_ids.push_back(data.item_ids[data.item[r]]);
  input.description = encode_entity(model_.encoders().tasks, description(id));
  return input;
}

EntityValues ModelData::description(const std::string& id) const {
  EntityValues values;
  const Scenario& s = model_.scenario();
  if (s.tasks.table.empty() && s.tasks.sql.empty()) return values;
  const auto store = open_store(database_, Store::Access::kRead);
  const auto cursor = open_section(*store, s.tasks);
  const auto& columns = cursor->columns();
  const int key = find_column(columns, s.tasks_key);
  require(key >= 0, "[tasks]: no column '", s.tasks_key, "' (tasks.key)");
  while (cursor->next()) {
    if (cursor->at(key).to_text() != id) continue;
    for (size_t c = 0; c < columns.size(); ++c) {
      const Value value = cursor->at(static_cast<int>(c));
      if (!value.is_null()) values[columns[c].name] = value.to_text();
    }
    break;
  }
  return values;
}

std::vector<std::string> ModelData::hidden_items() const {
  std::vector<std::string> hidden;
  const Scenario& s = model_.scenario();
  const auto store = open_store(database_, Store::Access::kRead);
  // SQL of [items] rarely selects it; the shop's own table of items has it.
  const std::string table = s.items.table.empty() ? "items" : s.items.table;
  const std::string key = s.items.table.empty() ? "item_id" : s.items_key;
  if (!store->has_table(table)) return hidden;
  const TableInfo info = store->describe(table);
  if (info.index_of("hidden") < 0 || info.index_of(key) < 0) return hidden;
  const auto cursor = store->read(table, {key, "hidden"});
  while (cursor->next())
    if (cursor->at(1).number() != 0) hidden.push_back(cursor->at(0).to_text());
  return hidden;
}

ItemLabels ModelData::item_labels() const {
  ItemLabels labels;
  const Scenario& s = model_.scenario();
  if (s.items.table.empty() && s.items.sql.empty()) return labels;
  const auto store = open_store(database_, Store::Access::kRead);
  const auto cursor = open_section(*store, s.items);
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
