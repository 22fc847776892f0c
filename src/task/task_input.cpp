#include "task/task_input.h"

#include <fmt/format.h>

#include "task/row_parser.h"

namespace fewshop {

TaskInput task_input(const Model& model, const TextRows& text, const EntityValues& description,
                     std::optional<Micros> at) {
  RowParser parser(
      model.scenario(), model.kinds(), [&](const std::string& id) { return model.find_item(id); }, text);
  std::vector<ArrivedRow> rows;
  for (size_t r = 0; r < text.rows.size(); ++r)
    if (const auto row = parser.read(r)) rows.push_back(*row);
  arrange_support(rows, model.scenario().episode, at);
  TaskInput input;
  input.unknown_kinds = parser.unknown_kinds();
  for (const ArrivedRow& row : rows) {
    input.support.push_back(row.row);
    input.item_ids.push_back(parser.item(row.source));
    input.source.push_back(row.source);
  }
  input.description = encode_entity(model.encoders().tasks, description);
  return input;
}

std::string left_out(const Model& model, int64_t unknown_kinds) {
  if (unknown_kinds == 0) return {};
  return fmt::format("{} rows left out: their kind of event ({}) is none that the model knows ({})", unknown_kinds,
                     model.scenario().event, fmt::join(model.kinds(), ", "));
}

EntityValues description_in(const Model& model, const TextRows& rows) {
  EntityValues values;
  for (const ColumnEncoder& encoder : model.encoders().tasks) {
    const std::string name = encoder.spec.name.substr(encoder.spec.name.find('.') + 1);
    const int column = rows.find(name);
    for (size_t r = 0; column >= 0 && r < rows.rows.size() && !values[name]; ++r) values[name] = rows.rows[r][column];
  }
  return values;
}

}  // namespace fewshop
