#include "http/authorize.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
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

/// The scenario that each question of a body names; "" = none. Nothing for a body that the route refuses.
std::vector<std::string> named_in_body(const Request& request) {
  nlohmann::json body;
  try {
    body = parse_body(request);
  } catch (const HttpError&) {
    return {};
  }
  const auto named = [](const nlohmann::json& question) {
    if (!question.is_object()) return std::string();
    const auto scenario = question.find("scenario");
    return scenario != question.end() && scenario->is_string() ? scenario->get<std::string>() : std::string();
  };
  if (!body.is_array()) return {named(body)};
  std::vector<std::string> names;
  for (const auto& question : body) names.push_back(named(question));
  return names;
}

}  // namespace

bool is_loopback(const std::string& host) {
  constexpr std::string_view kName = "localhost";
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (std::equal(host.begin(), host.end(), kName.begin(), kName.end(), same)) return true;
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
  if (origin.empty()) {
    // A page's images and links have no Origin; browsers say where they come from all the same.
    if (request.header("sec-fetch-site") == "cross-site") refuse("the request comes from a page of another site");
    return;
  }
  const size_t begin = origin.find("://");
  if (begin != std::string_view::npos && is_loopback(without_port(origin.substr(begin + 3)))) return;
  for (const auto& allowed : options_.origins)
    if (allowed == "*" || allowed == origin) return;
  refuse("the request comes from a page of another site");
}

void Authorizer::check_scenarios(const Request& request, const Route& route) const {
  std::vector<std::string> names;
  switch (route.scenario) {
    case ScenarioFrom::kUnsaid:
    case ScenarioFrom::kNone:
      return;
    case ScenarioFrom::kAny:
      throw HttpError(403, "forbidden", "the key is limited to scenarios; this needs one that is not");
    case ScenarioFrom::kPath: {
      const auto found = request.parameters.find("scenario");
      names.push_back(found != request.parameters.end() ? found->second : request.parameter("name"));
      break;
    }
    case ScenarioFrom::kQuery:
      names.push_back(request.query_value("scenario").value_or(""));
      break;
    case ScenarioFrom::kBody:
      names = named_in_body(request);
      break;
  }
  for (std::string& name : names) {
    if (name.empty() && options_.default_scenario) {
      const auto by_default = options_.default_scenario();
      if (!by_default)
        throw HttpError(
            403, "forbidden",
            fmt::format("the request names no scenario; the key has {}", fmt::join(request.scenarios, ", ")));
      name = *by_default;
    }
    // No name: no model is live, and none answers.
    if (!name.empty() && !request.may_use(name))
      throw HttpError(403, "forbidden",
                      fmt::format("the key may not use this scenario; it has {}", fmt::join(request.scenarios, ", ")));
  }
}

void Authorizer::operator()(Request& request, const Route* route) const {
  if (!route || route->scope.empty() || request.local_admin) return;
  if (open()) {
    check_site(request);
    return;
  }
  const std::string secret = credential_of(request);
  if (secret.empty()) throw HttpError(401, "unauthorized", "a key is needed: header X-API-Key");
  std::vector<std::string_view> actions = {route->scope};
  if (route->stores && route->stores(request)) actions.emplace_back("events:write");
  const auto checked = keys_.check(secret, actions, options_.now(), steady_seconds());
  switch (checked.verdict) {
    case KeyRing::Verdict::kGranted:
      break;
    case KeyRing::Verdict::kUnknown:
      throw HttpError(401, "unauthorized", "no such key, or it has been revoked");
    case KeyRing::Verdict::kExpired:
      throw HttpError(401, "unauthorized", "the key has expired");
    case KeyRing::Verdict::kNotAllowed:
      throw HttpError(403, "forbidden", fmt::format("the key does not allow {}", fmt::join(actions, " and ")));
    case KeyRing::Verdict::kTooFast: {
      HttpError error(429, "too_fast", "the key's rate of requests is used up");
      error.retry_after = checked.retry_after;
      throw error;
    }
  }
  request.scenarios = checked.scenarios;
  if (!request.scenarios.empty()) check_scenarios(request, *route);
}

}  // namespace fewshop::http
