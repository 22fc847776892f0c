#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fewshop {

/// Appends one value to a task id of several columns: values are joined by commas, and one that holds a comma or a
/// quote stands in quotes, as in a line of a CSV file: u1,"Smith, Ann". `first`: of the id.
void append_task_value(std::string& id, std::string_view value, bool first);

/// The values that a task id stands for, back: as many as there are task columns. The id of one column is its value.
/// Throws InvalidInput naming `columns` where there are more or fewer.
std::vector<std::string> task_values(std::string_view id, std::span<const std::string> columns);

}  // namespace fewshop
