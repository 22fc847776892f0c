// Readers of JSON lines and of JSON documents.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <unordered_map>

#include "core/error.h"
#include "table/record.h"

namespace fewshop::reader {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// What joins the values of a list ("a|b|c"), as in the categories of MovieLens.
constexpr char kListSeparator = '|';

/// A value as field text: numbers in their shortest form, lists of plain values joined, other structures as JSON.
void append_text(const element& value, std::string& out) {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return;
    case element_type::STRING:
      out += std::string_view(value);
      return;
    case element_type::BOOL:
      out += bool(value) ? "true" : "false";
      return;
    case element_type::INT64:
      out += fmt::format("{}", int64_t(value));
      return;
    case element_type::UINT64:
      out += fmt::format("{}", uint64_t(value));
      return;
    case element_type::DOUBLE:
      out += fmt::format("{}", double(value));
      return;
    case element_type::ARRAY: {
      const simdjson::dom::array array = value;
      const bool plain = std::all_of(array.begin(), array.end(), [](const element& item) {
        return item.type() != element_type::ARRAY && item.type() != element_type::OBJECT;
      });
      if (!plain) break;
      bool first = true;
      for (const element item : array) {
        if (!first) out += kListSeparator;
        append_text(item, out);
        first = false;
      }
      return;
    }
    case element_type::OBJECT:
      break;
  }
  out += simdjson::minify(value);
}

/// The value at "a.b.c"; nothing where the way ends before.
bool find_path(element value, std::string_view path, element& found) {
  while (!path.empty()) {
    simdjson::dom::object object;
    if (value.get(object)) return false;
    // A key may hold dots itself: the whole rest first.
    element whole;
    if (!object.at_key(path).get(whole)) {
      value = whole;
      break;
    }
    const size_t dot = path.find('.');
    if (dot == std::string_view::npos || object.at_key(path.substr(0, dot)).get(value)) return false;
    path.remove_prefix(dot + 1);
  }
  found = value;
  return true;
}

/// Turns one JSON value into the fields of a record.
class FieldReader {
 public:
  explicit FieldReader(std::vector<std::string> columns) : columns_(std::move(columns)), texts_(columns_.size()) {}

  void read(const element& value, Record& record) {
    record.fields.clear();
    if (value.is_array())
      read_list(value, record);
    else if (value.is_object())
      read_object(value, record);
    else if (columns_.size() == 1)
      set(0, value, record);
    else
      record.problem = "expected a JSON object or list, got a single value";
  }

 private:
  void read_object(const element& object, Record& record) {
    for (size_t c = 0; c < columns_.size(); ++c) {
      texts_[c].clear();
      element value;
      if (find_path(object, columns_[c], value)) append_text(value, texts_[c]);
      push(c, record);
    }
  }

  void read_list(const element& list, Record& record) {
    if (columns_.size() == 1) return set(0, list, record);
    const simdjson::dom::array array = list;
    if (array.size() != columns_.size()) {
      record.problem = fmt::format("expected {} values, got {}", columns_.size(), array.size());
      return;
    }
    size_t c = 0;
    for (const element value : array) set(c++, value, record);
  }

  void set(size_t c, const element& value, Record& record) {
    texts_[c].clear();
    append_text(value, texts_[c]);
    push(c, record);
  }

  void push(size_t c, Record& record) {
    if (texts_[c].find('\0') != std::string::npos) record.problem = "holds a zero byte";
    record.fields.push_back(texts_[c]);
  }

  std::vector<std::string> columns_;
  std::vector<std::string> texts_;
};

std::string parse_problem(simdjson::error_code error) {
  return fmt::format("not JSON: {}", simdjson::error_message(error));
}

/// The keys of objects in the order in which they first occur.
class KeyList {
 public:
  void add(const element& value) {
    simdjson::dom::object object;
    if (value.get(object)) return;
    for (const auto& field : object)
      if (known_.emplace(field.key, 0).second) keys_.emplace_back(field.key);
  }
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  std::unordered_map<std::string, int> known_;
  std::vector<std::string> keys_;
};

class JsonLinesReader : public RecordReader {
 public:
  JsonLinesReader(const std::string& path, const FileFormat& format)
      : text_(path, format.encoding),
        columns_(format.columns.empty() ? keys(path, format) : format.columns),
        fields_(columns_) {
    skip(format.skip);
  }

  const std::vector<std::string>& columns() const override { return columns_; }
  int64_t position() const override { return text_.position(); }

  bool next(Record& record) override {
    element value;
    if (!next_value(record, value)) return false;
    if (record.problem.empty()) fields_.read(value, record);
    return true;
  }

 private:
  struct KeysOnly {};
  JsonLinesReader(KeysOnly, const std::string& path, const FileFormat& format)
      : text_(path, format.encoding), fields_({}) {
    skip(format.skip);
  }

  static std::vector<std::string> keys(const std::string& path, const FileFormat& format) {
    JsonLinesReader reader(KeysOnly{}, path, format);
    KeyList list;
    Record record;
    element value;
    while (reader.next_value(record, value))
      if (record.problem.empty()) list.add(value);
    require(!list.keys().empty(), path, ": no JSON object in it; expected one per line");
    return checked_header({list.keys().begin(), list.keys().end()}, path);
  }

  void skip(int lines) {
    std::string_view line;
    for (; lines > 0 && text_.next_line(line); --lines) ++line_;
  }

  bool next_value(Record& record, element& value) {
    std::string_view line;
    do {
      if (!text_.next_line(line)) return false;
      ++line_;
    } while (line.find_first_not_of(" \t") == std::string_view::npos);
    record.line = line_;
    record.raw = line;
    record.problem.clear();
    const auto error = parser_.parse(line.data(), line.size()).get(value);
    if (error) record.problem = parse_problem(error);
    return true;
  }

  TextSource text_;
  std::vector<std::string> columns_;
  FieldReader fields_;
  simdjson::dom::parser parser_;
  int64_t line_ = 0;
};

/// A whole document; its records are the elements of a list or the members of an object.
class JsonReader : public RecordReader {
 public:
  JsonReader(const std::string& path, const FileFormat& format) : key_(format.key) {
    TextSource source(path, format.encoding);
    while (source.fill())
      require(source.window().size() < kMaxDocument, path, ": a JSON document above ", kMaxDocument >> 20,
              " MiB; write it as JSON lines");
    text_ = source.window();
    position_ = source.position();
    element document, place;
    const auto error = parser_.parse(text_).get(document);
    require(!error, path, ": ", parse_problem(error));
    require(find_path(document, format.path, place), path, ": nothing at path '", format.path, "'");
    collect(place, format, path);
    columns_ = format.columns;
    if (columns_.empty()) {
      KeyList list;
      for (const auto& value : values_) list.add(value);
      require(!list.keys().empty(), path, ": the records are no objects; name their columns in a recipe");
      columns_ = checked_header({list.keys().begin(), list.keys().end()}, path);
    }
    fields_ = std::make_unique<FieldReader>(columns_);
    if (!key_.empty()) columns_.insert(columns_.begin(), key_);
  }

  const std::vector<std::string>& columns() const override { return columns_; }
  int64_t position() const override { return position_; }

  bool next(Record& record) override {
    if (at_ == values_.size()) return false;
    record.problem.clear();
    record.line = static_cast<int64_t>(at_) + 1;
    fields_->read(values_[at_], record);
    if (!key_.empty() && record.problem.empty()) record.fields.insert(record.fields.begin(), names_[at_]);
    if (!record.problem.empty()) raw_ = simdjson::minify(values_[at_]);
    record.raw = raw_;
    ++at_;
    return true;
  }

 private:
  static constexpr size_t kMaxDocument = size_t{1} << 30;

  void collect(const element& place, const FileFormat& format, const std::string& path) {
    if (format.key.empty()) {
      require(place.is_array(), path, ": expected a list of records at path '", format.path,
              "' (for an object, give key)");
      for (const element value : simdjson::dom::array(place)) values_.push_back(value);
    } else {
      require(place.is_object(), path, ": expected an object at path '", format.path, "', because key is given");
      for (const auto& field : simdjson::dom::object(place)) {
        names_.push_back(field.key);
        values_.push_back(field.value);
      }
    }
  }

  std::string key_, text_, raw_;
  simdjson::dom::parser parser_;
  std::vector<element> values_;
  std::vector<std::string_view> names_;
  std::vector<std::string> columns_;
  std::unique_ptr<FieldReader> fields_;
  size_t at_ = 0;
  int64_t position_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> json_lines(const std::string& path, const FileFormat& format) {
  return std::make_unique<JsonLinesReader>(path, format);
}
std::unique_ptr<RecordReader> json(const std::string& path, const FileFormat& format) {
  return std::make_unique<JsonReader>(path, format);
}

}  // namespace fewshop::reader
