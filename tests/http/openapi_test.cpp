#include "http/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "http/health.h"
#include "http/metrics.h"
#include "serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

void fill(Router& router, const Metrics& metrics) {
  add_health_routes(router, [] { return ""; });
  add_metrics_route(router, metrics);
  add_apidocs_routes(router, "1.2.3");
  router.define("User", {{"type", "object"}, {"properties", {{"UserId", {{"type", "string"}}}}}});
  router.add({.method = Method::kPost,
              .path = "/api/user/{user-id}/feedback/{type}",
              .tag = "data",
              .summary = "Something.",
              .scope = "data:write",
              .query = {{.name = "n", .type = "integer", .help = "how many"}},
              .body = {{"type", "array"}, {"items", {{"$ref", "#/components/schemas/User"}}}},
              .response = {{"$ref", "#/components/schemas/User"}},
              .handle = [](auto, Reply reply) { reply({}); }});
}

// Every "$ref" of the document names something in it.
void expect_refs_resolve(const json& document, const json& part) {
  if (part.is_object() && part.contains("$ref")) {
    const std::string ref = part.at("$ref");
    ASSERT_TRUE(ref.starts_with("#/")) << ref;
    EXPECT_TRUE(document.contains(json::json_pointer(ref.substr(1)))) << ref;
  }
  if (part.is_structured())
    for (const json& child : part) expect_refs_resolve(document, child);
}

TEST(OpenApi, TheDocumentHasEveryRouteAndNothingElse) {
  Metrics metrics;
  Router router;
  fill(router, metrics);
  const json document = openapi(router, "1.2.3");
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  EXPECT_EQ(document.at("info").at("version"), "1.2.3");
  std::set<std::string> documented, routed, ids;
  for (const auto& [path, methods] : document.at("paths").items())
    for (const auto& [method, operation] : methods.items()) {
      std::string name = method + " " + path;
      documented.insert(name);
      EXPECT_TRUE(ids.insert(operation.at("operationId")).second) << name;
      EXPECT_TRUE(operation.at("responses").contains("200"));
      std::set<std::string> named;
      for (const json& parameter : operation.value("parameters", json::array()))
        if (parameter.at("in") == "path") named.insert(parameter.at("name"));
      const auto wanted = placeholders(path);
      EXPECT_EQ(named, std::set<std::string>(wanted.begin(), wanted.end())) << name;
    }
  for (const auto& route : router.routes()) {
    std::string name(method_name(route->method));
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    routed.insert(name + " " + route->path);
  }
  EXPECT_EQ(documented, routed);
  expect_refs_resolve(document, document);
}

TEST(OpenApi, ScopesAndOpenRoutesAreTold) {
  Metrics metrics;
  Router router;
  fill(router, metrics);
  const json document = openapi(router, "1.2.3");
  const json& closed = document["paths"]["/api/user/{user-id}/feedback/{type}"]["post"];
  EXPECT_EQ(closed.at("x-scope"), "data:write");
  EXPECT_FALSE(closed.contains("security"));
  EXPECT_EQ(document["paths"]["/api/health/live"]["get"].at("security"), json::array());
}

TEST(OpenApi, TheServerServesTheDocumentAndThePage) {
  Metrics metrics;
  Serve serve;
  fill(serve.router, metrics);
  const auto client = serve.client();
  const Answer answer = client->get("/apidocs.json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json::parse(answer.body), openapi(serve.router, "1.2.3"));
  for (const char* path : {"/apidocs", "/apidocs/"}) {
    const Answer page = client->get(path);
    EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
    EXPECT_THAT(page.body, ::testing::HasSubstr("apidocs.json"));
    EXPECT_EQ(page.body.find("://"), std::string::npos) << "the page loads nothing from elsewhere";
  }
}

TEST(Health, ReadinessTellsItsReason) {
  std::string reason = "still loading";
  Serve serve;
  add_health_routes(serve.router, [&] { return reason; });
  const auto client = serve.client();
  EXPECT_EQ(client->get("/api/health/live").status, 200);
  const Answer answer = client->get("/api/health/ready");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(body_of(answer)["error"]["message"], "still loading");
}

}  // namespace
}  // namespace fewshop::http
