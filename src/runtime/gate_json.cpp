#include "runtime/gate_json.h"

#include "core/error.h"

namespace fewshop {

using nlohmann::json;

namespace {

int index_of(const std::vector<std::string>& names, const std::string& name) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<int>(i);
  throw InvalidInput("gate.json: no member is called " + name);
}

}  // namespace

json gate_to_json(const Gate& gate, const std::vector<std::string>& names) {
  json entries = json::array();
  for (size_t i = 0; i < gate.sizes.size(); ++i) {
    json open = json::array();
    for (int c = 0; c < kItemCells; ++c) open.push_back(gate.open[i * kItemCells + c] != 0);
    entries.push_back({{"support", gate.sizes[i]}, {"baseline", names.at(gate.baseline[i])}, {"adapted", open}});
  }
  return {{"enabled", gate.enabled}, {"item_cells", {"0", "1-5", "6-20", "21-100", "101-"}}, {"sizes", entries}};
}

Gate gate_from_json(const json& value, const std::vector<std::string>& names) {
  Gate gate;
  gate.enabled = value.at("enabled").get<bool>();
  for (const auto& entry : value.at("sizes")) {
    gate.sizes.push_back(entry.at("support").get<int>());
    gate.baseline.push_back(index_of(names, entry.at("baseline").get<std::string>()));
    const auto open = entry.at("adapted").get<std::vector<bool>>();
    require(open.size() == kItemCells, "gate.json: expected ", kItemCells, " cells, got ", open.size());
    for (const bool o : open) gate.open.push_back(o);
  }
  return gate;
}

}  // namespace fewshop
