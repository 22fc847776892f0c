#include "http/url.h"

#include <algorithm>

#include "http/route.h"

namespace fewshop::http {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw HttpError(400, "invalid_url", why); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Target split_target(std::string_view target) {
  if (!target.starts_with('/') && target != "*") {
    const size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) refuse("the path of a request begins with /");
    const size_t path = target.find_first_of("/?", scheme + 3);
    if (path == std::string_view::npos) return {"/", ""};
    target.remove_prefix(path);
    if (target.front() == '?') return {"/", target.substr(1)};
  }
  if (target.find('#') != std::string_view::npos) refuse("a fragment (#...) is not part of a request");
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return {target, ""};
  return {target.substr(0, question), target.substr(question + 1)};
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0) refuse("% is followed by two hexadecimal digits; a percent sign itself is written %25");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') refuse("the address contains a NUL character");
    out.push_back(c);
  }
  if (!is_utf8(out)) refuse("the address is not UTF-8");
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  constexpr size_t kMost = 1000;
  std::vector<std::pair<std::string, std::string>> out;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    if (out.size() == kMost) refuse("more than 1000 parameters");
    const size_t equals = pair.find('=');
    out.emplace_back(percent_decode(pair.substr(0, equals), true),
                     equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1), true));
  }
  return out;
}

std::vector<std::string> path_segments(std::string_view path) {
  std::vector<std::string> out;
  if (!path.starts_with('/')) return out;
  path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return out;
  for (;;) {
    const size_t end = path.find('/');
    out.push_back(percent_decode(path.substr(0, end)));
    if (end == std::string_view::npos) return out;
    path.remove_prefix(end + 1);
  }
}

std::string percent_encode(std::string_view text) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

bool is_utf8(std::string_view text) noexcept {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  for (size_t i = 0; i < text.size();) {
    const unsigned c = byte(i);
    if (c < 0x80) {
      i += 1;
    } else if (c >= 0xC2 && c <= 0xDF && follows(i + 1)) {
      i += 2;
    } else if (c >= 0xE0 && c <= 0xEF && follows(i + 1, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF) &&
               follows(i + 2)) {
      i += 3;
    } else if (c >= 0xF0 && c <= 0xF4 && follows(i + 1, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF) &&
               follows(i + 2) && follows(i + 3)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace fewshop::http
