#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "task/dataset.h"

namespace fewshop {

/// The rows of a task cut into groups (rows that are never parted), and which of them may be query.
struct Groups {
  std::vector<int32_t> begin;  // [count + 1] positions in TaskRows::rows
  int32_t query_begin = 0;     // with `role`: groups [query_begin, query_end) are the query; else the first group that
  int32_t query_end = 0;       //   may be query, and count
  bool fixed = false;          // by `role`

  int32_t count() const { return static_cast<int32_t>(begin.size()) - 1; }
};

Groups groups_of(const Dataset& data, const TaskRows& task);

/// Number of groups alone.
int32_t group_count(const Dataset& data, const TaskRows& task);

/// Position of the first row that may be query where queries begin at a time cut: the first group whose first row is
/// not before it (where roles fix the query, of the query's own groups); the number of rows where there is none.
int32_t first_query_row(const Dataset& data, const TaskRows& task, Micros cut);

}  // namespace fewshop
