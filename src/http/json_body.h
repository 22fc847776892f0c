#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "http/route.h"

namespace fewshop::http {

/// Reads a JSON body; HttpError 400 for what is none, or is nested deeper than any question is: values are copied and
/// written by functions that call themselves.
nlohmann::json parse_body(const Request& request);
/// The same; 400 also for what is none of the type.
nlohmann::json read_body(const Request& request, nlohmann::json::value_t type);

/// The value as a T (std::string, int, double, bool, lists of strings, whole numbers by name); HttpError 400 saying
/// where it was, what was expected and what came.
template <class T>
T value_as(const nlohmann::json& value, const std::string& where);

/// A member of an object; where it is absent or null, `otherwise`.
template <class T>
T member(const nlohmann::json& object, const char* name, T otherwise) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? otherwise : value_as<T>(*found, name);
}
/// A member that has to be there.
template <class T>
T member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) throw HttpError(400, "invalid_body", std::string(name) + ": expected it, it is absent");
  return value_as<T>(*found, name);
}
/// A list of objects that may be absent or null; HttpError 400 where it is something else.
const nlohmann::json& list_member(const nlohmann::json& object, const char* name);

/// HttpError 400 naming the first member that is none of these; `also` is said behind it.
void refuse_unknown(const nlohmann::json& object, const std::vector<std::string>& known, const std::string& also = "");

/// Answers an object, or a list of at most so many with a list of answers; HttpError 400 for anything else.
nlohmann::json answer_one_or_many(const nlohmann::json& body, size_t at_most,
                                  const std::function<nlohmann::json(const nlohmann::json&)>& answer);

}  // namespace fewshop::http
