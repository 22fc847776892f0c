#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fewshop {

/// The parts of a list such as "a,b,c"; empty ones are left out.
std::vector<std::string> split_list(std::string_view text, char separator);

/// With small letters for A to Z; other bytes as they are.
std::string ascii_lower(std::string_view text);

}  // namespace fewshop
