// Values of a body: what they have to be, and how they are shown and kept.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/time.h"
#include "online/body.h"

namespace fewshop::body {
namespace {

constexpr double kLargest = 1e15;  // of numbers

}  // namespace

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

void note(std::string_view name, element value, Surroundings& around, const ParseLimits& limits) {
  std::string text;
  append_json(value, text, limits.depth - 1);
  around[std::string(name)] = std::move(text);
}

void check_shared(const Surroundings& around, const ParseLimits& limits) {
  size_t size = 0;
  for (const auto& [name, value] : around) size += name.size() + value.size();
  if (size > static_cast<size_t>(limits.shared_bytes))
    refuse("around the events: expected up to {} bytes to be kept with each, got {}", limits.shared_bytes, size);
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
