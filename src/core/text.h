#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fewshop {

/// The parts of a list such as "a,b,c"; empty ones are left out.
std::vector<std::string> split_list(std::string_view text, char separator);

}  // namespace fewshop
