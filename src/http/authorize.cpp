#include "http/authorize.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "http/credential.h"
#include "http/json_body.h"

namespace fewshop::http {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// "shop.example:8087", "[::1]:8087" without the port.
std::string without_port(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

/// The scenario that a value names; "" = none.
std::string named_in(const nlohmann::json& value) {
  if (!value.is_object()) return {};
  const auto scenario = value.find("scenario");
  return scenario != value.end() && scenario->is_string() ? scenario->get<std::string>() : std::string();
}

}  // namespace

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4 = {};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6 = {};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

void Authorizer::check_site(const Request& request) const {
  const auto refuse = [](const char* what) {
    throw HttpError(
        403, "key_needed",
        fmt::format("{}; without a key only this machine may ask: make one with `fewshop key create`", what));
  };
  const auto host = request.header("host");
  if (!host.empty() && !is_loopback(without_port(host))) refuse("the request is addressed to another host");
  const auto origin = request.header("origin");
  if (origin.empty()) return;
  const size_t begin = origin.find("://");
  if (begin != std::string_view::npos && is_loopback(without_port(origin.substr(begin + 3)))) return;
  for (const auto& allowed : options_.origins)
    if (allowed == "*" || allowed == origin) return;
  refuse("the request comes from a page of another site");
}

void Authorizer::check_scenarios(const Request& request, const Route& route,
                                 const std::vector<std::string>& allowed) const {
  std::vector<std::string> names;
  const auto parameter = [&](const char* name) {
    if (const auto found = request.parameters.find(name); found != request.parameters.end())
      names.push_back(found->second);
  };
  parameter("scenario");
  if (route.path.starts_with("/api/scenarios/")) parameter("name");
  if (const auto query = request.query_value("scenario")) names.push_back(*query);
  if (!request.body.empty()) {
    nlohmann::json body;
    try {
      body = parse_body(request);
    } catch (const HttpError&) {
      // The route refuses it.
    }
    // A batch names scenarios question by question (the query is not asked there); other bodies at their top.
    const bool batch = route.path == "/api/recommend";
    if (const auto name = named_in(body); !name.empty() || (batch && body.is_object())) names.push_back(name);
    if (batch && body.is_array())
      for (const auto& question : body) names.push_back(named_in(question));
  }
  if (names.empty()) {
    if (route.scope == "models" && route.method != Method::kGet)
      throw HttpError(403, "forbidden", "the key is limited to scenarios; name the one that this is about");
    names.emplace_back();
  }
  for (std::string& name : names) {
    if (name.empty()) name = options_.default_scenario ? options_.default_scenario() : "";
    if (!name.empty() && std::find(allowed.begin(), allowed.end(), name) == allowed.end())
      throw HttpError(403, "forbidden",
                      fmt::format("the key may not use this scenario; it has {}", fmt::join(allowed, ", ")));
  }
}

void Authorizer::operator()(const Request& request, const Route* route) const {
  if (!route || route->scope.empty() || request.local_admin) return;
  if (open()) {
    check_site(request);
    return;
  }
  const std::string secret = credential_of(request);
  if (secret.empty()) throw HttpError(401, "unauthorized", "a key is needed: header X-API-Key");
  const auto checked = keys_.check(secret, route->scope, options_.now(), steady_seconds());
  switch (checked.verdict) {
    case KeyRing::Verdict::kGranted:
      break;
    case KeyRing::Verdict::kUnknown:
      throw HttpError(401, "unauthorized", "no such key, or it has been revoked");
    case KeyRing::Verdict::kExpired:
      throw HttpError(401, "unauthorized", "the key has expired");
    case KeyRing::Verdict::kNotAllowed:
      throw HttpError(403, "forbidden", fmt::format("the key does not allow {}", route->scope));
    case KeyRing::Verdict::kTooFast: {
      HttpError error(429, "too_fast", "the key's rate of requests is used up");
      error.retry_after = checked.retry_after;
      throw error;
    }
  }
  // What the scenarios of a key limit: answers of models, and models themselves.
  const bool of_scenarios = route->scope == "recommend" || route->scope == "models";
  if (!checked.scenarios.empty() && of_scenarios) check_scenarios(request, *route, checked.scenarios);
}

}  // namespace fewshop::http
