#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fewshop {

/// A report as one HTML page: styles and plots inline, no scripts, nothing loaded from elsewhere; light and dark. The
/// verdict comes first, in words for readers who are no specialists; then the curve over shots, paired differences,
/// cold and warm items, calibration, and every figure as a table.
/// `object` is what `report` returned, or the object of `compare --json`; `title` is the scenario's title.
std::string html_report(const nlohmann::json& object, const std::string& title);

}  // namespace fewshop
