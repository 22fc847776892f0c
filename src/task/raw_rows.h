#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scenario/scenario.h"
#include "store/store.h"
#include "task/dataset.h"
#include "task/problem.h"

namespace fewshop {

/// Targets and weights are 32-bit numbers, and squares of them are summed: larger ones would become infinite.
inline constexpr double kMaxNumber = 1e15;

/// Numbers texts 0, 1, 2, ... in the order they are first seen.
class Interner {
 public:
  int32_t add(std::string_view text);
  int32_t find(std::string_view text) const;
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> index_;
  std::vector<std::string> texts_;
};

/// Rows as they were read, in table order, R rows that have all they need.
struct RawRows {
  std::vector<int32_t> task;  // [R] index into tasks
  std::vector<int32_t> item;  // [R] index into items; -1 where the scenario names no item
  std::vector<float> target, weight;
  std::vector<Micros> time;
  std::vector<int32_t> kind;  // [R] index into kinds
  std::vector<int32_t> tie;   // [R] index into ties; empty without a column of ties
  std::vector<int8_t> role;   // [R] as in Dataset; empty without
  std::vector<int64_t> source;

  struct TaskKey {
    int32_t split, value;  // indices into splits and values
  };
  std::vector<TaskKey> tasks;
  Interner splits, values, items, kinds, ties;
  std::vector<std::string> classes;  // multiclass, ordinal: in order
  RowCounts counts;
  std::vector<std::string> notes;

  int64_t rows() const { return static_cast<int64_t>(item.size()); }
};

/// Opens a source: the cursor's columns are all of a query's, or `columns` of a table (all when none are named).
/// `equals` leaves only rows with these values. Throws InvalidInput naming `section` ("rows"), the table or SQL, and
/// what columns there are.
std::unique_ptr<Cursor> open_source(Store& store, const Source& source, const std::vector<std::string>& columns,
                                    const std::string& section, const Equals& equals = {});

/// Position of a column in a cursor. Throws InvalidInput listing the columns that are there.
int column_of(const Cursor& cursor, const std::string& column, const Source& source, const std::string& key);

/// "table 'ratings'" or "sql of [rows]".
std::string source_name(const Source& source, const std::string& section);

/// Fingerprint of what a source reads; "" for no source.
std::string source_fingerprint(Store& store, const Source& source);

/// Reads [rows] and drops, counting them, rows without task, item, target, or (where order or cuts need it) time.
/// `items` holds the keys of [items] in table order and is extended by items that only occur in rows.
RawRows read_rows(Store& store, const Scenario& scenario, Interner items);

/// The same where there may be no rows.
RawRows read_rows_or_none(Store& store, const Scenario& scenario, Interner items);

/// Reads the rows of one task alone, whatever their split value and role: none where there are none. `values` are those
/// of the task columns. An index over one of them makes this a matter of the task's rows, not of the table's.
RawRows read_task_rows(Store& store, const Scenario& scenario, const std::vector<std::string>& values);

}  // namespace fewshop
