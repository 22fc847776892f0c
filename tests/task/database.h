#pragma once

#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "scenario/read.h"
#include "store/store.h"
#include "support/temp_dir.h"

namespace fewshop::testing {

/// Cells of one row as text; nothing = missing.
using Cells = std::vector<std::optional<std::string>>;

/// A database in a folder of its own, gone with the object.
class Database {
 public:
  Database() { open_store(path(), Store::Access::kWrite); }

  std::string path() const { return folder_ / "shop.db"; }
  const TempDir& folder() const { return folder_; }

  /// Writes (or replaces) a table; cells are converted to the type of their column.
  void write(const std::string& table, const std::vector<TableColumn>& columns, const std::vector<Cells>& rows) const {
    const auto store = open_store(path(), Store::Access::kWrite);
    Transaction transaction(*store);
    const auto writer = store->write(table, columns);
    for (const auto& cells : rows) {
      std::vector<Value> values;
      for (size_t c = 0; c < columns.size(); ++c)
        values.push_back(cells[c] ? value(*cells[c], columns[c].type) : Value::null());
      writer->add(values);
    }
    writer->finish();
    transaction.commit();
  }

 private:
  static Value value(const std::string& text, ColumnType type) {
    if (type == ColumnType::kText) return Value::of(std::string_view(text));
    if (type == ColumnType::kReal) return Value::of(std::stod(text));
    return Value::of(static_cast<int64_t>(std::stoll(text)));
  }

  TempDir folder_;
};

}  // namespace fewshop::testing
