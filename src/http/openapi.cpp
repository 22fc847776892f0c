#include "http/openapi.h"

#include <mutex>
#include <optional>

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
  std::string out;
  for (const char c : method_name(route.method)) out.push_back(static_cast<char>(c - 'A' + 'a'));
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

json operation(const Route& route) {
  json out = {{"operationId", operation_id(route)}, {"summary", route.summary}};
  if (!route.tag.empty()) out["tags"] = {route.tag};
  json parameters = json::array();
  for (const std::string& name : placeholders(route.path))
    parameters.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  for (const Parameter& parameter : route.query)
    parameters.push_back({{"name", parameter.name},
                          {"in", "query"},
                          {"required", parameter.required},
                          {"description", parameter.help},
                          {"schema", {{"type", parameter.type}}}});
  if (!parameters.empty()) out["parameters"] = std::move(parameters);
  if (!route.body.is_null())
    out["requestBody"] = {{"required", true}, {"content", {{route.body_type, {{"schema", route.body}}}}}};
  json answer = {{"description", "The answer."}};
  if (!route.response.is_null()) answer["content"] = {{route.response_type, {{"schema", route.response}}}};
  out["responses"] = {{"200", std::move(answer)}, {"default", {{"$ref", "#/components/responses/Error"}}}};
  if (route.scope.empty()) {
    out["security"] = json::array();
    out["description"] = "Open to everybody.";
  } else {
    out["x-scope"] = route.scope;
    out["description"] = "Needs a key with the scope " + route.scope + ".";
  }
  return out;
}

}  // namespace

json openapi(const Router& router, const std::string& version) {
  json paths = json::object();
  for (const auto& route : router.routes()) {
    std::string method(method_name(route->method));
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    paths[route->path][method] = operation(*route);
  }
  json schemas = {{"Error", error_schema()}};
  for (const auto& [name, schema] : router.schemas()) schemas[name] = schema;
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "fewshop"}, {"version", version}}},
          {"security", {{{"key", json::array()}}, {{"basic", json::array()}}}},
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
