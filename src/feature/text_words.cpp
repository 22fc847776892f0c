#include "feature/text_words.h"

#include <unicode/brkiter.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "core/error.h"

namespace fewshop {
namespace {

/// Bytes of the UTF-8 character at the front; 0 when there is none (overlong forms and surrogates included).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0)) return 0;
  if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90)) return 0;
  return length;
}

void check(UErrorCode status, const char* what) {
  if (U_FAILURE(status)) throw Failure(std::string("ICU: ") + what + ": " + u_errorName(status));
}

/// Made when a thread meets its first text: its rules cost more than most words.
icu::BreakIterator& word_breaks() {
  thread_local const std::unique_ptr<icu::BreakIterator> breaks = [] {
    UErrorCode status = U_ZERO_ERROR;
    std::unique_ptr<icu::BreakIterator> made(icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
    check(status, "no rules for word breaks (is its data installed?)");
    return made;
  }();
  return *breaks;
}

const icu::Normalizer2& folding() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* found = icu::Normalizer2::getNFKCCasefoldInstance(status);
  check(status, "no case folding");
  return *found;
}

/// Emoji carry much of a short review, but are no words to ICU. The signs (c), (R) and TM are emoji to ICU, but not
/// here.
bool has_emoji(std::string_view piece) {
  for (int32_t at = 0; at < static_cast<int32_t>(piece.size());) {
    UChar32 c = 0;
    U8_NEXT(piece.data(), at, static_cast<int32_t>(piece.size()), c);
    if (c == 0xa9 || c == 0xae || c == 0x2122) continue;
    if (u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC) || u_hasBinaryProperty(c, UCHAR_REGIONAL_INDICATOR))
      return true;
  }
  return false;
}

std::string folded(std::string_view word) {
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(word.size()));
  UErrorCode status = U_ZERO_ERROR;
  folding().normalizeUTF8(0, icu::StringPiece(word.data(), static_cast<int32_t>(word.size())), sink, nullptr, status);
  check(status, "a word cannot be folded");
  return out;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length)
      valid += text.substr(0, length);
    else
      valid += "\xef\xbf\xbd";
    text.remove_prefix(std::max<size_t>(1, length));
  }
  return valid;
}

std::vector<std::string> text_words(std::string_view text) {
  const std::string valid = valid_utf8(text);
  icu::BreakIterator& breaks = word_breaks();
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UText, decltype(&utext_close)> opened(
      utext_openUTF8(nullptr, valid.data(), static_cast<int64_t>(valid.size()), &status), utext_close);
  check(status, "a text cannot be read");
  breaks.setText(opened.get(), status);
  check(status, "a text cannot be broken into words");
  std::vector<std::string> words;
  std::unordered_set<std::string> seen;
  for (int32_t begin = breaks.first(), end; words.size() < kMaxWords; begin = end) {
    end = breaks.next();
    if (end == icu::BreakIterator::DONE) break;
    const std::string_view piece = std::string_view(valid).substr(begin, end - begin);
    if (breaks.getRuleStatus() < UBRK_WORD_NONE_LIMIT && !has_emoji(piece)) continue;
    std::string word = folded(piece);
    if (!word.empty() && seen.insert(word).second) words.push_back(std::move(word));
  }
  return words;
}

}  // namespace fewshop
