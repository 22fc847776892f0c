#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "table/record.h"

namespace fewshop::reader {
namespace {

/// RFC 4180 over any separator: a field that begins with a quote ends at the next single one, may hold separators and
/// line ends, and "" in it is one quote. Quotes elsewhere are ordinary characters.
class DelimitedReader : public RecordReader {
 public:
  DelimitedReader(const std::string& path, const FileFormat& format)
      : text_(path, format.encoding), separator_(format.separator), quote_(format.quote) {
    std::string_view line;
    for (int i = 0; i < format.skip; ++i, ++line_)
      if (!text_.next_line(line)) break;
    if (!format.columns.empty()) {
      columns_ = format.columns;
      return;
    }
    Record header;
    require(read(header), path, ": empty, expected a header line");
    require(header.problem.empty(), path, ": header: ", header.problem);
    columns_ = checked_header(header.fields, path);
  }

  const std::vector<std::string>& columns() const override { return columns_; }
  int64_t position() const override { return text_.position(); }

  bool next(Record& record) override {
    if (!read(record)) return false;
    if (record.problem.empty() && record.fields.size() != columns_.size())
      record.problem = fmt::format("expected {} fields, got {}", columns_.size(), record.fields.size());
    check_text(record);
    return true;
  }

 private:
  enum class Outcome { kRecord, kNeedsMore };

  /// The next record that is not an empty line.
  bool read(Record& record) {
    do {
      text_.consume(used_);
      used_ = 0;
      record.problem.clear();
      while (parse(record, false) == Outcome::kNeedsMore) {
        if (text_.fill()) continue;
        if (text_.window().empty()) return false;
        parse(record, true);
        break;
      }
      record.line = line_;
      line_ += std::count(record.raw.begin(), record.raw.end(), '\n') + 1;
    } while (record.raw.empty());
    return true;
  }

  /// Takes one record off the window; with `last`, the window ends where the file does.
  Outcome parse(Record& record, bool last) {
    const std::string_view text = text_.window();
    record.fields.clear();
    size_t at = 0;
    for (;;) {
      if (at == text.size() && !last) return too_long(at) ? whole_line(record, text) : Outcome::kNeedsMore;
      size_t end;
      if (quote_ && at < text.size() && text[at] == quote_) {
        end = closing_quote(text, at, last);
        if (end == kNeedsMore) {
          if (!too_long(text.size())) return Outcome::kNeedsMore;
          end = kUnclosed;
        }
        if (end == kUnclosed) return first_line(record, text, "a quote is opened and never closed");
        record.fields.push_back(unquoted(text.substr(at + 1, end - at - 1), record.fields.size()));
        at = end + 1;
        if (at == text.size() && !last) return Outcome::kNeedsMore;
        if (at < text.size() && text[at] == '\r') {
          if (at + 1 == text.size() && !last) return Outcome::kNeedsMore;
          if (at + 1 < text.size() && text[at + 1] == '\n') return finish(record, text, at, at + 2);
        }
        if (at == text.size()) return finish(record, text, at, at);
        if (text[at] == '\n') return finish(record, text, at, at + 1);
        if (text.size() - at < separator_.size() && !last) return Outcome::kNeedsMore;
        if (!text.substr(at).starts_with(separator_)) {
          const size_t line_end = text.find('\n', at);
          if (line_end == std::string_view::npos && !last) return Outcome::kNeedsMore;
          record.problem = "text after a closing quote";
          const bool found = line_end != std::string_view::npos;
          return finish(record, text, found ? line_end : text.size(), found ? line_end + 1 : text.size());
        }
        at += separator_.size();
        continue;
      }
      end = field_end(text, at);
      if (end == text.size() && !last) return too_long(end) ? whole_line(record, text) : Outcome::kNeedsMore;
      std::string_view field = text.substr(at, end - at);
      const bool line_ends = end == text.size() || text[end] == '\n';
      if (line_ends && field.ends_with('\r')) field.remove_suffix(1);
      record.fields.push_back(field);
      if (line_ends) return finish(record, text, end, std::min(end + 1, text.size()));
      // A separator of several characters may be cut by the window.
      at = end + separator_.size();
    }
  }

  /// Position of the separator, of the line end, or of the end of what there is.
  size_t field_end(std::string_view text, size_t at) const {
    const char first = separator_[0];
    for (;; ++at) {
      while (at < text.size() && text[at] != first && text[at] != '\n') ++at;
      if (at == text.size() || text[at] == '\n') return at;
      if (separator_.size() == 1) return at;
      if (text.size() - at < separator_.size()) return text.size();
      if (text.substr(at).starts_with(separator_)) return at;
    }
  }

  static constexpr size_t kNeedsMore = static_cast<size_t>(-1), kUnclosed = static_cast<size_t>(-2);

  size_t closing_quote(std::string_view text, size_t open, bool last) const {
    for (size_t at = open + 1;;) {
      at = text.find(quote_, at);
      if (at == std::string_view::npos) return last ? kUnclosed : kNeedsMore;
      if (at + 1 == text.size()) return last ? at : kNeedsMore;
      if (text[at + 1] != quote_) return at;
      at += 2;
    }
  }

  std::string_view unquoted(std::string_view inside, size_t field) {
    if (inside.find(quote_) == std::string_view::npos) return inside;
    if (unescaped_.size() <= field) unescaped_.resize(std::max<size_t>(field + 1, columns_.size()));
    std::string& out = unescaped_[field];
    out.clear();
    for (size_t i = 0; i < inside.size(); ++i) {
      out += inside[i];
      if (inside[i] == quote_) ++i;
    }
    return out;
  }

  static bool too_long(size_t size) { return size > kMaxRecordBytes; }

  Outcome finish(Record& record, std::string_view text, size_t end, size_t used) {
    record.raw = text.substr(0, end);
    if (record.raw.ends_with('\r')) record.raw.remove_suffix(1);
    used_ = used;
    return Outcome::kRecord;
  }

  /// Rejects the line that the record begins with and goes on after it: otherwise one lost quote would silently
  /// swallow the rest of the file.
  Outcome first_line(Record& record, std::string_view text, const char* problem) {
    record.problem = problem;
    const size_t end = text.find('\n');
    return end == std::string_view::npos ? finish(record, text, text.size(), text.size())
                                         : finish(record, text, end, end + 1);
  }

  Outcome whole_line(Record& record, std::string_view text) {
    const size_t end = text.find('\n');
    require(end != std::string_view::npos, text_.path(), ":", line_, ": a line is longer than ", kMaxRecordBytes >> 20,
            " MiB; is this a text file?");
    return first_line(record, text, "the record is too long");
  }

  TextSource text_;
  std::string separator_;
  char quote_;
  std::vector<std::string> columns_;
  std::vector<std::string> unescaped_;
  int64_t line_ = 1;
  size_t used_ = 0;
};

/// Tab-separated with a header of "name:type"; type = token, token_seq, float, float_seq.
class RecboleReader : public RecordReader {
 public:
  RecboleReader(const std::string& path, const FileFormat& format) : reader_(path, as_delimited(format)) {
    for (const auto& column : reader_.columns()) {
      const size_t colon = column.rfind(':');
      const std::string name = column.substr(0, colon);
      const std::string type = colon == std::string::npos ? "" : column.substr(colon + 1);
      require(type == "token" || type == "token_seq" || type == "float" || type == "float_seq", path, ": header '",
              column, "': expected name:type with type token, token_seq, float or float_seq (a RecBole file)");
      columns_.push_back(name);
      // RecBole has no type for times; the column that everybody calls so holds seconds.
      types_[name] = type != "float" ? ColumnType::kText : name == "timestamp" ? ColumnType::kTime : ColumnType::kReal;
    }
  }

  const std::vector<std::string>& columns() const override { return columns_; }
  std::map<std::string, ColumnType> types() const override { return types_; }
  bool next(Record& record) override { return reader_.next(record); }
  int64_t position() const override { return reader_.position(); }

 private:
  static FileFormat as_delimited(FileFormat format) {
    format.separator = '\t';
    format.quote = 0;
    format.columns.clear();
    return format;
  }

  DelimitedReader reader_;
  std::vector<std::string> columns_;
  std::map<std::string, ColumnType> types_;
};

}  // namespace

std::unique_ptr<RecordReader> delimited(const std::string& path, const FileFormat& format) {
  return std::make_unique<DelimitedReader>(path, format);
}

std::unique_ptr<RecordReader> recbole(const std::string& path, const FileFormat& format) {
  return std::make_unique<RecboleReader>(path, format);
}

}  // namespace fewshop::reader
