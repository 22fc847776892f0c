#pragma once

#include "core/toml_document.h"
#include "scenario/scenario.h"

namespace fewshop {

/// Reads [split] of a scenario file into `scenario`, whose [rows] have been read. Throws InvalidInput with file, line
/// and key.
void read_split(const TomlDocument& document, Scenario& scenario);

}  // namespace fewshop
