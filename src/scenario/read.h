#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// Reads a scenario: a path (with a slash or ending in .toml, or an existing file) or the name of a bundled one.
/// `overrides` ("split.seed=3") are applied to the TOML before it is checked; before them `learner`, where not empty,
/// takes the place of the file's, whose own options then go, too. Every default is filled in and told in
/// Scenario::defaults, apart from what only the tables can say (types of unlisted feature columns, which load_problem
/// adds). Throws InvalidInput with file, line and key. Manual of the format: docs/scenario-file.md.
Scenario read_scenario(const std::string& path_or_name, const std::vector<std::string>& overrides = {},
                       const std::string& learner = {});

/// As read_scenario, from text; `place` begins every message and its stem is the default name.
Scenario parse_scenario(std::string_view text, const std::string& place, const std::vector<std::string>& overrides = {},
                        const std::string& learner = {});

/// Files of the bundled scenarios (resource_folder("scenarios")), sorted by name.
std::vector<std::string> bundled_scenarios();

}  // namespace fewshop
