#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"

namespace fewshop::http {

enum class Method { kGet, kPost, kPut, kPatch, kDelete };

/// A request that has been read, limited, decompressed and matched with its route.
struct Request {
  Method method = Method::kGet;
  bool head = false;                                         // asked by HEAD, which changes nothing
  std::string path;                                          // as sent, without query
  std::map<std::string, std::string> parameters;             // of the path template, percent-decoded
  std::vector<std::pair<std::string, std::string>> query;    // decoded, in order
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string id;                      // X-Request-ID: the client's, where it is a sensible one, else ours
  std::string remote;                  // address of the client
  bool local_admin = false;            // came through the admin socket
  std::vector<std::string> scenarios;  // that its key is limited to; none = all
  /// Told of every query parameter and header that is asked for, `where`: "query" or "header". For tests that compare
  /// with what a route declares; null = nobody.
  std::function<void(const char* where, std::string_view name)> asked = nullptr;

  /// The first value of a query parameter; nothing where it is absent.
  std::optional<std::string> query_value(std::string_view name) const;
  /// A whole number within [low, high]; `otherwise` where it is absent. Throws HttpError 400 naming it.
  int64_t query_number(std::string_view name, int64_t otherwise, int64_t low, int64_t high) const;
  bool query_flag(std::string_view name) const;  // "true", "1", or present without a value
  /// All values of a parameter that may be repeated, in order.
  std::vector<std::string> query_values(std::string_view name) const;
  bool has_query(std::string_view name) const;
  /// Whether its key may use this scenario.
  bool may_use(const std::string& scenario) const;
  std::string_view header(std::string_view name) const;
  const std::string& parameter(const std::string& name) const { return parameters.at(name); }
};

/// Ends a request with a status; every error body has one shape:
///   {"error": {"code": "invalid_parameter", "message": "...", "request_id": "..."}}
/// Handlers may also throw InvalidInput (400) and Failure (503).
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, std::string code, const std::string& message)
      : std::runtime_error(message), status(status), code(std::move(code)) {}
  int status;
  std::string code;
  int retry_after = 0;  // seconds; > 0: header Retry-After
};

struct Response {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};

  static Response json(const nlohmann::json& value, int status = 200);
  static Response error(const HttpError& error, const std::string& request_id);
};

/// Answers a request, from any thread, once. A Reply that is dropped unused answers 500.
using Reply = std::function<void(Response)>;

/// A request, and the ways to answer it: by one of them, once.
struct Call {
  std::shared_ptr<const Request> request;
  Reply reply;
  std::function<void(std::exception_ptr)> fail;  // as where a handler throws
};

/// A parameter of the query, or a header, for the API document.
struct Parameter {
  std::string name, type, help;  // type: string | integer | boolean | number
  bool required = false;
};

/// Where a route takes from whose models it uses: what a key that is limited to scenarios is held to.
enum class ScenarioFrom {
  kUnsaid,  // only where the scope is neither "recommend" nor "models"
  kNone,    // it uses no scenario's model, or leaves out of a list what Request::may_use says no to
  kPath,    // the placeholder {scenario}, or {name} where there is no such
  kQuery,   // ?scenario=, else the default
  kBody,    // the member `scenario`, in a list that of each question, else the default
  kAny      // it is known too late: for keys without a limit only
};

/// One route: what matches it, who may use it, what the API document says of it, what answers it.
struct Route {
  Method method = Method::kGet;
  std::string path;     // "/api/user/{user-id}"; a trailing slash is optional everywhere
  std::string tag;      // group in the API document
  std::string summary;  // one line
  std::string
      scope;  // what a key must allow: "events:write", "recommend", "data:read", "data:write", "models", "admin";
              // "" = open to everybody
  ScenarioFrom scenario = ScenarioFrom::kUnsaid;
  std::vector<Parameter> query = {};
  std::vector<Parameter> headers = {};         // of the request, that the answer depends on
  std::vector<Parameter> answer_headers = {};  // that the answer may have, besides X-Request-ID
  nlohmann::json body = nullptr;               // JSON schema of the request body; null = none
  nlohmann::json response = nullptr;           // JSON schema of the answer's body
  std::string body_type = "application/json", response_type = "application/json";  // for the API document
  /// Runs on an I/O thread (see `aside`) and must not block: long work answers later, from a thread of its own.
  std::function<void(std::shared_ptr<const Request>, Reply)> handle = nullptr;
  bool vital = false;  // answered also when more requests are in flight than allowed (health, metrics)
  /// Whether handling this request would hold up an I/O thread: it then runs on a thread of its own, after those that
  /// came before it there. Null = never. It must be quick.
  std::function<bool(const Request&)> aside = nullptr;
  /// Whether it is worth to answer this request together with others that the same thread has read at the same time:
  /// handle_together is then asked, once for all of them, instead of `handle`. Null = never.
  std::function<bool(const Request&)> gathers = nullptr;
  std::function<void(std::span<Call>)> handle_together = nullptr;
  /// Whether this request stores events, too: its key must then allow events:write as well. Null = never.
  std::function<bool(const Request&)> stores = nullptr;
};

}  // namespace fewshop::http
