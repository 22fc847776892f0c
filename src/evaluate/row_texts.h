#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scenario/scenario.h"
#include "store/store.h"

namespace fewshop {

/// Every column of [rows] as text, row by row in the order in which the scenario reads them: ids and numbers as
/// Value::to_text() writes them, times as dates, "" where a value is missing.
class RowTexts {
 public:
  /// Reads them all. Throws InvalidInput naming the table or SQL.
  RowTexts(Store& store, const Scenario& scenario);

  const std::vector<TableColumn>& columns() const { return columns_; }
  /// `row` is the position in the result of [rows] (Dataset::source).
  std::string_view at(int64_t row, size_t column) const;

 private:
  std::vector<TableColumn> columns_;
  std::string bytes_;
  std::vector<uint64_t> ends_;  // [rows * columns] where each text ends
};

}  // namespace fewshop
