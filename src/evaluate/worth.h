#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fewshop {

/// One sentence for a newcomer: what adapting is worth in the first split of a report, and from how many events on.
///
///   "From 3 events on, adapting is better than als by 0.0125 mae (0.0044 to 0.0206); below that, item-mean is served."
///   "Adapting is not shown to be better than als at any number of events; als is served."
///
/// Numbers of events that fewer than ten test tasks have are left out. Better means that the whole 95 % interval of the
/// paired difference is in favour of what is served, against the baseline that does best at that very number of events.
std::string adapting_worth(const nlohmann::json& report);

}  // namespace fewshop
