#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fewshop {

inline constexpr size_t kMaxWords = 500;

/// The different words of a text in any language, in order, the first kMaxWords of them: pieces between Unicode word
/// breaks (Chinese, Japanese, Thai ... by ICU's dictionaries) that hold a letter, a digit or an emoji, each folded so
/// that case and form of writing do not matter (NFKC case folding: "Straße" = "STRASSE", full-width = plain letters).
/// Bytes that are no UTF-8 separate words.
std::vector<std::string> text_words(std::string_view text);

/// The text with every byte that is no UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace fewshop
