// Who may ask what of a served shop.
#include <atomic>

#include "http/authorize.h"
#include "http/credential.h"
#include "http/shop_server.h"
#include "http/url.h"
#include "online/keys.h"
#include "online/secret.h"
#include "serve.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class KeyedShop {
 public:
  explicit KeyedShop(bool with_key = true) {
    if (with_key) admin = add({{"name", "admin"}, {"actions", {"admin"}}});
  }

  /// Before or after the start: makes a key and returns its secret.
  std::string add(const json& wanted) {
    const auto made = KeyRing::make(KeyRing::parse(wanted, now), now);
    server().keys().put(made.setting);
    return made.secret;
  }
  ShopServer& server() {
    if (!server_) {
      ShopServer::Options options;
      options.config.database.data_store = folder / "shop.db";
      options.config.server.port = 0;
      options.config.server.log = folder / "log";
      options.now = [this] { return now.load(); };
      server_ = std::make_unique<ShopServer>(std::move(options));
    }
    return *server_;
  }
  void stop() { server_.reset(); }
  std::unique_ptr<Client> client() {
    return std::make_unique<Client>("http://127.0.0.1:" + std::to_string(server().port()));
  }
  std::unique_ptr<Client> admin_socket() {
    server();
    return std::make_unique<Client>("unix:" + ShopServer::socket_of(folder / "shop.db"));
  }

  testing::TempDir folder;
  std::atomic<Micros> now = 1'700'000'000 * kSecond;
  std::string admin;

 private:
  std::unique_ptr<ShopServer> server_;
};

struct Operation {
  std::string method, target, scope;
};

/// Every operation of the API document, with something in place of what the path names.
std::vector<Operation> operations(Client& client) {
  std::vector<Operation> found;
  const auto document = body_of(client.get("/apidocs.json"));
  for (const auto& [path, methods] : document.at("paths").items()) {
    std::string target;
    for (size_t i = 0; i < path.size(); ++i) {
      if (path[i] != '{') {
        target += path[i];
        continue;
      }
      target += "x";
      i = path.find('}', i);
    }
    for (const auto& [method, operation] : methods.items()) {
      std::string name = method;
      for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      found.push_back({name, target, operation.value("x-scope", "")});
    }
  }
  return found;
}

Answer ask(Client& client, const Operation& operation, const std::string& key) {
  const std::string body = operation.method == "GET" || operation.method == "DELETE" ? "" : "[]";
  Client::Headers headers = {{"Content-Type", "application/json"}};
  if (!key.empty()) headers.emplace_back("X-API-Key", key);
  return client.request(operation.method, operation.target, body, headers);
}

TEST(Keys, EveryRouteOfTheDocumentNeedsAKeyThatAllowsIt) {
  KeyedShop shop;
  std::map<std::string, std::string> keys;
  for (const auto& action : KeyRing::actions()) keys[action] = shop.add({{"actions", {action}}});
  const auto expiring = shop.add({{"actions", KeyRing::actions()}, {"expires_at", format_time(shop.now + kSecond)}});
  const auto revoked = shop.add({{"actions", {"admin"}}});
  for (const Key& key : shop.server().keys().list())
    if (revoked.starts_with(key.prefix)) shop.server().keys().put(shop.server().keys().revoked(key.id, shop.now));
  shop.now += kDay;
  const auto client = shop.client();
  const auto all = operations(*client);
  ASSERT_GT(all.size(), 50);
  int keyed = 0;
  for (const Operation& operation : all) {
    SCOPED_TRACE(operation.method + " " + operation.target);
    if (operation.scope.empty()) {
      EXPECT_TRUE(operation.target.starts_with("/api/health/") || operation.target.starts_with("/apidocs"));
      EXPECT_EQ(ask(*client, operation, "").status, 200);
      continue;
    }
    ++keyed;
    for (const std::string& key : {std::string(), std::string("fs_wrong"), expiring, revoked}) {
      const auto answer = ask(*client, operation, key);
      EXPECT_EQ(answer.status, 401) << answer.body;
      EXPECT_EQ(code_of(answer), "unauthorized");
      EXPECT_THAT(std::string(answer.header("www-authenticate")), HasSubstr("Bearer"));
    }
    for (const auto& [action, key] : keys) {
      if (action == operation.scope || action == "admin") continue;
      EXPECT_EQ(ask(*client, operation, key).status, 403) << action;
    }
    const auto allowed = ask(*client, operation, keys[operation.scope]);
    EXPECT_NE(allowed.status, 401) << allowed.body;
    EXPECT_NE(allowed.status, 403) << allowed.body;
    EXPECT_LT(allowed.status, 500) << allowed.body;
  }
  EXPECT_GT(keyed, 45);
}

TEST(Keys, EveryPlaceThatClientsPutAKeyIsRead) {
  KeyedShop shop;
  const auto key = shop.add({{"actions", {"events:write", "data:read"}}});
  const auto client = shop.client();
  EXPECT_EQ(client->get("/api/users", {{"X-API-Key", key}}).status, 200);
  EXPECT_EQ(client->get("/api/users", {{"Authorization", "Bearer " + key}}).status, 200);
  EXPECT_EQ(client->get("/api/users", {{"authorization", "bearer " + key}}).status, 200);
  // base64 of "KEY:" by hand would hide the test's point: compare with the reader.
  const auto basic = [](const std::string& pair) {
    std::string text = base64url_of(pair);
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    return "Basic " + text + std::string((4 - text.size() % 4) % 4, '=');
  };
  EXPECT_EQ(client->get("/api/users", {{"Authorization", basic(key + ":")}}).status, 200);
  EXPECT_EQ(client->get("/api/users", {{"Authorization", basic(key)}}).status, 200);
  EXPECT_EQ(client->get("/api/users", {{"Authorization", basic(":" + key)}}).status, 401);
  EXPECT_EQ(client->get("/api/users", {{"Authorization", "Basic %%%"}}).status, 401);
  EXPECT_EQ(client
                ->post("/mp/collect?api_secret=" + percent_encode(key),
                       R"({"client_id":"c","events":[{"name":"page_view"}]})")
                .status,
            200);
  const auto track = [&](const std::string& secret) {
    return client->post(
        "/v1/track",
        json{{"event", "Page Viewed"}, {"anonymousId", "a"}, {"messageId", "m"}, {"writeKey", secret}}.dump());
  };
  EXPECT_EQ(track(key).status, 200);
  EXPECT_EQ(track("fs_wrong").status, 401);
  // Elsewhere a body gives no key.
  EXPECT_EQ(client->post("/api/events", json{{"event", "x"}, {"writeKey", key}}.dump()).status, 401);
}

TEST(Keys, AKeyIsNeverLogged) {
  KeyedShop shop;
  const auto key = shop.add({{"actions", {"data:read"}}});
  const auto client = shop.client();
  client->get("/api/user/alice-1?api_secret=" + key);
  client->get("/api/users", {{"X-API-Key", key}});
  client->get("/api/users", {{"X-API-Key", "fs_wrong_key"}});
  client->get("/api/user/alice-1", {{"X-API-Key", key}});
  client->request("DELETE", "/api/user/alice-1", "", {{"X-API-Key", shop.admin}});
  client->get("/api/user/alice-1/export", {{"X-API-Key", key}});
  shop.stop();
  const std::string log = testing::read_whole(shop.folder / "log");
  EXPECT_THAT(log, HasSubstr("/api/user/{user-id}"));
  EXPECT_THAT(log, HasSubstr("serving, port"));
  EXPECT_THAT(log, HasSubstr("stopped"));
  for (const std::string& secret : {key, shop.admin, std::string("fs_wrong"), std::string("alice-1")})
    EXPECT_THAT(log, Not(HasSubstr(secret)));
}

TEST(Keys, AKeyIsMadeListedAndRevokedOverHttp) {
  KeyedShop shop;
  const auto client = shop.client();
  const auto made = client->post("/api/keys", json{{"name", "site"}, {"actions", {"events:write"}}}.dump(),
                                 {{"X-API-Key", shop.admin}});
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string key = body_of(made)["key"], id = body_of(made)["id"];
  const auto post = [&] { return client->post("/api/events", R"({"event":"search"})", {{"X-API-Key", key}}).status; };
  EXPECT_EQ(post(), 200);
  const auto listed = client->get("/api/keys", {{"X-API-Key", shop.admin}});
  EXPECT_THAT(listed.body, HasSubstr(id));
  EXPECT_THAT(listed.body, Not(HasSubstr(key)));
  EXPECT_THAT(listed.body, Not(HasSubstr("hash")));
  EXPECT_EQ(client->request("DELETE", "/api/keys/" + id, "", {{"X-API-Key", shop.admin}}).status, 200);
  EXPECT_EQ(post(), 401);
  EXPECT_EQ(client->request("DELETE", "/api/keys/none", "", {{"X-API-Key", shop.admin}}).status, 404);
  EXPECT_EQ(client->post("/api/keys", R"({"actions":["all"]})", {{"X-API-Key", shop.admin}}).status, 400);
}

TEST(Keys, ATooFastClientIsToldWhenToComeBack) {
  KeyedShop shop;
  const auto key = shop.add({{"actions", {"data:read"}}, {"rate", 0.5}});
  const auto client = shop.client();
  EXPECT_EQ(client->get("/api/users", {{"X-API-Key", key}}).status, 200);
  const auto refused = client->get("/api/users", {{"X-API-Key", key}});
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(code_of(refused), "too_fast");
  EXPECT_EQ(refused.header("retry-after"), "2");
}

TEST(Keys, TheAdminSocketNeedsNone) {
  KeyedShop shop;
  EXPECT_EQ(shop.admin_socket()->get("/api/keys").status, 200);
  EXPECT_EQ(shop.client()->get("/api/keys").status, 401);
}

TEST(Keys, MetricsNeedAKeyOnceThereIsOne) {
  KeyedShop open(false), keyed;
  EXPECT_EQ(open.client()->get("/metrics").status, 200);
  EXPECT_EQ(keyed.client()->get("/metrics").status, 401);
  EXPECT_EQ(keyed.client()->get("/metrics", {{"X-API-Key", keyed.admin}}).status, 200);
  const auto reader = keyed.add({{"actions", {"data:read"}}});
  EXPECT_EQ(keyed.client()->get("/metrics", {{"X-API-Key", reader}}).status, 200);
}

TEST(Keys, WithoutOneOnlyThisMachineMayAsk) {
  KeyedShop shop(false);
  EXPECT_TRUE(shop.server().open());
  const auto client = shop.client();
  EXPECT_EQ(client->get("/api/users").status, 200);
  EXPECT_EQ(client->get("/api/users", {{"Origin", "http://localhost:3000"}}).status, 200);
  // A page of another site, and a name of another site that was made to point here.
  EXPECT_EQ(code_of(client->get("/api/users", {{"Origin", "https://evil.example"}})), "key_needed");
  EXPECT_EQ(code_of(client->get("/api/users", {{"Sec-Fetch-Site", "cross-site"}})), "key_needed") << "an image of it";
  EXPECT_EQ(client->get("/api/users", {{"Sec-Fetch-Site", "same-origin"}}).status, 200);
  client->send("GET /api/users HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client->receive().status, 403);
  // The first key closes it, and the loss of the last does not open it again.
  shop.add({{"actions", {"admin"}}});
  EXPECT_EQ(client->get("/api/users").status, 401);
  auto& keys = shop.server().keys();
  keys.put(keys.revoked(keys.list().front().id, shop.now));
  EXPECT_EQ(client->get("/api/users").status, 401);
}

TEST(Keys, AServerThatOthersReachDoesNotStartWithoutOne) {
  const testing::TempDir folder;
  ShopServer::Options options;
  options.config.database.data_store = folder / "shop.db";
  options.config.server.port = 0;
  const auto start = [&] {
    try {
      ShopServer server(options);
      return std::string();
    } catch (const InvalidInput& problem) {
      return std::string(problem.what());
    }
  };
  options.config.server.host = "0.0.0.0";
  EXPECT_THAT(start(), HasSubstr("server.host: 0.0.0.0 is reached from other machines"));
  EXPECT_THAT(start(), HasSubstr("fewshop key create"));
  options.config.server.host = "127.0.0.1";
  EXPECT_EQ(start(), "");
  options.config.server.require_key = true;
  EXPECT_THAT(start(), HasSubstr("server.require_key"));
  {
    const auto made = KeyRing::make(KeyRing::parse({{"actions", {"admin"}}}, 1), 1'700'000'000 * kSecond);
    const auto store = ShopStore::open(folder / "shop.db", {});
    store->write([&](ShopStore::Writer& writer) { writer.put_setting(made.setting.name, made.setting.value); });
  }
  EXPECT_EQ(start(), "");
  options.config.server.host = "0.0.0.0";
  EXPECT_EQ(start(), "");
}

TEST(Authorizer, LoopbackIsThisMachineOnly) {
  for (const char* host : {"localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "shop.example", "127.0.0.1.evil.example", ""})
    EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Authorizer, AKeyOfSomeScenariosIsHeldToWhereTheRouteSaysItComesFrom) {
  KeyRing ring;
  const auto made =
      KeyRing::make(KeyRing::parse({{"actions", {"recommend", "models", "data:read"}}, {"scenarios", {"a"}}}, 1), 1);
  ring.put(made.setting);
  std::optional<std::string> by_default = "a";
  const Authorizer authorizer(
      ring, {.origins = {}, .now = [] { return Micros{1}; }, .default_scenario = [&] { return by_default; }});
  const auto status = [&](ScenarioFrom from, const std::string& query, const std::string& body = "",
                          std::map<std::string, std::string> parameters = {}, const std::string& scope = "recommend") {
    const Route route{.path = "/x", .scope = scope, .scenario = from};
    Request request{.path = "/x", .parameters = std::move(parameters)};
    if (!query.empty()) request.query.emplace_back("scenario", query);
    request.body = body;
    request.headers.emplace_back("x-api-key", made.secret);
    try {
      authorizer(request, &route);
      EXPECT_EQ(request.scenarios, std::vector<std::string>{"a"});
      return 200;
    } catch (const HttpError& error) {
      EXPECT_EQ(std::string(error.what()).find("theirs"), std::string::npos) << error.what();
      return error.status;
    }
  };
  using enum ScenarioFrom;
  EXPECT_EQ(status(kQuery, "a"), 200);
  EXPECT_EQ(status(kQuery, "theirs"), 403);
  EXPECT_EQ(status(kQuery, ""), 200);
  EXPECT_EQ(status(kQuery, "a", R"({"scenario":"theirs"})"), 200);  // what the route does not read says nothing
  EXPECT_EQ(status(kPath, "", "{}", {{"name", "a"}}), 200);
  EXPECT_EQ(status(kPath, "a", R"({"scenario":"a"})", {{"name", "theirs"}}), 403);
  EXPECT_EQ(status(kPath, "", "", {{"scenario", "a"}}, "models"), 200);
  EXPECT_EQ(status(kPath, "a", "", {{"scenario", "theirs"}, {"name", "a"}}, "models"), 403);
  EXPECT_EQ(status(kBody, "", R"([{"scenario":"a"},{"scenario":"a"}])"), 200);
  EXPECT_EQ(status(kBody, "a", R"([{"scenario":"a"},{"scenario":"theirs"}])"), 403);
  EXPECT_EQ(status(kBody, "a", R"({"scenario":"theirs"})"), 403);
  EXPECT_EQ(status(kAny, "a", R"({"scenario":"a"})", {}, "models"), 403);
  EXPECT_EQ(status(kNone, "theirs"), 200);
  EXPECT_EQ(status(kUnsaid, "theirs", "", {}, "data:read"), 200);
  for (const std::optional<std::string>& other : {std::optional<std::string>("theirs"), std::optional<std::string>()}) {
    by_default = other;
    EXPECT_EQ(status(kQuery, ""), 403);
    EXPECT_EQ(status(kQuery, "", R"({"scenario":"a"})"), 403);
    EXPECT_EQ(status(kBody, "a", R"([{"scenario":"a"},{}])"), 403);
    EXPECT_EQ(status(kBody, "a", R"({"user_id":"u"})"), 403);
  }
}

}  // namespace
}  // namespace fewshop::http
