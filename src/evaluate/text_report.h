#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fewshop {

/// A report as aligned text for a terminal: the verdict first, then every method's figures (the primary metric with
/// intervals), the curve over shots, cold and warm items apart, calibration and timing.
/// `object` is what `report` returned, or the object of `compare --json`: {scenario, learners: {name: report}}.
std::string text_report(const nlohmann::json& object);

}  // namespace fewshop
