#include "http/openapi.h"

#include <mutex>
#include <optional>

#include "core/text.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

json error_schema() {
  return {
      {"type", "object"},
      {"required", {"error"}},
      {"properties",
       {{"error",
         {{"type", "object"},
          {"required", {"code", "message", "request_id"}},
          {"properties",
           {{"code", {{"type", "string"}, {"description", "for programs: stays the same from version to version"}}},
            {"message", {{"type", "string"}, {"description", "for people"}}},
            {"request_id", {{"type", "string"}, {"description", "as in header X-Request-ID and in the log"}}}}}}}}}};
}

// "GET /api/user/{user-id}/feedback" becomes "get_api_user_by_user_id_feedback": unique where routes are.
std::string operation_id(const Route& route) {
  std::string out = ascii_lower(method_name(route.method));
  for (const char c : route.path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '{')
      out += "by_";
    else if (plain)
      out.push_back(c);
    else if (c != '}' && out.back() != '_')
      out.push_back('_');
  }
  return out;
}

json parameter_json(const Parameter& parameter, const char* in) {
  return {{"name", parameter.name},
          {"in", in},
          {"required", parameter.required},
          {"description", parameter.help},
          {"schema", {{"type", parameter.type}}}};
}

json answer_headers(const Route& route) {
  json headers = {{"X-Request-ID", {{"schema", {{"type", "string"}}}}}};
  for (const Parameter& header : route.answer_headers)
    headers[header.name] = {{"description", header.help}, {"schema", {{"type", header.type}}}};
  return headers;
}

/// What a key that is limited to scenarios may ask of the route.
std::string limit_of(ScenarioFrom scenario) {
  switch (scenario) {
    case ScenarioFrom::kPath:
      return " A key that is limited to scenarios: for those in the path.";
    case ScenarioFrom::kQuery:
      return " A key that is limited to scenarios: for those in ?scenario=, else the default.";
    case ScenarioFrom::kBody:
      return " A key that is limited to scenarios: for those in the body, else the default.";
    case ScenarioFrom::kAny:
      return " A key that is limited to scenarios may not use it.";
    case ScenarioFrom::kUnsaid:
    case ScenarioFrom::kNone:
      return "";
  }
  return "";
}

json operation(const Route& route) {
  json out = {{"operationId", operation_id(route)}, {"summary", route.summary}};
  if (!route.tag.empty()) out["tags"] = {route.tag};
  json parameters = json::array();
  for (const std::string& name : placeholders(route.path))
    parameters.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  for (const Parameter& parameter : route.query) parameters.push_back(parameter_json(parameter, "query"));
  for (const Parameter& parameter : route.headers) parameters.push_back(parameter_json(parameter, "header"));
  if (!parameters.empty()) out["parameters"] = std::move(parameters);
  if (!route.body.is_null())
    out["requestBody"] = {{"required", true}, {"content", {{route.body_type, {{"schema", route.body}}}}}};
  json answer = {{"description", "The answer."}, {"headers", answer_headers(route)}};
  if (!route.response.is_null()) answer["content"] = {{route.response_type, {{"schema", route.response}}}};
  out["responses"] = {{"200", std::move(answer)}, {"default", {{"$ref", "#/components/responses/Error"}}}};
  if (route.scope.empty()) {
    out["security"] = json::array();
    out["description"] = "Open to everybody.";
  } else {
    out["x-scope"] = route.scope;
    out["description"] = "Needs a key with the scope " + route.scope + "." + limit_of(route.scenario);
  }
  return out;
}

}  // namespace

json openapi(const Router& router, const std::string& version) {
  json paths = json::object();
  for (const auto& route : router.routes()) {
    paths[route->path][ascii_lower(method_name(route->method))] = operation(*route);
  }
  json schemas = {{"Error", error_schema()}};
  for (const auto& [name, schema] : router.schemas()) schemas[name] = schema;
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "fewshop"}, {"version", version}}},
          {"security",
           {{{"key", json::array()}},
            {{"basic", json::array()}},
            {{"bearer", json::array()}},
            {{"secret", json::array()}}}},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", std::move(schemas)},
            {"responses",
             {{"Error",
               {{"description", "What was wrong; every error has this shape."},
                {"headers", {{"X-Request-ID", {{"schema", {{"type", "string"}}}}}}},
                {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}}}}},
            {"securitySchemes",
             {{"key", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}},
              {"bearer", {{"type", "http"}, {"scheme", "bearer"}, {"description", "The key."}}},
              {"secret",
               {{"type", "apiKey"},
                {"in", "query"},
                {"name", "api_secret"},
                {"description", "As GA4's clients send it; it may end up in the logs of proxies."}}},
              {"basic",
               {{"type", "http"}, {"scheme", "basic"}, {"description", "The key as user name, no password."}}}}}}}};
}

void add_apidocs_routes(Router& router, const std::string& version) {
  struct Document {
    std::once_flag once;
    std::string text;
  };
  const auto document = std::make_shared<Document>();
  router.add({.method = Method::kGet,
              .path = "/apidocs.json",
              .tag = "operations",
              .summary = "This document.",
              .scope = "",
              .response = {{"type", "object"}},
              .handle = [document, &router, version](const std::shared_ptr<const Request>&, const Reply& reply) {
                std::call_once(document->once, [&] { document->text = openapi(router, version).dump(); });
                reply({.body = document->text});
              }});
  router.add({.method = Method::kGet,
              .path = "/apidocs",
              .tag = "operations",
              .summary = "A page that shows this document and sends requests by hand.",
              .scope = "",
              .response = {{"type", "string"}},
              .response_type = "text/html",
              .handle = [](const std::shared_ptr<const Request>&, const Reply& reply) {
                reply(
                    {.body = std::string(apidocs_page()),
                     .content_type = "text/html; charset=utf-8",
                     .headers = {{"Content-Security-Policy",
                                  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                                  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}}});
              }});
}

}  // namespace fewshop::http
