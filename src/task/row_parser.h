#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "table/text_rows.h"
#include "task/arrange_support.h"
#include "task/target_reader.h"

namespace fewshop {

/// Reads rows of one task that arrive as text one by one, as a scenario's [rows] are read: the item column must be
/// there where the scenario names one, the target, and the time where it orders by it; event, weight and ties are used
/// where they are. Throws InvalidInput naming place, line and column for values that are missing or cannot be read.
class RowParser {
 public:
  /// `kinds` and `find_item` (-1 for an unknown id) are the model's.
  RowParser(const Scenario& scenario, const std::vector<std::string>& kinds,
            std::function<int32_t(const std::string&)> find_item, const TextRows& rows);

  int64_t unknown_kinds() const { return unknown_kinds_; }

  /// Nothing for a row that is no positive one, or of an unknown kind (counted).
  std::optional<ArrivedRow> read(size_t r);

  /// "" where the scenario names no item.
  std::string item(size_t r) const;

 private:
  int optional(const std::string& column) const { return column.empty() ? -1 : rows_.find(column); }
  int needed(const std::string& column, const char* key) const;
  std::string text(size_t r, int column, const std::string& name) const;
  double number(size_t r, int column, const std::string& name) const;
  std::optional<float> target(size_t r);
  std::optional<Micros> time(size_t r) const;
  int kind_of(const std::string& name) const;

  const Scenario& s_;
  const std::vector<std::string>& kinds_;
  std::function<int32_t(const std::string&)> find_item_;
  const TextRows& rows_;
  TargetReader targets_;
  RowCounts counts_;
  int item_ = -1, target_ = -1, time_ = -1, event_ = -1, weight_ = -1, ties_ = -1;
  bool by_time_ = false;
  int64_t unknown_kinds_ = 0;
};

}  // namespace fewshop
