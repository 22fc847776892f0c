#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "http/router.h"

namespace fewshop::http {

/// The OpenAPI 3.1 document of the routes: parameters of path and query, bodies, answers, the one shape of errors,
/// security (header X-API-Key, the key as Basic user name or Bearer, ?api_secret=). The scope that a key needs stands
/// in "x-scope" and in the description; a route without one is open. Schemas that routes refer to were given to
/// Router::define.
nlohmann::json openapi(const Router& router, const std::string& version);

/// GET /apidocs.json, the document, and GET /apidocs, a page that shows it and sends requests by hand; it needs nothing
/// from elsewhere. The document is made at the first request, of all routes there are by then.
void add_apidocs_routes(Router& router, const std::string& version);

/// The page. It reads "apidocs.json" beside it.
std::string_view apidocs_page();

}  // namespace fewshop::http
