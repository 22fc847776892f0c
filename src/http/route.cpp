#include "http/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace fewshop::http {

std::optional<std::string> Request::query_value(std::string_view name) const {
  if (asked) asked("query", name);
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return std::nullopt;
}

int64_t Request::query_number(std::string_view name, int64_t otherwise, int64_t low, int64_t high) const {
  const auto text = query_value(name);
  if (!text) return otherwise;
  int64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || rest != end || value < low || value > high)
    throw HttpError(400, "invalid_parameter", fmt::format("{} is a whole number from {} to {}", name, low, high));
  return value;
}

bool Request::query_flag(std::string_view name) const {
  const auto text = query_value(name);
  return text && (text->empty() || *text == "true" || *text == "1");
}

std::vector<std::string> Request::query_values(std::string_view name) const {
  if (asked) asked("query", name);
  std::vector<std::string> values;
  for (const auto& [key, value] : query)
    if (key == name) values.push_back(value);
  return values;
}

bool Request::has_query(std::string_view name) const { return query_value(name).has_value(); }

bool Request::may_use(const std::string& scenario) const {
  return scenarios.empty() || std::find(scenarios.begin(), scenarios.end(), scenario) != scenarios.end();
}

std::string_view Request::header(std::string_view name) const {
  if (asked) asked("header", name);
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

Response Response::json(const nlohmann::json& value, int status) {
  // Bytes that are not UTF-8 are replaced: an answer that cannot be written helps nobody.
  return {.status = status, .body = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

Response Response::error(const HttpError& error, const std::string& request_id) {
  Response response =
      json({{"error", {{"code", error.code}, {"message", error.what()}, {"request_id", request_id}}}}, error.status);
  // RFC 9110 15.5.2 wants one; "Basic" would make browsers ask for a password.
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"fewshop\"");
  if (error.retry_after > 0) response.headers.emplace_back("Retry-After", std::to_string(error.retry_after));
  return response;
}

}  // namespace fewshop::http
