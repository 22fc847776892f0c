#include "learner/item_inputs_file.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "learner/network_fields.h"
#include "runtime/member_support.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

std::string column_name(size_t c, const char* what) { return "items." + std::to_string(c) + "." + what; }

/// Columns with their shapes, without rows.
json describe(const Columns& columns) {
  json list = json::array();
  for (const auto& column : columns.columns)
    list.push_back({{"name", column.name}, {"width", column.width}, {"vocabulary", column.vocabulary}});
  return list;
}

/// One column from a file; the vectors stay where they are until EntityColumns has copied them.
struct StoredColumn {
  std::vector<float> dense;
  std::vector<int64_t> offsets;
  std::vector<int32_t> ids;
};

StoredColumn read_column(const TensorFile& file, size_t c, const Column& column, int64_t rows) {
  StoredColumn stored;
  if (column.width > 0) {
    stored.dense = file.get<float>(column_name(c, "dense"));
    require(static_cast<int64_t>(stored.dense.size()) == rows * column.width, "member: ", column.name,
            ": the number of values is not that of the items; the file is damaged");
    require_finite(stored.dense, "member: " + column.name);
    return stored;
  }
  stored.offsets = file.get<int64_t>(column_name(c, "offsets"));
  stored.ids = file.get<int32_t>(column_name(c, "ids"));
  require_sparse_rows(stored.offsets, stored.ids, column.vocabulary, "member: " + column.name);
  require(static_cast<int64_t>(stored.offsets.size()) == rows + 1, "member: ", column.name,
          ": the number of rows is not that of the items; the file is damaged");
  return stored;
}

}  // namespace

void save_item_inputs(TensorFile& file, const ItemInputs& inputs) {
  const ItemInputs::Parts& parts = inputs.parts();
  const Columns& columns = parts.items->columns();
  file.put_text("items", json({{"rows", columns.rows},
                               {"columns", describe(columns)},
                               {"sequences", parts.sequences},
                               {"description", fields_to_json(parts.description)},
                               {"identity", parts.identity}})
                             .dump());
  for (size_t c = 0; c < columns.columns.size(); ++c) {
    const Column& column = columns.columns[c];
    if (column.width > 0) {
      file.put<float>(column_name(c, "dense"), column.dense);
      continue;
    }
    file.put<int64_t>(column_name(c, "offsets"), column.offsets);
    file.put<int32_t>(column_name(c, "ids"), column.ids);
  }
  file.put("known", parts.known);
  file.put("offset", parts.offset);
  put_one(file, "unknown_offset", parts.unknown_offset);
}

ItemInputs load_item_inputs(const TensorFile& file) {
  const json described = json::parse(file.text("items"));
  Columns columns;
  columns.rows = described.at("rows").get<int64_t>();
  std::vector<StoredColumn> stored;
  for (const auto& c : described.at("columns")) {
    Column column;
    column.name = c.at("name").get<std::string>();
    column.width = c.at("width").get<int32_t>();
    column.vocabulary = c.at("vocabulary").get<int32_t>();
    stored.push_back(read_column(file, stored.size(), column, columns.rows));
    columns.columns.push_back(column);
  }
  for (size_t c = 0; c < stored.size(); ++c) {
    columns.columns[c].dense = stored[c].dense;
    columns.columns[c].offsets = stored[c].offsets;
    columns.columns[c].ids = stored[c].ids;
  }
  ItemInputs::Parts parts;
  parts.items = std::make_shared<EntityColumns>(columns);
  parts.sequences = described.at("sequences").get<std::vector<std::string>>();
  parts.description = fields_from_json(described.at("description"));
  parts.identity = described.at("identity").get<bool>();
  parts.known = file.get<uint8_t>("known");
  parts.offset = file.get<float>("offset");
  require_finite(parts.offset, "member: offset");
  require(parts.known.size() == parts.offset.size(), "member: known and offset differ in length; the file is damaged");
  parts.unknown_offset = get_one<float>(file, "unknown_offset");
  return ItemInputs(std::move(parts));
}

}  // namespace fewshop::learning
