#include "feature/encoders.h"

#include <algorithm>

#include "core/error.h"
#include "feature/feature_values.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// 2: words of texts are those between Unicode word breaks; 1 (not written then) knew the letters of ASCII only.
/// 3: sequences keep what they repeat.
constexpr int kFormat = 3;

/// The format since which values of a type have been encoded as they are now.
int first_format(FeatureType type) { return type == FeatureType::kText ? 2 : type == FeatureType::kSequence ? 3 : 1; }

json to_json(const std::vector<ColumnEncoder>& encoders) {
  json list = json::array();
  for (const auto& e : encoders)
    list.push_back({{"name", e.spec.name},
                    {"type", feature_type_name(e.spec.type)},
                    {"separator", e.spec.separator},
                    {"chosen", e.spec.chosen},
                    {"width", e.width},
                    {"vocabulary", e.vocabulary},
                    {"mean", e.mean},
                    {"scale", e.scale}});
  return list;
}

std::vector<ColumnEncoder> from_json(const json& list) {
  std::vector<ColumnEncoder> encoders;
  for (const auto& entry : list) {
    ColumnEncoder e;
    const auto type = feature_type_from_name(entry.at("type").get<std::string>());
    require(type.has_value(), "encoders: unknown type of feature ", entry.at("type").dump());
    e.spec = {entry.at("name"), *type, entry.at("separator"), entry.at("chosen")};
    e.width = entry.at("width");
    e.vocabulary = entry.at("vocabulary").get<std::vector<std::string>>();
    e.mean = entry.at("mean").get<std::vector<double>>();
    e.scale = entry.at("scale").get<std::vector<double>>();
    const bool dense = is_dense(*type);
    require(dense ? e.width >= 2 && e.vocabulary.empty() : e.width == 0, "encoders: ", e.spec.name, ": width ", e.width,
            " does not go with type ", feature_type_name(*type));
    require(e.mean.size() == e.width && e.scale.size() == e.width, "encoders: ", e.spec.name,
            ": mean and scale must have ", e.width, " entries");
    require(std::all_of(e.scale.begin(), e.scale.end(), [](double s) { return s > 0; }), "encoders: ", e.spec.name,
            ": scale must be above 0");
    require(!e.spec.separator.empty(), "encoders: ", e.spec.name, ": empty separator");
    e.build_index();
    encoders.push_back(std::move(e));
  }
  return encoders;
}

}  // namespace

int32_t ColumnEncoder::find(const std::string& word) const {
  if (index) {
    const auto found = index->find(word);
    return found == index->end() ? -1 : found->second;
  }
  const auto found = std::find(vocabulary.begin(), vocabulary.end(), word);
  return found == vocabulary.end() ? -1 : static_cast<int32_t>(found - vocabulary.begin());
}

void ColumnEncoder::build_index() {
  auto positions = std::make_shared<std::unordered_map<std::string, int32_t>>();
  for (size_t i = 0; i < vocabulary.size(); ++i) positions->emplace(vocabulary[i], static_cast<int32_t>(i));
  index = std::move(positions);
}

json encoders_to_json(const Encoders& encoders) {
  json object = {{"format", kFormat}, {"items", to_json(encoders.items)}, {"tasks", to_json(encoders.tasks)}};
  if (!encoders.rows.empty()) object["rows"] = to_json(encoders.rows);
  return object;
}

Encoders encoders_from_json(const json& json) {
  try {
    const int format = json.value("format", 1);
    require(format <= kFormat, "encoders: format ", format, " is newer than this version's ", kFormat);
    Encoders encoders{from_json(json.at("items")), from_json(json.at("tasks")), {}};
    if (json.contains("rows")) encoders.rows = from_json(json.at("rows"));
    for (const auto* list : {&encoders.items, &encoders.tasks, &encoders.rows})
      for (const ColumnEncoder& e : *list)
        require(format >= first_format(e.spec.type), "encoders: ", e.spec.name, ": its entries are those of an older ",
                "version; train the model again");
    return encoders;
  } catch (const nlohmann::json::exception& error) {
    throw InvalidInput(std::string("encoders: not as this version writes them: ") + error.what());
  }
}

}  // namespace fewshop
