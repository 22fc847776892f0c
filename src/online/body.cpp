#include "online/body.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/time.h"

namespace fewshop::body {
namespace {

constexpr double kLargest = 1e15;          // of numbers
constexpr size_t kKept = size_t{1} << 20;  // bodies up to this size share a thread's memory
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// The parser and a copy of the body with the padding that the parser reads beyond its end.
struct Workspace {
  simdjson::dom::parser parser;
  std::string buffer;

  std::string_view fill(std::string_view text) {
    buffer.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    buffer.assign(text);
    buffer.append(simdjson::SIMDJSON_PADDING, ' ');
    return std::string_view(buffer).substr(0, text.size());
  }
  /// `text` is a part of the buffer.
  simdjson::error_code parse(std::string_view text, element& value) {
    return parser.parse(text.data(), text.size(), false).get(value);
  }
};

std::string problem(simdjson::error_code error) {
  switch (error) {
    case simdjson::DEPTH_ERROR:
      return "nested too deeply";
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::NUMBER_ERROR:
      return "a number that is malformed or too large";
    case simdjson::STRING_ERROR:
      return "a text with a malformed escape";
    case simdjson::UNESCAPED_CHARS:
      return "a text with a control character that is not escaped";
    case simdjson::UNCLOSED_STRING:
      return "a text without its closing quote";
    case simdjson::EMPTY:
      return "nothing between the separators";
    default:
      return "malformed JSON";
  }
}

/// Where a text stops being JSON; for messages only.
struct ErrorPosition : nlohmann::json_sax<nlohmann::json> {
  size_t byte = 0;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    byte = position;
    return false;
  }
};

[[noreturn]] void refuse_body(std::string_view text, simdjson::error_code error) {
  ErrorPosition position;
  nlohmann::json::sax_parse(text.begin(), text.end(), &position);
  if (!position.byte) throw InvalidInput(fmt::format("the body cannot be read: {}", problem(error)));
  const size_t byte = std::min(position.byte, text.size());
  throw InvalidInput(fmt::format("the body cannot be read: {} at byte {}, line {}", problem(error), position.byte,
                                 1 + std::count(text.begin(), text.begin() + static_cast<long>(byte), '\n')));
}

/// The end of what stands from `at` to a separator or a closing bracket that was not opened there; brackets and quotes
/// are all that is looked at.
size_t end_of_piece(std::string_view text, size_t at) {
  int64_t depth = 0;
  for (; at < text.size(); ++at) switch (text[at]) {
      case '"':
        for (++at; at < text.size() && text[at] != '"'; ++at)
          if (text[at] == '\\') ++at;
        break;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        if (depth-- == 0) return at;
        break;
      case ',':
        if (depth == 0) return at;
        break;
      default:
        break;
    }
  return std::string_view::npos;
}

using Pieces = std::vector<std::string_view>;

/// Takes a list apart; `at` is behind its bracket, then behind the closing one.
bool split_list(std::string_view text, size_t& at, Pieces& pieces) {
  while (true) {
    const size_t end = end_of_piece(text, at);
    if (end == std::string_view::npos || text[end] == '}') return false;
    const std::string_view piece = trimmed(text.substr(at, end - at));
    at = end + 1;
    const bool last = text[end] == ']';
    if (!last || !piece.empty() || !pieces.empty()) pieces.push_back(piece);
    if (last) return true;
  }
}

/// Takes the object around a list apart: its text with the list emptied, and the pieces of the list.
bool split_envelope(std::string_view text, std::string_view list, std::string& envelope, Pieces& pieces) {
  for (size_t at = 1; at < text.size();) {
    const size_t quote = text.find_first_not_of(kBlanks, at);
    if (quote == std::string_view::npos || text[quote] != '"') return false;
    size_t colon = quote + 1;
    for (; colon < text.size() && text[colon] != '"'; ++colon)
      if (text[colon] == '\\') ++colon;
    if (colon >= text.size()) return false;
    const std::string_view key = text.substr(quote + 1, colon - quote - 1);
    colon = text.find_first_not_of(kBlanks, colon + 1);
    if (colon == std::string_view::npos || text[colon] != ':') return false;
    size_t begin = text.find_first_not_of(kBlanks, colon + 1);
    if (begin == std::string_view::npos) return false;
    if (text[begin] == '[' && key == list) {
      envelope = text.substr(0, ++begin);
      if (!split_list(text, begin, pieces)) return false;
      envelope += text.substr(begin - 1);
      return true;
    }
    at = end_of_piece(text, begin);
    if (at == std::string_view::npos || text[at] != ',') return false;
    ++at;
  }
  return false;
}

void check_count(size_t count, const ParseContext& context) {
  require(count <= static_cast<size_t>(context.limits.events), "expected up to ", context.limits.events,
          " events in one body, got ", count, "; send them in several");
}

/// Reads pieces one by one; false where none is JSON.
bool read_pieces(Workspace& work, const Pieces& pieces, const Reader& reader) {
  std::vector<std::pair<int64_t, std::string>> broken;
  bool any = false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    element value;
    const auto error = pieces[i].empty() ? simdjson::EMPTY : work.parse(pieces[i], value);
    if (error) {
      broken.emplace_back(static_cast<int64_t>(i), problem(error));
      continue;
    }
    any = true;
    reader.value(static_cast<int64_t>(i), value);
  }
  if (any)
    for (const auto& [index, reason] : broken) reader.broken(index, "expected JSON, got " + reason);
  return any;
}

/// Of a text that is not one JSON value.
bool may_be_lines(std::string_view text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos || text.front() != '{') return false;
  return trimmed(text.substr(0, end)).back() == '}';
}

Pieces lines_of(std::string_view text) {
  Pieces lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    if (!line.empty()) lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

int64_t read_array(array list, const ParseContext& context, const Reader& reader) {
  check_count(list.size(), context);
  int64_t index = 0;
  for (const element value : list) reader.value(index++, value);
  return index;
}

int64_t read_with(Workspace& work, std::string_view body, const ParseContext& context, const Reader& reader,
                  std::string_view list) {
  const std::string_view text = work.fill(body);
  const auto read_lines = [&] {
    const Pieces lines = lines_of(text);
    check_count(lines.size(), context);
    if (!read_pieces(work, lines, reader)) {
      element ignored;
      refuse_body(text, work.parse(lines.front(), ignored));
    }
    return static_cast<int64_t>(lines.size());
  };
  if (context.lines) return read_lines();

  element whole;
  const auto error = work.parse(text, whole);
  if (!error) {
    object around;
    if (whole.is_array()) return read_array(array(whole), context, reader);
    if (whole.get(around))
      throw InvalidInput(
          fmt::format("the body cannot be read: expected an object, a list or lines of objects, got {}", shown(whole)));
    array values;
    if (!list.empty() && !around[list].get(values)) {
      if (reader.envelope) reader.envelope(around);
      return read_array(values, context, reader);
    }
    reader.value(0, whole);
    return 1;
  }

  if (may_be_lines(text)) return read_lines();
  // The slow way of the rare body with something broken in it.
  Pieces pieces;
  if (text.front() == '[') {
    size_t at = 1;
    if (!split_list(text, at, pieces) || at != text.size()) refuse_body(text, error);
  } else {
    std::string envelope_text;
    if (list.empty() || text.front() != '{' || !split_envelope(text, list, envelope_text, pieces))
      refuse_body(text, error);
    simdjson::dom::parser parser;
    object envelope;
    if (parser.parse(envelope_text).get(envelope)) refuse_body(text, error);
    check_count(pieces.size(), context);
    if (reader.envelope) reader.envelope(envelope);
  }
  check_count(pieces.size(), context);
  if (!read_pieces(work, pieces, reader)) refuse_body(text, error);
  return static_cast<int64_t>(pieces.size());
}

}  // namespace

int64_t read(std::string_view text, const ParseContext& context, const Reader& reader, std::string_view list) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  text = trimmed(text);
  require(!text.empty(), "the body is empty; expected an object, a list or lines of objects");
  if (text.size() <= kKept) {
    thread_local Workspace kept;
    return read_with(kept, text, context, reader, list);
  }
  Workspace own;
  return read_with(own, text, context, reader, list);
}

std::string shown(element value) {
  std::string text;
  try {
    append_json(value, text, 8);
  } catch (const BadValue&) {
    return "a deeply nested value";
  }
  if (text.size() <= 60) return text;
  size_t end = 57;
  while (end && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole characters
  return text.substr(0, end) + "...";
}

object object_of(element value, std::string_view name) {
  object result;
  if (value.get(result)) refuse("{}: expected an object, got {}", name, shown(value));
  return result;
}

std::string id_of(element value, std::string_view name, const ParseLimits& limits, bool required) {
  std::string id;
  switch (value.type()) {
    case element_type::NULL_VALUE:
      break;
    case element_type::STRING:
      id = std::string_view(value);
      break;
    case element_type::INT64:
    case element_type::UINT64:
      append_json(value, id, 1);
      break;
    default:
      refuse("{}: expected a text or an integer, got {}", name, shown(value));
  }
  if (id.empty() && required) refuse("{}: expected 1 to {} bytes, got {}", name, limits.id_bytes, shown(value));
  if (id.size() > static_cast<size_t>(limits.id_bytes))
    refuse("{}: expected 1 to {} bytes, got {} bytes", name, limits.id_bytes, id.size());
  for (const char c : id)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      refuse("{}: expected no control characters, got {}", name, shown(value));
  return id;
}

double number_of(element value, std::string_view name) {
  double number = kNotGiven;
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return number;
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE:
      number = double(value);
      break;
    case element_type::STRING: {
      const std::string_view text = trimmed(std::string_view(value));
      if (text.empty()) return number;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) number = kNotGiven;
      break;
    }
    default:
      break;
  }
  if (!(std::abs(number) < kLargest)) refuse("{}: expected a number below 1e15, got {}", name, shown(value));
  return number + 0.0;  // no -0
}

Micros time_of(element value, std::string_view name, Micros now) {
  std::optional<Micros> time;
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return now;
    case element_type::STRING: {
      const std::string_view text = std::string_view(value);
      if (text.empty()) return now;
      time = parse_time(text);
      break;
    }
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE: {
      std::string text;
      append_json(value, text, 1);
      time = parse_time(text);
      break;
    }
    default:
      break;
  }
  if (!time || *time < 0 || *time >= kTimeEnd)
    refuse("{}: expected ISO-8601 or epoch s, ms or us in the years 1970 to 2199, got {}", name, shown(value));
  return *time;
}

bool boolean_of(element value, std::string_view name) {
  bool result = false;
  if (value.get(result)) refuse("{}: expected true or false, got {}", name, shown(value));
  return result;
}

void append_json_text(std::string_view text, std::string& out) {
  out += '"';
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') [[likely]]
      continue;
    out += text.substr(plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<int>(c));
    }
  }
  out += text.substr(plain);
  out += '"';
}

void append_json_number(double number, std::string& out) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  const std::string_view written(text, static_cast<size_t>(end - text));
  out += written;
  // An integer of more digits than 64 bits hold would not be read again, and one has no -0.
  if ((written.size() > 18 || written == "-0") && written.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_json(element value, std::string& out, int depth) {
  if (depth <= 0) refuse("nested too deeply");
  char text[24];
  switch (value.type()) {
    case element_type::NULL_VALUE:
      out += "null";
      return;
    case element_type::BOOL:
      out += bool(value) ? "true" : "false";
      return;
    case element_type::INT64:
      out.append(text, std::to_chars(text, text + sizeof text, int64_t(value)).ptr);
      return;
    case element_type::UINT64:
      out.append(text, std::to_chars(text, text + sizeof text, uint64_t(value)).ptr);
      return;
    case element_type::DOUBLE:
      append_json_number(double(value), out);
      return;
    case element_type::STRING:
      append_json_text(std::string_view(value), out);
      return;
    case element_type::ARRAY: {
      char separator = '[';
      for (const element member : array(value)) {
        out += separator;
        append_json(member, out, depth - 1);
        separator = ',';
      }
      out += separator == '[' ? "[]" : "]";
      return;
    }
    case element_type::OBJECT: {
      char separator = '{';
      for (const auto [key, member] : object(value)) {
        out += separator;
        append_json_text(key, out);
        out += ':';
        append_json(member, out, depth - 1);
        separator = ',';
      }
      out += separator == '{' ? "{}" : "}";
      return;
    }
  }
}

nlohmann::json copy_of(element value, int depth) {
  if (depth <= 0) refuse("nested too deeply");
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return nullptr;
    case element_type::BOOL:
      return bool(value);
    case element_type::INT64:
      return int64_t(value);
    case element_type::UINT64:
      return uint64_t(value);
    case element_type::DOUBLE:
      return double(value);
    case element_type::STRING:
      return std::string_view(value);
    case element_type::ARRAY: {
      nlohmann::json copy = nlohmann::json::array();
      for (const element member : array(value)) copy.push_back(copy_of(member, depth - 1));
      return copy;
    }
    case element_type::OBJECT: {
      nlohmann::json copy = nlohmann::json::object();
      for (const auto [key, member] : object(value)) copy[std::string(key)] = copy_of(member, depth - 1);
      return copy;
    }
  }
  return nullptr;
}

std::string& JsonObject::member(std::string_view key) {
  text_ += text_.empty() ? '{' : ',';
  append_json_text(key, text_);
  text_ += ':';
  return text_;
}

std::string JsonObject::take() && {
  if (!text_.empty()) text_ += '}';
  return std::move(text_);
}

std::string JsonObject::take_object() && { return text_.empty() ? "{}" : std::move(*this).take(); }

std::string new_id(Random& random) {
  static const char digits[] = "0123456789abcdef";
  const uint64_t high = (random.next() & ~uint64_t{0xF000}) | 0x4000;                 // version 4
  const uint64_t low = (random.next() & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);  // variant
  std::string id(36, '-');
  int nibble = 0;
  for (int i = 0; i < 36; ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) continue;
    id[static_cast<size_t>(i)] = digits[((nibble < 16 ? high : low) >> (60 - 4 * (nibble % 16))) & 15];
    ++nibble;
  }
  return id;
}

}  // namespace fewshop::body
