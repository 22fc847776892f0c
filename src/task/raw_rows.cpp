#include "task/raw_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/progress.h"
#include "task/target_reader.h"
#include "task/task_id.h"

namespace fewshop {
namespace {

constexpr int64_t kRowsBetweenChecks = 1024;

std::string list_columns(const std::vector<TableColumn>& columns) {
  std::string names;
  for (const auto& column : columns) names += (names.empty() ? "" : ", ") + column.name;
  return names;
}

std::optional<Micros> time_of(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kInteger:
      return value.integer;
    case Value::Kind::kReal:
      if (!(std::abs(value.real) < 9e18)) return std::nullopt;
      return std::llround(value.real);
    case Value::Kind::kText:
      return parse_time(value.text);
    case Value::Kind::kNull:
      break;
  }
  return std::nullopt;
}

/// Reads one row after the other into RawRows.
class RowReader {
 public:
  RowReader(const Scenario& scenario, Cursor& cursor, RawRows& out)
      : s_(scenario), cursor_(cursor), out_(out), targets_(scenario) {
    for (const auto& column : s_.task) task_.push_back(find(column, "rows.task"));
    target_ = find(s_.target, "rows.target");
    item_ = find(s_.item, "rows.item");
    time_ = find(s_.time, "rows.time");
    event_ = find(s_.event, "rows.event");
    weight_ = find(s_.weight, "rows.weight");
    split_ = find(s_.split.column, "split.column");
    role_ = find(s_.episode.role, "episode.role");
    if (s_.episode.ties != "time") ties_ = find(s_.episode.ties, "episode.ties");
    needs_time_ = s_.episode.by_time || s_.split.time_valid || s_.episode.ties == "time";
  }

  void read_all() {
    read_rows();
    out_.classes = targets_.take_classes(out_.target, name());
  }

 private:
  void read_rows() {
    Progress progress("rows of " + s_.name, 0);
    while (cursor_.next()) {
      if (out_.counts.read % kRowsBetweenChecks == 0) progress.advance(out_.counts.read > 0 ? kRowsBetweenChecks : 0);
      require(out_.counts.read < std::numeric_limits<int32_t>::max(), name(), ": more than 2,147,483,647 rows");
      read_row(out_.counts.read++);
    }
  }

  std::string name() const { return source_name(s_.rows, "rows"); }

  int find(const std::string& column, const std::string& key) {
    return column.empty() ? -1 : column_of(cursor_, column, s_.rows, key);
  }

  /// The value as a key: the cursor's own text where it has some.
  std::string_view key_text(const Value& value) {
    if (value.kind == Value::Kind::kText) return value.text;
    buffer_ = value.to_text();
    return buffer_;
  }

  void require_moderate(double number, const std::string& column, const char* key, int64_t position) const {
    if (std::abs(number) <= kMaxNumber) [[likely]]
      return;
    throw InvalidInput(fmt::format(
        "{}: column '{}' ({}), row {}: {:g} is too large, expected numbers up to {:g}; leave such rows out or "
        "rescale them (sql in [rows])",
        name(), column, key, position + 1, number, kMaxNumber));
  }

  /// Number of the row's task value, -1 where a part of it is missing.
  int32_t task_value() {
    if (task_.size() == 1) {
      const Value value = cursor_.at(task_[0]);
      return value.is_null() ? -1 : out_.values.add(key_text(value));
    }
    joined_.clear();
    for (size_t i = 0; i < task_.size(); ++i) {
      const Value value = cursor_.at(task_[i]);
      if (value.is_null()) return -1;
      append_task_value(joined_, key_text(value), i == 0);
    }
    return out_.values.add(joined_);
  }

  /// The target of the row: nothing where it has none (counted).
  std::optional<float> target(int64_t position) {
    if (target_ < 0) return 1.0F;
    return targets_.read(cursor_.at(target_), out_.counts, [&] {
      return fmt::format("{}: column '{}' (rows.target), row {}", name(), s_.target, position + 1);
    });
  }

  float weight(int64_t position) {
    if (weight_ < 0) return 1;
    const Value value = cursor_.at(weight_);
    const auto number = finite_number(value);
    if (!number) {
      ++out_.counts.missing_weight;
      return 1;
    }
    require(*number >= 0, name(), ": column '", s_.weight, "' (rows.weight), row ", position + 1,
            ": expected a weight of 0 or more, got ", value.to_text());
    require_moderate(*number, s_.weight, "rows.weight", position);
    return static_cast<float>(*number);
  }

  int8_t role() {
    const Value value = cursor_.at(role_);
    if (value.is_null()) return 0;
    const std::string_view text = key_text(value);
    if (text == "support") return 1;
    if (text == "query") return 2;
    return 0;
  }

  int32_t task_index(int32_t split, int32_t value) {
    const uint64_t pair = static_cast<uint64_t>(split) << 32 | static_cast<uint32_t>(value);
    const auto [found, added] = task_of_.emplace(pair, static_cast<int32_t>(out_.tasks.size()));
    if (added) {
      out_.tasks.push_back({split, value});
      last_time_.push_back(std::numeric_limits<Micros>::min());
    }
    return found->second;
  }

  void read_row(int64_t position) {
    const int32_t value = task_value();
    if (value < 0) return void(++out_.counts.missing_task);
    const Value item = item_ < 0 ? Value::null() : cursor_.at(item_);
    if (item_ >= 0 && item.is_null()) return void(++out_.counts.missing_item);
    std::optional<Micros> time;
    if (time_ >= 0) time = time_of(cursor_.at(time_));
    if (time_ >= 0 && !time) {
      ++out_.counts.missing_time;
      if (needs_time_) return;
    }
    int32_t split = 0;
    if (split_ >= 0) {
      const Value part = cursor_.at(split_);
      if (part.is_null()) return void(++out_.counts.missing_split);
      split = out_.splits.add(key_text(part));
    }
    const auto number = target(position);
    if (!number) return;

    out_.weight.push_back(weight(position));
    const int32_t task = task_index(split, value);
    out_.task.push_back(task);
    out_.item.push_back(item_ < 0 ? -1 : out_.items.add(key_text(item)));
    out_.target.push_back(*number);
    out_.time.push_back(time_ < 0 ? 0 : time.value_or(kNoTime));
    out_.kind.push_back(event_ < 0 ? 0
                                   : out_.kinds.add(cursor_.at(event_).is_null() ? "" : key_text(cursor_.at(event_))));
    if (ties_ >= 0) out_.tie.push_back(out_.ties.add(key_text(cursor_.at(ties_))));
    if (role_ >= 0) out_.role.push_back(role());
    out_.source.push_back(position);
    if (time) {
      out_.counts.backwards += *time < last_time_[task];
      last_time_[task] = std::max(last_time_[task], *time);
    }
  }

  const Scenario& s_;
  Cursor& cursor_;
  RawRows& out_;
  TargetReader targets_;
  std::vector<int> task_;
  int target_ = -1, item_ = -1, time_ = -1, event_ = -1, weight_ = -1, split_ = -1, role_ = -1, ties_ = -1;
  bool needs_time_ = false;
  std::unordered_map<uint64_t, int32_t> task_of_;
  std::vector<Micros> last_time_;
  std::string buffer_, joined_;
};

void check_rows(const RawRows& rows, const Scenario& s) {
  const std::string name = source_name(s.rows, "rows");
  const RowCounts& c = rows.counts;
  require(c.read > 0, name, ": no rows; there is nothing to learn from");
  require(rows.rows() > 0, name, ": none of its ", c.read, " rows can be used: ", c.missing_task, " without ",
          fmt::format("{}", fmt::join(s.task, ", ")), ", ",
          s.item.empty() ? std::string() : fmt::format("{} without {}, ", c.missing_item, s.item), c.missing_target,
          " without target, ", c.missing_time, " without a readable time, ", c.missing_split, " without split value, ",
          c.not_positive, " not positive");
  require(rows.kinds.texts().size() <= 255, name, ": column '", s.event, "' (rows.event) has ",
          rows.kinds.texts().size(), " different values; at most 255 kinds of event can be told apart");
}

void note(RawRows& rows, int64_t count, const std::string& what) {
  if (count > 0) rows.notes.push_back(fmt::format("{} rows left out: {}", count, what));
}

}  // namespace

int32_t Interner::add(std::string_view text) {
  if (const auto found = index_.find(text); found != index_.end()) return found->second;
  const auto id = static_cast<int32_t>(texts_.size());
  texts_.emplace_back(text);
  index_.emplace(texts_.back(), id);
  return id;
}

int32_t Interner::find(std::string_view text) const {
  const auto found = index_.find(text);
  return found == index_.end() ? -1 : found->second;
}

std::string source_name(const Source& source, const std::string& section) {
  return source.table.empty() ? "sql of [" + section + "]" : "table '" + source.table + "' of [" + section + "]";
}

std::unique_ptr<Cursor> open_source(Store& store, const Source& source, const std::vector<std::string>& columns,
                                    const std::string& section, const Equals& equals) {
  try {
    if (!source.sql.empty()) return store.query(source.sql, equals);
    // Not describe(): the fingerprint of a table that was changed would be computed for its columns.
    const auto all = store.read(source.table);
    for (const auto& column : columns)
      require(std::any_of(all->columns().begin(), all->columns().end(),
                          [&](const TableColumn& c) { return c.name == column; }),
              source_name(source, section), ": no column '", column, "'; its columns: ", list_columns(all->columns()));
    return store.read(source.table, columns, equals);
  } catch (const InvalidInput& error) {
    const std::string message = error.what();
    if (message.find("[" + section + "]") != std::string::npos) throw;
    throw InvalidInput(source_name(source, section) + ": " + message);
  }
}

int column_of(const Cursor& cursor, const std::string& column, const Source& source, const std::string& key) {
  const auto& columns = cursor.columns();
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == column) return static_cast<int>(i);
  // Columns that [split] and [episode] name are columns of the rows.
  const std::string section = key.starts_with("items.") ? "items" : key.starts_with("tasks.") ? "tasks" : "rows";
  throw InvalidInput(fmt::format("{}: no column '{}' ({}); its columns: {}", source_name(source, section), column, key,
                                 list_columns(columns)));
}

std::string source_fingerprint(Store& store, const Source& source) {
  if (!source.sql.empty()) return store.query_fingerprint(source.sql);
  return source.table.empty() ? "" : store.describe(source.table).fingerprint;
}

namespace {

/// The rows of the table or query, or those that `equals` leaves.
RawRows read_all_rows(Store& store, const Scenario& s, Interner items, const Equals& equals) {
  RawRows rows;
  rows.items = std::move(items);
  std::vector<std::string> columns;
  const auto need = [&](const std::string& column) {
    if (!column.empty() && std::find(columns.begin(), columns.end(), column) == columns.end())
      columns.push_back(column);
  };
  for (const auto& column : s.task) need(column);
  for (const auto* column : {&s.target, &s.item, &s.time, &s.event, &s.weight, &s.split.column, &s.episode.role})
    need(*column);
  if (s.episode.ties != "time") need(s.episode.ties);
  const auto cursor = open_source(store, s.rows, columns, "rows", equals);
  if (s.event.empty()) rows.kinds.add("");
  if (s.split.column.empty()) rows.splits.add("");
  RowReader(s, *cursor, rows).read_all();
  return rows;
}

}  // namespace

RawRows read_rows_or_none(Store& store, const Scenario& s, Interner items) {
  return read_all_rows(store, s, std::move(items), {});
}

RawRows read_rows(Store& store, const Scenario& s, Interner items) {
  RawRows rows = read_all_rows(store, s, std::move(items), {});
  check_rows(rows, s);
  const RowCounts& c = rows.counts;
  note(rows, c.missing_task, "no value in " + fmt::format("{}", fmt::join(s.task, ", ")));
  note(rows, c.missing_item, "no value in " + s.item);
  note(rows, c.missing_target, "no target in " + s.target);
  note(rows, c.unknown_class, fmt::format("{} is none of the classes", s.target));
  note(rows, c.not_positive, s.positive.empty() ? "no evidence (target of 0 or less)" : "not " + s.positive);
  note(rows, c.missing_split, "no value in " + s.split.column);
  if (s.episode.by_time || s.split.time_valid || s.episode.ties == "time")
    note(rows, c.missing_time, "no readable time in " + s.time);
  else if (c.missing_time > 0)
    rows.notes.push_back(fmt::format("{} rows without a readable time in {} have age 0", c.missing_time, s.time));
  if (c.missing_weight > 0)
    rows.notes.push_back(fmt::format("{} rows without a weight in {} weigh 1", c.missing_weight, s.weight));
  return rows;
}

RawRows read_task_rows(Store& store, const Scenario& scenario, const std::vector<std::string>& values) {
  Scenario s = scenario;
  s.split.column.clear();
  s.episode.role.clear();
  Equals equals;
  for (size_t c = 0; c < s.task.size(); ++c) equals.emplace_back(s.task[c], values[c]);
  return read_all_rows(store, s, {}, equals);
}

}  // namespace fewshop
