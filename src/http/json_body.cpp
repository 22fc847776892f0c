#include "http/json_body.h"

namespace fewshop::http {

using nlohmann::json;

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
                    std::string("expected a JSON ") + json(type).type_name() + ", got " + body.type_name());
  return body;
}

}  // namespace fewshop::http
