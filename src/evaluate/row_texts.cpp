#include "evaluate/row_texts.h"

#include "core/time.h"
#include "task/raw_rows.h"

namespace fewshop {

RowTexts::RowTexts(Store& store, const Scenario& scenario) {
  const auto cursor = open_source(store, scenario.rows, {}, "rows");
  columns_ = cursor->columns();
  while (cursor->next()) {
    for (size_t c = 0; c < columns_.size(); ++c) {
      const Value value = cursor->at(static_cast<int>(c));
      if (value.kind == Value::Kind::kText)
        bytes_ += value.text;
      else if (value.kind == Value::Kind::kInteger && columns_[c].type == ColumnType::kTime)
        bytes_ += format_time(value.integer);
      else
        bytes_ += value.to_text();
      ends_.push_back(bytes_.size());
    }
  }
}

std::string_view RowTexts::at(int64_t row, size_t column) const {
  const size_t place = static_cast<size_t>(row) * columns_.size() + column;
  const uint64_t begin = place == 0 ? 0 : ends_[place - 1];
  return std::string_view(bytes_).substr(begin, ends_[place] - begin);
}

}  // namespace fewshop
