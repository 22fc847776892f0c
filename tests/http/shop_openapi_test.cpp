// The API document of a whole server, against what its routes do: every route is called, in this process, by a request
// that notes what it is asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <set>

#include "http/openapi.h"
#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using Names = std::set<std::string>;

/// Headers that OpenAPI says of elsewhere: as types of bodies, as security.
const Names kElsewhere = {"content-type", "accept", "authorization", "x-api-key"};

class ShopOpenApiTest : public ::testing::Test {
 protected:
  ShopOpenApiTest() : serve_([](ShopServer::Options& options) { options.program = "/bin/false"; }) {
    serve_.server->shelf().publish(serve_.bundle("small-ranking", "2"));
    const auto client = serve_.client();
    for (const char* user : {"u1", "u2"})
      for (const char* item : {"item-1", "item-2", "item-3"})
        client->post("/api/events", event_body(std::string(user) + item, user, item));
    client->post("/api/events", event_body("viewed", "u1", "item-1", "view_item"));
    document_ = body_of(client->get("/apidocs.json"));
  }

  const json& operation(const Route& route) const {
    std::string method(method_name(route.method));
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return document_.at("paths").at(route.path).at(method);
  }
  /// Names of the declared parameters; headers in lower case, as requests have them.
  Names declared(const Route& route, const std::string& in) const {
    Names names;
    for (const json& parameter : operation(route).value("parameters", json::array())) {
      std::string name = parameter.at("name");
      if (in == "header")
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (parameter.at("in") == in) names.insert(name);
    }
    return names;
  }

  /// A value that the parameter can have. A new parameter needs one here.
  static std::string sample(const std::string& name) {
    static const std::map<std::string, std::string> samples = {{"n", "1"},
                                                               {"offset", "1"},
                                                               {"category", "even"},
                                                               {"filter", "price < 40"},
                                                               {"exclude", "item-5,item-6"},
                                                               {"cap", "colour:2"},
                                                               {"diversity", "0.3"},
                                                               {"boost", "0.5:price < 10"},
                                                               {"pin", "0:item-9"},
                                                               {"scenario", "small-ranking"},
                                                               {"explain", "true"},
                                                               {"include_seen", "true"},
                                                               {"write-back-type", "purchase"},
                                                               {"write-back-delay", "10m"},
                                                               {"cursor", ""},
                                                               {"Cursor", ""},
                                                               {"q", "item"},
                                                               {"user_id", "u1"}};
    const auto found = samples.find(name);
    EXPECT_NE(found, samples.end()) << "no sample of the parameter " << name;
    return found == samples.end() ? "" : found->second;
  }
  static std::string body(const Route& route) {
    if (route.path == "/api/guide") return R"({"item_id":"item-1","user_id":"u1"})";
    if (route.path.starts_with("/api/session/") || route.path == "/api/feedback")
      return R"([{"FeedbackType":"purchase","UserId":"u1","ItemId":"item-1"}])";
    if (route.path.ends_with("/predict")) return R"({"task":{"user_id":"u1"},"query":[{"item_id":"item-1"}]})";
    if (route.path == "/api/recommend") return R"({"user_id":"u1"})";
    return "{}";
  }

  struct Seen {
    Names query, headers, answer_headers;
    int status = 0;
  };
  /// Calls a route; `given`: names of query parameters that the request has.
  void call(const Route& route, const std::string& kind, const Names& given, Seen& seen) const {
    auto request = std::make_shared<Request>();
    request->method = route.method;
    request->path = route.path;
    request->id = "test";
    const std::map<std::string, std::string> parameters = {
        {"user-id", "u1"},    {"item-id", "item-1"},
        {"category", "even"}, {"scenario", "small-ranking"},
        {"version", "1"},     {"feedback-type", "purchase"},
        {"id", "x"},          {"name", route.path.starts_with("/api/scenarios/") ? "small-ranking" : kind}};
    for (const std::string& name : placeholders(route.path)) request->parameters[name] = parameters.at(name);
    for (const std::string& name : given) request->query.emplace_back(name, sample(name));
    if (!route.body.is_null()) request->body = body(route);
    request->asked = [&](const char* where, std::string_view name) {
      (where == std::string("query") ? seen.query : seen.headers).emplace(name);
    };
    const auto answered = std::make_shared<std::promise<Response>>();
    auto answer = answered->get_future();
    try {
      if (route.aside) route.aside(*request);
      if (route.stores) route.stores(*request);
      route.handle(request, [answered](Response response) { answered->set_value(std::move(response)); });
      const Response response = answer.get();
      seen.status = response.status;
      for (const auto& [name, value] : response.headers)
        if (name.starts_with("X-")) seen.answer_headers.insert(name);
    } catch (const HttpError& error) {
      seen.status = error.status;
    } catch (const InvalidInput&) {
      seen.status = 400;
    }
  }

  ShopServe serve_;
  json document_;
};

void expect_all_refs_resolve(const json& document, const json& part) {
  if (part.is_object() && part.contains("$ref")) {
    const std::string ref = part.at("$ref");
    ASSERT_TRUE(ref.starts_with("#/")) << ref;
    EXPECT_TRUE(document.contains(json::json_pointer(ref.substr(1)))) << ref;
  }
  if (part.is_structured())
    for (const json& child : part) expect_all_refs_resolve(document, child);
}

TEST_F(ShopOpenApiTest, TheDocumentIsWhole) {
  expect_all_refs_resolve(document_, document_);
  Names ids;
  size_t operations = 0;
  for (const auto& [path, methods] : document_.at("paths").items())
    for (const auto& [method, operation] : methods.items()) {
      SCOPED_TRACE(method + " " + path);
      ++operations;
      EXPECT_TRUE(ids.insert(operation.at("operationId")).second);
      Names in_path, all;
      for (const json& parameter : operation.value("parameters", json::array())) {
        const std::string name = parameter.at("name"), in = parameter.at("in");
        EXPECT_TRUE(all.insert(in + " " + name).second) << name << " is declared twice";
        if (in == "path") in_path.insert(name);
      }
      const auto wanted = placeholders(path);
      EXPECT_EQ(in_path, Names(wanted.begin(), wanted.end()));
      EXPECT_TRUE(operation.at("responses").at("200").at("headers").contains("X-Request-ID"));
    }
  EXPECT_EQ(operations, serve_.server->router().routes().size());
}

TEST_F(ShopOpenApiTest, RoutesReadWhatTheyDeclareAndNothingElse) {
  for (const auto& route : serve_.server->router().routes()) {
    const std::string name = std::string(method_name(route->method)) + " " + route->path;
    SCOPED_TRACE(name);
    const Names query = declared(*route, "query"), headers = declared(*route, "header");
    Seen seen;
    for (const char* kind : {"similar", "also"}) {
      call(*route, kind, {}, seen);
      call(*route, kind, query, seen);
      // One after the other: some are read only where another is not there, or is.
      for (const std::string& one : query) call(*route, kind, {one}, seen);
    }
    EXPECT_EQ(seen.query, query);
    for (const std::string& elsewhere : kElsewhere) seen.headers.erase(elsewhere);
    EXPECT_EQ(seen.headers, headers);
    const json& answer = operation(*route).at("responses").at("200").at("headers");
    for (const std::string& header : seen.answer_headers) EXPECT_TRUE(answer.contains(header)) << header;
  }
}

TEST_F(ShopOpenApiTest, HeadersThatAreDeclaredAreAnswered) {
  for (const auto& route : serve_.server->router().routes()) {
    if (route->answer_headers.empty()) continue;
    SCOPED_TRACE(route->path);
    Seen seen;
    for (const char* kind : {"similar", "also"}) {
      call(*route, kind, {}, seen);
      if (declared(*route, "query").count("n") > 0) call(*route, kind, {"n"}, seen);
    }
    for (const Parameter& header : route->answer_headers)
      EXPECT_EQ(seen.answer_headers.count(header.name), 1) << header.name;
  }
}

TEST_F(ShopOpenApiTest, EveryWayToSendAKeyIsDeclared) {
  const json& schemes = document_.at("components").at("securitySchemes");
  Names declared, wanted;
  for (const auto& scheme : schemes.items()) declared.insert(scheme.key());
  for (const json& way : document_.at("security")) wanted.insert(way.begin().key());
  EXPECT_EQ(declared, wanted);
  EXPECT_EQ(declared, (Names{"key", "basic", "bearer", "secret"}));
}

}  // namespace
}  // namespace fewshop::http
