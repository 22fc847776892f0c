#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "scenario/scenario.h"

namespace fewshop {

/// "rating", "ranking", "binary", "multiclass", "regression", "count", "ordinal".
const char* problem_name(Problem problem);
std::optional<Problem> problem_from_name(std::string_view name);
/// All of them, for messages.
std::string problem_names();

/// "id", "number", "log-number", "category", "categories", "text", "time", "vector", "sequence".
const char* feature_type_name(FeatureType type);
std::optional<FeatureType> feature_type_from_name(std::string_view name);
/// All of them, for messages.
std::string feature_type_names();

/// A shot as it stands in a file: 5 or "80%". Nothing for anything else.
std::optional<Shot> parse_shot(const nlohmann::json& value);

}  // namespace fewshop
