#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fewshop {

/// Rows as text: of a small file, or of a request. A missing value is nothing.
struct TextRows {
  std::string place;  // begins messages: a path, "support"
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::vector<int64_t> lines;  // [rows] where each one stands in its file; may be empty

  /// Position of a column, -1 when there is none.
  int find(std::string_view column) const;
  /// Begins a message about a row: "support.csv: line 3".
  std::string where(size_t row) const;
};

/// Reads a whole headed file of any format that import reads. A record that does not fit is an error here, not a
/// reject: these are the few rows that an answer is asked for.
TextRows read_text_rows(const std::string& path);

}  // namespace fewshop
