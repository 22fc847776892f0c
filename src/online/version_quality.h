#pragma once

#include <map>
#include <string>

namespace fewshop {

/// What the evaluation at the end of a training found on held-out tasks: by split ("test"), by metric, of what is
/// served.
using Quality = std::map<std::string, std::map<std::string, double>>;

/// Reads it of a bundle's folder; empty where its report says nothing, or cannot be read.
Quality version_quality(const std::string& folder);

}  // namespace fewshop
