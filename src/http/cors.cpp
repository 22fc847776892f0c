#include "http/cors.h"

#include <algorithm>

namespace fewshop::http {

bool Cors::any() const { return std::find(origins_.begin(), origins_.end(), "*") != origins_.end(); }

bool Cors::allows(std::string_view origin) const {
  return !origin.empty() && (any() || std::find(origins_.begin(), origins_.end(), origin) != origins_.end());
}

void Cors::mark(const Request& request, Response& response) const {
  if (origins_.empty()) return;
  // Caches between keep answers of different origins apart, also those of requests that named none.
  if (!any()) response.headers.emplace_back("Vary", "Origin");
  const std::string_view origin = request.header("origin");
  if (!allows(origin)) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", any() ? "*" : std::string(origin));
  response.headers.emplace_back(
      "Access-Control-Expose-Headers",
      "X-Request-ID, X-Recommendation-Id, X-Model-Version, X-Served, X-Next-Cursor, Retry-After");
}

void Cors::preflight(const Request& request, const std::string& methods, Response& response) const {
  if (!allows(request.header("origin"))) return;
  response.headers.emplace_back("Access-Control-Allow-Methods", methods);
  response.headers.emplace_back(
      "Access-Control-Allow-Headers",
      "Authorization, Content-Encoding, Content-Type, X-API-Key, X-API-Version, X-Request-ID");
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
}

}  // namespace fewshop::http
