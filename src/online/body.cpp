#include "online/body.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/time.h"

namespace fewshop::body {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr size_t kKept = size_t{1} << 20;  // bodies up to this size share a thread's memory

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
  if (count > static_cast<size_t>(context.limits.events))
    throw TooManyValues(fmt::format("expected up to {} events in one body, got {}; send them in several",
                                    context.limits.events, count));
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

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

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

}  // namespace fewshop::body
