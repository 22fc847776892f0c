#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/stack.h"

namespace fewshop {

/// gate.json of a bundle (docs/bundle-format.md); `names` are those of the model's members in order.
nlohmann::json gate_to_json(const Gate& gate, const std::vector<std::string>& names);
/// Throws InvalidInput where the gate names a member that there is none of, or json::exception where keys are missing.
Gate gate_from_json(const nlohmann::json& value, const std::vector<std::string>& names);

}  // namespace fewshop
