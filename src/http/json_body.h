#pragma once

#include <nlohmann/json.hpp>

#include "http/route.h"

namespace fewshop::http {

/// Reads a JSON body; HttpError 400 for what is none, or is nested deeper than any question is: values are copied and
/// written by functions that call themselves.
nlohmann::json parse_body(const Request& request);
/// The same; 400 also for what is none of the type.
nlohmann::json read_body(const Request& request, nlohmann::json::value_t type);

}  // namespace fewshop::http
