#pragma once

#include <functional>
#include <string>

#include "http/router.h"

namespace fewshop::http {

/// GET /api/health/live answers 200 while the process serves. GET /api/health/ready answers 200 where `not_ready`
/// returns
/// "", else 503 with what it returned: a reason without ids or paths, since the routes are open to everybody.
/// `not_ready` runs on an I/O thread and must not block.
void add_health_routes(Router& router, std::function<std::string()> not_ready);

}  // namespace fewshop::http
