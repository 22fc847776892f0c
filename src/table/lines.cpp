// Readers of files whose records are lines: blanks, fixed width, lines of items.
#include <fmt/format.h>

#include "core/error.h"
#include "table/record.h"

namespace fewshop::reader {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Takes the next word off the front of `text`; "" at the end.
std::string_view take_word(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  size_t end = 0;
  while (end < text.size() && !is_blank(text[end])) ++end;
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

/// Length in bytes of the first `characters` characters of UTF-8 text.
size_t prefix_bytes(std::string_view text, int characters) {
  size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
  }
  return at;
}

/// What the readers of lines share: lines, their numbers, and a header where no columns are declared.
class LineReader : public RecordReader {
 public:
  LineReader(const std::string& path, const FileFormat& format) : text_(path, format.encoding) {
    for (int i = 0; i < format.skip && next_line(); ++i) {
    }
    columns_ = format.columns;
  }

  const std::vector<std::string>& columns() const override { return columns_; }
  int64_t position() const override { return text_.position(); }

 protected:
  bool next_line() {
    ++line_;
    return text_.next_line(raw_);
  }

  bool next_line_with_text() {
    while (next_line())
      if (!trimmed(raw_).empty()) return true;
    return false;
  }

  void begin(Record& record) const {
    record.fields.clear();
    record.problem.clear();
    record.line = line_;
    record.raw = raw_;
  }

  TextSource text_;
  std::vector<std::string> columns_;
  std::string_view raw_;
  int64_t line_ = 0;
};

class BlanksReader : public LineReader {
 public:
  BlanksReader(const std::string& path, const FileFormat& format) : LineReader(path, format) {
    if (!columns_.empty()) return;
    require(next_line_with_text(), path, ": empty, expected a header line");
    std::vector<std::string_view> names;
    for (std::string_view rest = raw_, word = take_word(rest); !word.empty(); word = take_word(rest))
      names.push_back(word);
    columns_ = checked_header(names, path);
  }

  bool next(Record& record) override {
    if (!next_line_with_text()) return false;
    begin(record);
    for (std::string_view rest = raw_, word = take_word(rest); !word.empty(); word = take_word(rest))
      record.fields.push_back(word);
    if (record.fields.size() != columns_.size())
      record.problem = fmt::format("expected {} fields, got {}", columns_.size(), record.fields.size());
    check_text(record);
    return true;
  }
};

class FixedReader : public LineReader {
 public:
  FixedReader(const std::string& path, const FileFormat& format) : LineReader(path, format), widths_(format.widths) {
    if (!columns_.empty()) return;
    require(next_line_with_text(), path, ": empty, expected a header line");
    Record header;
    cut(header);
    columns_ = checked_header(header.fields, path);
  }

  bool next(Record& record) override {
    if (!next_line_with_text()) return false;
    cut(record);
    check_text(record);
    return true;
  }

 private:
  void cut(Record& record) {
    begin(record);
    std::string_view rest = raw_;
    for (const int width : widths_) {
      const size_t bytes = prefix_bytes(rest, width);
      record.fields.push_back(trimmed(rest.substr(0, bytes)));
      rest.remove_prefix(bytes);
    }
    if (record.fields.back().empty() && trimmed(raw_).size() == 0) record.problem = "an empty line";
    if (!trimmed(rest).empty()) record.problem = "the line is longer than its columns";
  }

  std::vector<int> widths_;
};

/// "a b c" becomes (line 1, a, 0), (line 1, b, 1), (line 1, c, 2).
class ItemsReader : public LineReader {
 public:
  ItemsReader(const std::string& path, const FileFormat& format)
      : LineReader(path, format), separator_(format.separator), line_first_(format.line_first) {
    columns_ = {format.line, format.item, format.position};
  }

  bool next(Record& record) override {
    std::string_view item;
    while (!take_item(item)) {
      if (!next_line()) return false;
      begin(checked_);
      check_text(checked_);
      rest_ = raw_;
      item_ = 0;
      name_ = fmt::format("{}", line_);
      if (!checked_.problem.empty()) {  // one reject for the whole line
        rest_ = {};
        begin(record);
        record.problem = checked_.problem;
        return true;
      }
      if (line_first_ && take_item(item)) name_ = item;
    }
    begin(record);
    position_ = fmt::format("{}", item_++);
    record.fields = {name_, item, position_};
    return true;
  }

 private:
  bool take_item(std::string_view& item) {
    if (separator_.empty()) {
      item = take_word(rest_);
      return !item.empty();
    }
    while (!rest_.empty()) {
      const size_t end = rest_.find(separator_);
      item = trimmed(rest_.substr(0, end));
      rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + separator_.size());
      if (!item.empty()) return true;
    }
    return false;
  }

  std::string separator_, name_, position_;
  bool line_first_;
  Record checked_;
  std::string_view rest_;
  int64_t item_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> blanks(const std::string& path, const FileFormat& format) {
  return std::make_unique<BlanksReader>(path, format);
}
std::unique_ptr<RecordReader> fixed(const std::string& path, const FileFormat& format) {
  return std::make_unique<FixedReader>(path, format);
}
std::unique_ptr<RecordReader> items(const std::string& path, const FileFormat& format) {
  return std::make_unique<ItemsReader>(path, format);
}

}  // namespace fewshop::reader
