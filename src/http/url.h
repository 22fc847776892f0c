#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewshop::http {

/// Reading of request targets. All functions throw HttpError 400 "invalid_url" for a bad percent escape, a NUL
/// character and text that is not UTF-8: what is let in here would end up in SQL, logs and JSON.

/// A target cut at its "?", neither part decoded. "http://host/path", as sent to proxies, counts from its path.
struct Target {
  std::string_view path, query;
};
Target split_target(std::string_view target);

/// "a%20b" to "a b"; with `plus_is_space`, as in queries, "a+b" too.
std::string percent_decode(std::string_view text, bool plus_is_space = false);

/// "a=1&b&a=2" to pairs in order; a name without "=" has an empty value. At most 1,000 pairs.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

/// The segments of a path, decoded after the cut, so that "%2F" stands inside a segment: "/a/b%2Fc/" to "a", "b/c". One
/// slash at the end is ignored; "/" has no segments.
std::vector<std::string> path_segments(std::string_view path);

/// The other direction: everything but letters, digits and "-._~" becomes an escape.
std::string percent_encode(std::string_view text);

/// Whether this is well-formed UTF-8 (no surrogates, nothing overlong, nothing above U+10FFFF).
bool is_utf8(std::string_view text) noexcept;

}  // namespace fewshop::http
