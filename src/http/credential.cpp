#include "http/credential.h"

#include <simdjson.h>

#include <array>
#include <boost/beast/core/string.hpp>

namespace fewshop::http {
namespace {

constexpr size_t kMostBodyWithKey = 1 << 20;

/// RFC 4648 section 4, padding optional; "" for what is none.
std::string from_base64(std::string_view text) {
  static const auto kValues = [] {
    std::array<int8_t, 256> values{};
    values.fill(-1);
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < kDigits.size(); ++i) values[static_cast<unsigned char>(kDigits[i])] = static_cast<int8_t>(i);
    return values;
  }();
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  unsigned bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return {};
    bits = bits << 6 | static_cast<unsigned>(value);
    held += 6;
    if (held >= 8) bytes += static_cast<char>(bits >> (held -= 8) & 255);
  }
  return bytes;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// The text after a scheme's name, which is of any case; "" where the header has another scheme.
std::string_view after_scheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ') return {};
  if (!boost::beast::iequals(header.substr(0, scheme.size()), scheme)) return {};
  return trimmed(header.substr(scheme.size()));
}

std::string write_key_of(const std::string& body) {
  // Before the key is known, no more is read than a client of Segment sends (500 KB): others have a header for the key.
  if (body.size() > kMostBodyWithKey) return {};
  // What is no JSON is for the route to refuse.
  simdjson::ondemand::parser parser;
  const simdjson::padded_string text(body);
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  std::string_view key;
  if (parser.iterate(text).get(document) || document.get_object().get(object)) return {};
  if (object.find_field_unordered("writeKey").get_string().get(key)) return {};
  return std::string(key);
}

}  // namespace

std::string credential_of(const Request& request) {
  if (const auto key = trimmed(request.header("x-api-key")); !key.empty()) return std::string(key);
  const auto authorization = trimmed(request.header("authorization"));
  if (const auto basic = after_scheme(authorization, "Basic"); !basic.empty()) {
    const std::string pair = from_base64(basic);
    if (const auto name = pair.substr(0, pair.find(':')); !name.empty()) return name;
  }
  if (const auto bearer = after_scheme(authorization, "Bearer"); !bearer.empty()) return std::string(bearer);
  if (const auto secret = request.query_value("api_secret"); secret && !secret->empty()) return *secret;
  if (request.method == Method::kPost && request.path.starts_with("/v1/")) return write_key_of(request.body);
  return {};
}

}  // namespace fewshop::http
