#include "task/task_id.h"

#include <fmt/format.h>

#include "core/error.h"

namespace fewshop {

void append_task_value(std::string& id, std::string_view value, bool first) {
  if (!first) id += ',';
  if (value.find_first_of(",\"") == std::string_view::npos) {
    id += value;
    return;
  }
  id += '"';
  for (const char c : value) {
    if (c == '"') id += '"';
    id += c;
  }
  id += '"';
}

std::vector<std::string> task_values(std::string_view id, std::span<const std::string> columns) {
  if (columns.size() == 1) return {std::string(id)};
  std::vector<std::string> values(1);
  bool quoted = false;
  for (size_t i = 0; i < id.size(); ++i) {
    const char c = id[i];
    if (quoted && c == '"' && i + 1 < id.size() && id[i + 1] == '"')
      values.back() += id[++i];
    else if (c == '"' && (quoted || values.back().empty()))
      quoted = !quoted;
    else if (c == ',' && !quoted)
      values.emplace_back();
    else
      values.back() += c;
  }
  require(!quoted && values.size() == columns.size(), "task '", id, "': expected ", columns.size(),
          " values joined by commas (", fmt::format("{}", fmt::join(columns, ",")), "), got ", values.size(),
          quoted ? " and a quote that is not closed" : "", "; a value with a comma stands in quotes");
  return values;
}

}  // namespace fewshop
