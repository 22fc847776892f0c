#include "http/json_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace fewshop::http {

using nlohmann::json;

namespace {

[[noreturn]] void refuse(const std::string& where, const char* expected, const json& came) {
  std::string text = came.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  throw HttpError(400, "invalid_body", fmt::format("{}: expected {}, got {}", where, expected, text));
}

}  // namespace

json parse_body(const Request& request) {
  constexpr int kDeepest = 64;
  int depth = 0;
  bool in_text = false;
  for (size_t at = 0; at < request.body.size(); ++at) {
    const char c = request.body[at];
    if (in_text) {
      if (c == '\\') ++at;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) throw HttpError(400, "invalid_json", "the body is nested too deeply");
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  json body = json::parse(request.body, nullptr, false);
  if (body.is_discarded()) throw HttpError(400, "invalid_json", "the body is not JSON");
  return body;
}

json read_body(const Request& request, json::value_t type) {
  json body = parse_body(request);
  if (body.type() != type)
    throw HttpError(400, "invalid_body",
                    fmt::format("expected a JSON {}, got {}", json(type).type_name(), body.type_name()));
  return body;
}

template <>
std::string value_as(const json& value, const std::string& where) {
  if (!value.is_string()) refuse(where, "a string", value);
  return value.get<std::string>();
}

template <>
bool value_as(const json& value, const std::string& where) {
  if (!value.is_boolean()) refuse(where, "true or false", value);
  return value.get<bool>();
}

template <>
double value_as(const json& value, const std::string& where) {
  if (!value.is_number()) refuse(where, "a number", value);
  return value.get<double>();
}

template <>
int value_as(const json& value, const std::string& where) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > kMost) ||
      value.get<int64_t>() < -kMost || value.get<int64_t>() > kMost)
    refuse(where, "a whole number", value);
  return value.get<int>();
}

template <>
std::vector<std::string> value_as(const json& value, const std::string& where) {
  if (!value.is_array()) refuse(where, "a list of strings", value);
  std::vector<std::string> list;
  for (const json& one : value) list.push_back(value_as<std::string>(one, fmt::format("{}[{}]", where, list.size())));
  return list;
}

template <>
std::map<std::string, int> value_as(const json& value, const std::string& where) {
  if (!value.is_object()) refuse(where, "an object of whole numbers", value);
  std::map<std::string, int> numbers;
  for (const auto& entry : value.items())
    numbers[entry.key()] = value_as<int>(entry.value(), fmt::format("{}.{}", where, entry.key().substr(0, 60)));
  return numbers;
}

const json& list_member(const json& object, const char* name) {
  static const json none = json::array();
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return none;
  if (!found->is_array()) refuse(name, "a list", *found);
  for (const json& entry : *found)
    if (!entry.is_object()) refuse(fmt::format("{}[{}]", name, &entry - &found->front()), "an object", entry);
  return *found;
}

void refuse_unknown(const json& object, const std::vector<std::string>& known, const std::string& also) {
  for (const auto& entry : object.items())
    if (std::find(known.begin(), known.end(), entry.key()) == known.end())
      throw HttpError(
          400, "invalid_body",
          fmt::format("unknown member '{}'; known: {}{}", entry.key().substr(0, 100), fmt::join(known, ", "), also));
}

json answer_one_or_many(const json& body, size_t at_most, const std::function<json(const json&)>& answer) {
  const auto of = [&](const json& one) {
    if (!one.is_object()) refuse("the body", "a JSON object", one);
    return answer(one);
  };
  if (!body.is_array()) return of(body);
  if (body.size() > at_most) throw HttpError(400, "invalid_body", fmt::format("at most {} questions", at_most));
  json answers = json::array();
  for (const json& one : body) answers.push_back(of(one));
  return answers;
}

}  // namespace fewshop::http
