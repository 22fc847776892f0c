// Keys that are limited to scenarios, against every route of a shop in which others' models are live.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

/// The default model is "theirs"; the key is for "ours".
class ScenarioKeysTest : public ::testing::Test {
 protected:
  ScenarioKeysTest()
      : serve_([](ShopServer::Options& options) {
          options.config.recommend.scenario = "theirs";
          options.program = "/bin/false";
          options.check_users = 0;
        }) {
    for (const char* scenario : {"ours", "theirs"})
      for (const char* version : {"a", "b"}) serve_.server->shelf().publish(serve_.bundle(scenario, version));
    admin_ = key({{"actions", {"admin"}}});
    ours_ = key({{"actions", {"recommend", "models", "events:write"}}, {"scenarios", {"ours"}}});
    client_ = serve_.client();
    for (const std::string user : {"u1", "u2"}) {
      client_->post("/api/user", json{{"UserId", user}, {"Labels", {{"age", "old"}}}}.dump(), {{"X-API-Key", admin_}});
      for (const char* item : {"item-1", "item-2"})
        client_->post("/api/events", event_body(user + item, user, item), {{"X-API-Key", admin_}});
    }
  }

  std::string key(const json& wanted) {
    KeyRing& keys = serve_.server->keys();
    const auto made = KeyRing::make(KeyRing::parse(wanted, serve_.server->shop().now()), 1);
    keys.put(made.setting);
    return made.secret;
  }

  struct Target {
    std::string method, path, address;  // the address names `scenario` where the path does
  };
  /// Every operation that answers with models, of the API document.
  std::vector<Target> targets(const std::string& scenario) {
    std::vector<Target> found;
    const json document = body_of(client_->get("/apidocs.json"));
    for (const auto& [path, methods] : document.at("paths").items())
      for (const auto& [method, operation] : methods.items()) {
        const std::string scope = operation.value("x-scope", "");
        if (scope != "recommend" && scope != "models") continue;
        std::string name = method;
        for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        const bool item_to_item = path.starts_with("/api/item-to-item/");
        for (const char* kind : {"similar", "also"}) {
          if (!item_to_item && kind == std::string("also")) continue;
          const std::map<std::string, std::string> values = {
              {"scenario", scenario}, {"name", item_to_item ? kind : scenario},
              {"user-id", "u1"},      {"item-id", "item-1"},
              {"category", "even"},   {"version", "1"}};
          found.push_back({name, path, filled(path, values)});
        }
      }
    return found;
  }
  static std::string filled(std::string path, const std::map<std::string, std::string>& values) {
    for (size_t begin = path.find('{'); begin != std::string::npos; begin = path.find('{'))
      path.replace(begin, path.find('}') - begin + 1, values.at(path.substr(begin + 1, path.find('}') - begin - 1)));
    return path;
  }
  /// What the route wants to be sent.
  json body(const std::string& path) {
    if (path == "/api/recommend") return {{"user_id", "u1"}};
    if (path == "/api/guide") return {{"item_id", "item-1"}, {"user_id", "u1"}};
    if (path.starts_with("/api/session/"))
      return {{{"FeedbackType", "purchase"}, {"UserId", "x"}, {"ItemId", "item-1"}}};
    if (path.ends_with("/predict")) return {{"task", {{"user_id", "u1"}}}, {"query", {{{"item_id", "item-1"}}}}};
    if (path == "/api/models") return {{"path", serve_.folder / "bundle-theirsa"}};
    if (path.ends_with("/activate") || path.ends_with("/shadow")) return {{"version", "1"}};
    return json::object();
  }
  /// The body, and what may be tried to make it look as if it were about `ours`.
  std::vector<std::string> bodies(const std::string& path) {
    const json plain = body(path);
    json named = plain;
    if (named.is_object()) named["scenario"] = "ours";
    const json hidden = {{"scenario", "ours"}};
    std::vector<std::string> all = {"", plain.dump(), named.dump(), hidden.dump()};
    all.push_back(json::array({plain}).dump());
    all.push_back(json::array({named, plain}).dump());
    return all;
  }
  json versions() { return body_of(client_->get("/api/models", {{"X-API-Key", admin_}})).at("models"); }

  ShopServe serve_;
  std::string admin_, ours_;
  std::unique_ptr<Client> client_;
};

TEST_F(ScenarioKeysTest, NothingMakesARouteAnswerWithAnothersModel) {
  const json before = versions();
  const auto all = targets("theirs");
  ASSERT_GT(all.size(), 25);
  for (const Target& target : all)
    for (const char* query : {"", "?scenario=ours", "?scenario=theirs", "?scenario=theirs&scenario=ours",
                              "?scenario=&scenario=ours", "?Scenario=ours&name=ours"})
      for (const std::string& body : bodies(target.path)) {
        SCOPED_TRACE(target.method + " " + target.address + query + " " + body);
        const Answer answer = client_->request(target.method, target.address + query, body, {{"X-API-Key", ours_}});
        EXPECT_LT(answer.status, 500);
        EXPECT_THAT(answer.body, Not(HasSubstr("theirs")));
        EXPECT_THAT(std::string(answer.header("x-model-version")), Not(HasSubstr("theirs")));
      }
  EXPECT_EQ(versions(), before);
}

TEST_F(ScenarioKeysTest, EveryRouteIsOpenToTheKeysOwnScenario) {
  const auto all = targets("ours");
  int answered = 0;
  for (const Target& target : all) {
    json body = this->body(target.path);
    if (target.path == "/api/recommend") body["scenario"] = "ours";
    if (target.method == "DELETE") continue;  // it would be gone for those that come later
    SCOPED_TRACE(target.method + " " + target.address);
    const Answer answer =
        client_->request(target.method, target.address + "?scenario=ours", body.dump(), {{"X-API-Key", ours_}});
    const bool publishes = target.path == "/api/models" && target.method == "POST";
    EXPECT_EQ(answer.status, publishes ? 403 : 200) << answer.body;
    const std::string version(answer.header("x-model-version"));
    if (!version.empty()) {
      EXPECT_THAT(version, ::testing::StartsWith("ours/"));
    }
    answered += version.empty() ? 0 : 1;
  }
  EXPECT_GE(answered, 6);
}

TEST_F(ScenarioKeysTest, ListsShowWhatTheKeyMayUse) {
  const auto get = [&](const std::string& path, const std::string& key) {
    return client_->get(path, {{"X-API-Key", key}}).body;
  };
  for (const char* path : {"/api/models", "/api/scenarios"}) {
    EXPECT_THAT(get(path, ours_), HasSubstr("\"ours\"")) << path;
    EXPECT_THAT(get(path, ours_), Not(HasSubstr("theirs"))) << path;
    EXPECT_THAT(get(path, admin_), HasSubstr("theirs")) << path;
  }
  for (const char* scenario : {"ours", "theirs"})
    EXPECT_EQ(client_->post("/api/models/" + std::string(scenario) + "/train", "", {{"X-API-Key", admin_}}).status,
              200);
  EXPECT_EQ(body_of(client_->get("/api/dashboard/tasks", {{"X-API-Key", admin_}})).size(), 2);
  const json tasks = json::parse(get("/api/dashboard/tasks", ours_));
  ASSERT_EQ(tasks.size(), 1);
  EXPECT_EQ(tasks[0].at("Name"), "train ours");
}

// What a route looks up after the key was checked, it compares with the key itself.
TEST_F(ScenarioKeysTest, ADefaultThatChangesMeanwhileAnswersNobodyElse) {
  const auto status = [&](Method method, const std::string& path, const std::string& body, const std::string& allowed) {
    auto match = serve_.server->router().find(method, path);
    auto request = std::make_shared<Request>();
    request->method = method;
    request->parameters = std::move(match.parameters);
    request->body = body;
    request->scenarios = {allowed};
    int status = 0;
    try {
      match.route->handle(request, [&](const Response& response) { status = response.status; });
    } catch (const HttpError& error) {
      status = error.status;
    }
    return status;
  };
  for (const auto& [allowed, expected] : {std::pair("ours", 403), std::pair("theirs", 200)}) {
    EXPECT_EQ(status(Method::kGet, "/api/recommend/u1", "", allowed), expected);
    EXPECT_EQ(status(Method::kGet, "/api/collaborative-filtering/u1", "", allowed), expected);
    EXPECT_EQ(status(Method::kGet, "/api/item-to-item/similar/item-1", "", allowed), expected);
    EXPECT_EQ(status(Method::kPost, "/api/session/recommend", "[]", allowed), expected);
    EXPECT_EQ(status(Method::kPost, "/api/guide", body("/api/guide").dump(), allowed), expected);
    EXPECT_EQ(status(Method::kPost, "/api/recommend", body("/api/recommend").dump(), allowed), expected);
  }
}

TEST_F(ScenarioKeysTest, PublishingNeedsAKeyWithoutALimit) {
  const std::string body = json{{"path", serve_.folder / "bundle-oursa"}}.dump();
  EXPECT_EQ(client_->post("/api/models", body, {{"X-API-Key", ours_}}).status, 403);
  EXPECT_EQ(client_->post("/api/models", body, {{"X-API-Key", key({{"actions", {"models"}}})}}).status, 200);
}

TEST_F(ScenarioKeysTest, WritingBackNeedsAKeyThatMayWrite) {
  const std::string reader = key({{"actions", {"recommend"}}});
  const auto events = [&] { return client_->get("/api/user/u1/feedback", {{"X-API-Key", admin_}}).body; };
  const std::string before = events();
  for (const char* path : {"/api/recommend/u1", "/api/recommend/u1/even"}) {
    const std::string back = std::string(path) + "?write-back-type=purchase";
    const Answer refused = client_->get(back, {{"X-API-Key", reader}});
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.body, HasSubstr("recommend and events:write"));
    EXPECT_EQ(client_->get(path, {{"X-API-Key", reader}}).status, 200);
    EXPECT_EQ(client_->get(std::string(path) + "?write-back-type=", {{"X-API-Key", reader}}).status, 200);
    EXPECT_EQ(events(), before);
  }
  EXPECT_EQ(client_->get("/api/recommend/u1?scenario=ours&write-back-type=purchase", {{"X-API-Key", ours_}}).status,
            200);
  EXPECT_NE(events(), before);
}

}  // namespace
}  // namespace fewshop::http
