#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "nn/network_input.h"

namespace fewshop::learning {

/// Fields of a network's input as JSON, for files, and back. Throws InvalidInput for sizes that cannot be.
inline nlohmann::json fields_to_json(const std::vector<nn::Field>& fields) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& f : fields)
    list.push_back(
        {{"name", f.name}, {"kind", static_cast<int>(f.kind)}, {"width", f.width}, {"vocabulary", f.vocabulary}});
  return list;
}

inline std::vector<nn::Field> fields_from_json(const nlohmann::json& list) {
  std::vector<nn::Field> fields;
  for (const auto& f : list) {
    const int kind = f.at("kind").get<int>();
    require(kind >= 0 && kind <= static_cast<int>(nn::Field::Kind::kSequence), "fields: ", kind,
            " is no kind of field");
    fields.push_back({f.at("name").get<std::string>(), static_cast<nn::Field::Kind>(kind), f.at("width").get<int64_t>(),
                      f.at("vocabulary").get<int64_t>()});
    require(fields.back().width >= 0 && fields.back().vocabulary >= 0, "fields: ", fields.back().name,
            " has a negative size");
  }
  return fields;
}

}  // namespace fewshop::learning
