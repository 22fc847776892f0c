#include "task/model_data.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "store/store.h"
#include "task/support_rows.h"

namespace fewshop {
namespace {

/// Calls use(key, cell) for every row of the table of a section; nothing for a section that is SQL or absent, or a
/// table without the column.
template <class Use>
void for_each_cell(const std::string& database, const Source& source, const std::string& key, const std::string& column,
                   Use&& use) {
  if (source.table.empty()) return;
  const auto store = open_store(database, Store::Access::kRead);
  if (store->describe(source.table).index_of(column) < 0) return;
  const auto cursor = store->read(source.table, {key, column});
  while (cursor->next())
    if (!cursor->at(0).is_null()) use(cursor->at(0).to_text(), cursor->at(1));
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
  const auto cursor = s.tasks.sql.empty() ? store->read(s.tasks.table) : store->query(s.tasks.sql);
  const auto& columns = cursor->columns();
  const auto key = std::find_if(columns.begin(), columns.end(),
                                [&](const TableColumn& column) { return column.name == s.tasks_key; });
  require(key != columns.end(), "[tasks]: no column '", s.tasks_key, "' (tasks.key)");
  while (cursor->next()) {
    if (cursor->at(static_cast<int>(key - columns.begin())).to_text() != id) continue;
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
  for_each_cell(database_, s.items, s.items_key, "hidden", [&](std::string id, const Value& value) {
    if (value.number() != 0) hidden.push_back(std::move(id));
  });
  return hidden;
}

ItemLabels ModelData::item_labels() const {
  ItemLabels labels;
  const Scenario& s = model_.scenario();
  if (s.items.table.empty()) return labels;
  const TableInfo info = open_store(database_, Store::Access::kRead)->describe(s.items.table);
  const auto label = std::find_if(info.columns.begin(), info.columns.end(), is_label);
  if (label == info.columns.end()) return labels;
  for_each_cell(database_, s.items, s.items_key, label->name, [&](std::string id, const Value& value) {
    if (!value.is_null()) labels[std::move(id)] = value.to_text();
  });
  return labels;
}

}  // namespace fewshop
