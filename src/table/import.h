#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "table/recipe.h"

namespace fewshop {

struct ImportedTable {
  std::string name;
  bool scratch = false;  // read for the SQL of other tables, not stored
  int64_t records = 0;   // read from files; 0 for tables that SQL made
  int64_t rows = 0;      // stored
  int64_t rejected = 0;
  std::string reject_file;                               // "" when there are none
  std::vector<std::pair<std::string, int64_t>> dropped;  // by reason, in the order of the recipe
};

struct ImportReport {
  std::vector<ImportedTable> tables;
  /// {tables: [{name, rows, rejected, reject_file, records, dropped: {reason: n}}], sources: the same for scratch
  /// tables}
  nlohmann::json to_json() const;
};

/// Reads the files of a recipe, found in `folder`, into the store: everything or nothing.
///
/// Rows that do not fit are rejected, counted and written to LOCATION.TABLE.rejects.tsv. More than 5 % and more than 10
/// of them throw InvalidInput and change nothing (the reject file stays, to be looked at).
ImportReport import_recipe(const Recipe& recipe, const std::string& folder, Store& store);

}  // namespace fewshop
