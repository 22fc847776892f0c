#include "core/toml_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace fewshop {
namespace {

constexpr size_t kLibraryLooksAhead = 128;  // characters
constexpr int kMaxUnderscores = 64;

/// Walks over TOML text far enough to know what is a string, what is a comment and how deep brackets and dots go.
class Guard {
 public:
  Guard(std::string_view text, const std::string& place) : text_(text), place_(place) {}

  void run() {
    while (at_ < text_.size()) step();
  }

 private:
  void step() {
    const char c = text_[at_];
    if (c == '#') return skip_comment();
    if (c == '"' || c == '\'') return skip_string(c);
    check_byte(c);
    check_number(c);
    track_depth(c);
    if (c == '\n') ++line_;
    ++at_;
  }

  void skip_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') check_zero(text_[at_++]);
  }

  void skip_string(char quote) {
    const bool multi = text_.substr(at_).starts_with(std::string(3, quote));
    const std::string end(multi ? 3 : 1, quote);
    at_ += end.size();
    while (at_ < text_.size()) {
      const char c = text_[at_];
      check_zero(c);
      if (text_.substr(at_).starts_with(end)) {
        at_ += end.size();
        // Up to two quotes may stand right before the closing three.
        while (multi && at_ < text_.size() && text_[at_] == quote) ++at_;
        return;
      }
      if (c == '\n' && !multi) return;  // an unclosed string: the parser says so
      if (c == '\n') ++line_;
      at_ += c == '\\' && quote == '"' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n' ? 2 : 1;
    }
  }

  void check_byte(char c) {
    check_zero(c);
    require(static_cast<unsigned char>(c) < 0x80, place_, ":", line_,
            ": a character outside ASCII must stand in quotes (or in a comment); put the key or value in quotes");
  }

  void check_zero(char c) { require(c != '\0', place_, ":", line_, ": a zero byte; is this a text file?"); }

  /// A number or a date begins where a digit follows a separator. What the library takes to be one ends at `ends`:
  /// quotes are no end, so this looks at the text behind them too.
  void check_number(char c) {
    static constexpr std::string_view begins_after = "=[, \t\r\n";
    static constexpr std::string_view ends = " \t\r\n\v\f,]}#";
    if (c < '0' || c > '9' || (at_ > 0 && begins_after.find(text_[at_ - 1]) == std::string_view::npos)) return;
    std::string_view number = text_.substr(at_, kLibraryLooksAhead);
    number = number.substr(0, number.find_first_of(ends));
    require(std::ranges::count(number, '_') < kMaxUnderscores, place_, ":", line_, ": a number with ", kMaxUnderscores,
            " underscores or more");
  }

  void track_depth(char c) {
    if (c == '[' || c == '{') ++depth_;
    if ((c == ']' || c == '}') && depth_ > 0) --depth_;
    require(depth_ <= kMaxTomlDepth, place_, ":", line_, ": brackets nested deeper than ", kMaxTomlDepth, " levels");
    if (c == '.')
      ++dots_;
    else if (c == '\n' || c == '=' || c == ',' || c == '[' || c == ']' || c == '{' || c == '}')
      dots_ = 0;
    require(dots_ <= kMaxTomlDepth, place_, ":", line_, ": a dotted key with more than ", kMaxTomlDepth, " parts");
  }

  std::string_view text_;
  const std::string& place_;
  size_t at_ = 0;
  int line_ = 1, depth_ = 0, dots_ = 0;
};

}  // namespace

void check_toml_text(std::string_view text, const std::string& place) {
  require(text.size() <= kMaxTomlBytes, place, ": ", text.size(), " bytes; a file of this kind has at most ",
          kMaxTomlBytes, " bytes");
  Guard(text, place).run();
}

}  // namespace fewshop
