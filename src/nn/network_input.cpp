#include "nn/network_input.h"

#include <algorithm>

namespace fewshop::nn {

InputTable input_table(const Columns& columns, const std::vector<std::string>& sequences) {
  InputTable table;
  table.columns = &columns;
  for (const Column& column : columns.columns) {
    const bool sequence = std::find(sequences.begin(), sequences.end(), column.name) != sequences.end();
    const auto kind = column.width ? Field::Kind::kNumbers : sequence ? Field::Kind::kSequence : Field::Kind::kBag;
    bool several = false;
    for (size_t r = 1; r < column.offsets.size() && !several; ++r)
      several = column.offsets[r] - column.offsets[r - 1] > 1;
    table.fields.push_back({column.name, kind, column.width, column.vocabulary, several});
  }
  return table;
}

std::vector<Field> fields(const NetworkInput& input) {
  std::vector<Field> list;
  if (input.numbers.defined()) list.push_back({"numbers", Field::Kind::kNumbers, input.numbers.size(-1), 0});
  for (const auto& part : input.parts) list.insert(list.end(), part.table->fields.begin(), part.table->fields.end());
  for (const auto& identity : input.identities)
    list.push_back({identity.name, Field::Kind::kBag, 0, identity.vocabulary});
  return list;
}

}  // namespace fewshop::nn
