#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "store/connection.h"

namespace fewshop {

/// Labels of users or items as columns of their table, so that scenarios can use them as features. Numbers become real
/// columns, booleans boolean ones, texts and lists of texts (joined by "|") text columns, added when a label is new. A
/// label is kept in the JSON of `labels` only where its name is no name of 1 to 64 ASCII letters, digits and
/// underscores that begins with no digit, where it is that of one of our own columns, where the table has 200 columns,
/// or where its value is of another kind than the column. Of one transaction: remembers the columns it has seen.
class LabelColumns {
 public:
  /// `id`: name of the column that holds the row's id.
  LabelColumns(Connection& connection, std::string table, std::string id)
      : connection_(connection), table_(std::move(table)), id_(std::move(id)) {}

  static constexpr int kMostColumns = 200;

  /// Writes the labels of a row; columns of labels that it had before and has no longer become NULL.
  void write(const std::string& id, const nlohmann::json& before, const nlohmann::json& labels);

 private:
  /// Declared type of the label's column, added where it is new; nothing where it can have none.
  const std::string* column_for(const std::string& label, const nlohmann::json& value);

  Connection& connection_;
  std::string table_, id_;
  std::map<std::string, std::string> types_;  // by name in lower case
};

}  // namespace fewshop
