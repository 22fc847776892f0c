// Bad and odd requests against every route that the API document names: each gets an answer of the documented shape
// that is no 5xx, and the server and its database are whole afterwards.
#include <set>
#include <thread>

#include "core/random.h"
#include "http/coding.h"
#include "http/url.h"
#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

int number_from(const char* variable, int otherwise) {
  const char* value = std::getenv(variable);
  return value ? std::atoi(value) : otherwise;
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

/// Texts that something may stumble over, as they are, well-formed UTF-8.
const std::vector<std::string>& odd_texts() {
  static const std::vector<std::string> texts = {"",
                                                 " ",
                                                 "0",
                                                 "-1",
                                                 "1e308",
                                                 "-1e309",
                                                 "NaN",
                                                 "Infinity",
                                                 "null",
                                                 "true",
                                                 "9223372036854775808",
                                                 "-9223372036854775808",
                                                 "99999999999999999999999999",
                                                 "' or 1=1 --",
                                                 "'; drop table events; --",
                                                 "\"; delete from items; --",
                                                 "x' union select user_id from users --",
                                                 "price < 20",
                                                 "(select count(*) from users)",
                                                 "randomblob(1000000000)",
                                                 "abs(-9223372036854775808)",
                                                 "1) or (1",
                                                 "item_id like '%' escape ''",
                                                 "?1",
                                                 "../../../../etc/passwd",
                                                 "..\\..\\windows",
                                                 "a/b/c",
                                                 "//",
                                                 ".",
                                                 "..",
                                                 "a,b,,c",
                                                 "0:item-1",
                                                 "price:1",
                                                 "1:price > 3",
                                                 "1e9:x",
                                                 ":::",
                                                 "%s%n%d",
                                                 "{}{0}{:>1000000}",
                                                 "<script>alert(1)</script>",
                                                 "\r\nX-Injected: 1\r\n\r\n",
                                                 "\t\x01\x7f",
                                                 "\xe2\x80\xae\xf0\x9f\x98\x80\xcc\x81",
                                                 "\xef\xbf\xbf",
                                                 repeated("x", 1024),
                                                 repeated("x", 1025),
                                                 repeated("\xc3\xa9", 2000),
                                                 repeated("[", 3000),
                                                 "item-1",
                                                 "u1",
                                                 "2262-04-11T23:47:16.854775807Z",
                                                 "0001-01-01T00:00:00Z",
                                                 "-271821-04-20",
                                                 "2024-02-30T25:61:61+99:99",
                                                 "106751991d",
                                                 "9e18s"};
  return texts;
}

/// Requests for one server, from one seed.
class Maker {
 public:
  Maker(json document, Random random) : document_(std::move(document)), random_(random) {}

  struct Made {
    std::string method, target, body;
    Client::Headers headers;
    std::string text() const { return method + " " + target.substr(0, 300) + "\n" + body.substr(0, 600); }
  };

  std::vector<std::pair<std::string, std::string>> routes() const {
    std::vector<std::pair<std::string, std::string>> routes;
    for (const auto& [path, methods] : document_.at("paths").items())
      for (const auto& [method, operation] : methods.items()) routes.emplace_back(method, path);
    return routes;
  }

  Made make(const std::string& method, const std::string& path) {
    const json& operation = document_.at("paths").at(path).at(method);
    Made made;
    made.method = method;
    for (char& c : made.method) c = static_cast<char>(std::toupper(c));
    if (chance(0.05))
      made.method = pick<std::string>({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"});
    made.target = target(path) + query(operation);
    if (operation.contains("requestBody") ? !chance(0.05) : chance(0.2)) made.body = body(operation);
    if (chance(0.1))
      made.headers.emplace_back(
          "Content-Type", pick<std::string>({"application/x-ndjson", "text/plain", "multipart/form-data; boundary=x",
                                             ";;;", "application/json; charset=utf-16"}));
    if (chance(0.05))
      made.headers.emplace_back("Content-Encoding",
                                pick<std::string>({"gzip", "zstd", "deflate", "br", "gzip, gzip", "identity", "x"}));
    if (chance(0.05)) made.headers.emplace_back("X-API-Version", pick<std::string>({"2", "-1", "x"}));
    if (chance(0.05))
      made.headers.emplace_back("X-Request-ID", pick<std::string>({"a-b", repeated("x", 500), "{\"a\":1}"}));
    if (chance(0.05))
      made.headers.emplace_back("Authorization", pick<std::string>({"Basic !!!", "Basic Og==", "Bearer x", ""}));
    if (chance(0.05))
      made.headers.emplace_back("Accept-Encoding", pick<std::string>({"gzip;q=x", "zstd", "*;q=0", ",,,"}));
    return made;
  }

 private:
  bool chance(double probability) { return random_.uniform() < probability; }
  template <class T>
  const T& pick(const std::vector<T>& list) {
    return list[random_.below(list.size())];
  }
  template <class T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[random_.below(list.size())];
  }
  const std::string& odd() { return pick(odd_texts()); }

  std::string usual(const std::string& name) {
    if (name.find("tem") != std::string::npos) return fmt::format("item-{}", random_.below(60));
    if (name.find("ser") != std::string::npos) return fmt::format("u{}", random_.below(20));
    if (name.find("type") != std::string::npos || name.find("Type") != std::string::npos) return "purchase";
    if (name.find("ategor") != std::string::npos) return "even";
    if (name == "name") return pick<std::string>({"also", "similar", "small-ranking"});
    if (name == "scenario") return "small-ranking";
    if (name == "Timestamp" || name == "timestamp") return "2024-05-06T07:08:09Z";
    if (name == "event") return "view_item";
    if (name == "filter") return "price < 20";
    if (name == "cap") return "colour:2";
    if (name == "boost") return "0.5:price < 10";
    if (name == "pin") return "1:item-3";
    if (name == "write-back-delay") return "10m";
    return fmt::format("v{}", random_.below(10));
  }

  std::string target(const std::string& path) {
    std::string target;
    for (size_t at = 0; at < path.size();) {
      if (path[at] != '{') {
        target += path[at++];
        continue;
      }
      const size_t end = path.find('}', at);
      const std::string name = path.substr(at + 1, end - at - 1);
      at = end + 1;
      if (!chance(0.4))
        target += percent_encode(usual(name));
      else if (chance(0.6))
        target += percent_encode(odd());
      else
        target += pick<std::string>({"%2e%2e", "%2F", "%2f..%2f", "%00", "%", "%zz", "%ff%fe", "%c0%af", "..", ".", "",
                                     "/", "a//b", "%ed%a0%80", "%252e", "*", ";jsessionid=1", "item-1?n=1", "#x"});
    }
    if (chance(0.03))
      target += pick<std::string>({"/", "//", "/../", "/.", "/%2e%2e/%2e%2e/etc/passwd", "%20", "/x/y/z"});
    if (chance(0.02))
      target = pick<std::string>({"http://evil.example" + target, "/" + target, "/%2e%2e" + target, "/./" + target});
    return target;
  }

  std::string query(const json& operation) {
    std::string query;
    const auto add = [&](const std::string& name, const std::string& value) {
      query += (query.empty() ? "?" : "&") + name + (chance(0.03) ? "" : "=" + value);
    };
    for (const json& parameter : operation.value("parameters", json::array())) {
      if (parameter.at("in") != "query" || !chance(0.3)) continue;
      const std::string name = parameter.at("name"), type = parameter.at("schema").value("type", "string");
      for (int times = chance(0.1) ? 3 : 1; times > 0; --times)
        add(name, chance(0.4)         ? percent_encode(odd())
                  : type == "integer" ? std::to_string(random_.below(30))
                  : type == "number"  ? fmt::format("{:.2f}", random_.uniform())
                  : type == "boolean" ? pick<std::string>({"true", "false", "1", "0"})
                                      : percent_encode(usual(name)));
    }
    if (chance(0.1)) add(percent_encode(odd()), percent_encode(odd()));
    if (chance(0.03)) query += pick<std::string>({"?", "&&&", "?=&=", "?%", "?n=%ff", "?a=%00", "?%zz=1"});
    if (chance(0.005))
      for (int i = 0; i < 1100; ++i) add("x", "1");
    return query;
  }

  /// A value as the schema has it.
  json usual(const json& schema, const std::string& name) {
    if (!schema.is_object()) return usual(json::object(), name);
    if (schema.contains("$ref"))
      return usual(document_.at(json::json_pointer(schema.at("$ref").get<std::string>().substr(1))), name);
    if (schema.contains("oneOf")) return usual(schema.at("oneOf").at(random_.below(schema.at("oneOf").size())), name);
    std::string type = "string";
    if (schema.contains("type")) {
      const json& given = schema.at("type");
      type = given.is_array() ? given.at(random_.below(given.size())).get<std::string>() : given.get<std::string>();
    } else if (schema.empty()) {
      type = "object";
    }
    if (type == "array") {
      json list = json::array();
      for (uint64_t i = random_.below(4); i > 0; --i)
        list.push_back(schema.contains("items") ? usual(schema.at("items"), name)
                                                : usual(json{{"type", "object"}}, name));
      return list;
    }
    if (type == "object") {
      json object = json::object();
      const json properties = schema.value("properties", json::object());
      for (const auto& [member, of] : properties.items())
        if (chance(0.7)) object[member] = usual(of, member);
      for (const json& required : schema.value("required", json::array()))
        if (!object.contains(required) && chance(0.95))
          object[required.get<std::string>()] = usual(json{{"type", "string"}}, required);
      if (chance(0.5))
        for (const char* member : {"item_id", "user_id", "n",          "caps",   "pins",   "boosts",      "filter",
                                   "type",    "event",   "properties", "traits", "userId", "anonymousId", "messageId",
                                   "batch",   "context", "client_id",  "events", "params", "name",        "colour"})
          if (chance(0.15)) object[member] = any(2);
      return object;
    }
    if (type == "integer") return random_.below(20);
    if (type == "number") return random_.uniform() * 10;
    if (type == "boolean") return chance(0.5);
    return usual(name);
  }

  /// Any value at all.
  json any(int depth) {
    switch (random_.below(depth > 0 ? 14 : 10)) {
      case 0:
        return nullptr;
      case 1:
        return chance(0.5);
      case 2:
        return -1;
      case 3:
        return 1e308;
      case 4:
        return std::numeric_limits<uint64_t>::max();
      case 5:
        return std::numeric_limits<int64_t>::min();
      case 6:
        return -0.0;
      case 7:
        return 4294967297;
      case 8:
      case 9:
        return odd();
      case 10: {
        json list = json::array();
        for (uint64_t i = random_.below(4); i > 0; --i) list.push_back(any(depth - 1));
        return list;
      }
      default: {
        json object = json::object();
        for (uint64_t i = random_.below(4); i > 0; --i)
          object[chance(0.3)
                     ? odd()
                     : pick<std::string>({"item_id", "user_id", "labels", "price", "rating", "id", "name", "value"})] =
              any(depth - 1);
        return object;
      }
    }
  }

  /// Replaces, removes or adds something at one place.
  void change(json& value, int depth) {
    if (value.is_structured() && !value.empty() && depth > 0 && !chance(0.15)) {
      const uint64_t at = random_.below(value.size());
      if (value.is_array()) {
        change(value[at], depth - 1);
      } else {
        auto member = value.begin();
        std::advance(member, at);
        if (chance(0.15))
          value.erase(member);
        else if (chance(0.1))
          value[odd()] = any(2);
        else
          change(member.value(), depth - 1);
      }
      return;
    }
    value = any(3);
  }

  std::string body(const json& operation) {
    json schema = json::object();
    if (operation.contains("requestBody"))
      schema = operation.at("requestBody").at("content").begin().value().at("schema");
    json value = usual(schema, "");
    for (uint64_t changes = random_.below(3); changes > 0; --changes) change(value, 5);
    std::string text = value.dump();
    if (chance(0.75)) return text;
    const size_t at = random_.below(text.size() + 1);
    switch (random_.below(12)) {
      case 0:
        return "";
      case 1:
        return text.substr(0, at);
      case 2:
        return text + text;
      case 3:
        return text + "\n" + text.substr(0, at) + "\n" + text;
      case 4:  // twice the same member
        return text.starts_with("{\"") ? "{" + text.substr(1, text.size() - 2) + "," + text.substr(1)
                                       : "{\"n\":1,\"n\":[],\"n\":null}";
      case 5:
        return text.insert(at, pick<std::string>({"\xff\xfe", "\xc0\x80", "\xed\xa0\x80", std::string(1, '\0'),
                                                  "\xf8\x88\x80\x80\x80"}));
      case 6:
        return text.insert(
            at, pick<std::string>({"NaN", "Infinity", "1e999", "-", "01", "'", "\\u", "\\ud800", "/*", ",", "]", "}"}));
      case 7:
        return repeated("[", 10'000) + repeated("]", 10'000);
      case 8:
        return repeated("{\"a\":", 10'000) + "1" + repeated("}", 10'000);
      case 9:
        return pick<std::string>(
            {"null", "[]", "{}", "[[]]", "[null]", "0", "\"\"", "[{}]", " ", "\xef\xbb\xbf{}", "1e308", "\"\\u0000\""});
      case 10:
        return "{\"items\":" + repeated("[", 40) + text + repeated("]", 40) + "}";
      default:
        for (int flips = 3; flips > 0 && !text.empty(); --flips)
          text[random_.below(text.size())] = static_cast<char>(random_.below(256));
        return text;
    }
  }

  json document_;
  Random random_;
};

/// What every answer has to be.
void expect_sound(const Answer& answer, const std::string& method) {
  if (answer.status >= 500) {
    EXPECT_EQ(answer.status, 503) << answer.body;
    EXPECT_EQ(code_of(answer), "overloaded") << answer.body;
  }
  EXPECT_GE(answer.status, 200);
  EXPECT_FALSE(answer.header("x-request-id").empty());
  EXPECT_EQ(answer.header("x-injected"), "");
  if (method == "HEAD" || !answer.header("content-encoding").empty()) return;
  const bool is_json = answer.header("content-type").starts_with("application/json");
  if (answer.status >= 400) {
    EXPECT_TRUE(is_json);
    const json body = json::parse(answer.body, nullptr, false);
    ASSERT_TRUE(body.is_object() && body.size() == 1 && body.contains("error")) << answer.body;
    const json& error = body.at("error");
    ASSERT_EQ(error.size(), 3u) << answer.body;
    EXPECT_FALSE(error.at("code").get<std::string>().empty());
    EXPECT_FALSE(error.at("message").get<std::string>().empty());
    EXPECT_EQ(error.at("request_id"), answer.header("x-request-id"));
  } else if (is_json && !answer.body.empty()) {
    EXPECT_TRUE(json::accept(answer.body)) << answer.body.substr(0, 300);
  }
}

void expect_healthy(ShopServe& shop) {
  EXPECT_EQ(shop.client()->get("/api/health/ready").status, 200);
  const Answer posted =
      shop.client()->post("/api/events", event_body("at-last-" + shop.server->shop().new_id(), "u1", "item-1"));
  EXPECT_EQ(posted.status, 200) << posted.body;
  EXPECT_EQ(shop.client()->get("/api/recommend/u1").status, 200);
  shop.stop();
  EXPECT_EQ(text_in(shop.database(), "pragma integrity_check"), "ok");
  shop.start();  // and it can be opened again
}

TEST(Abuse, OddRequestsOfEveryRouteAreAnsweredInOneShape) {
  const int seed = number_from("FEWSHOP_SEED", 1), rounds = number_from("FEWSHOP_ABUSE_ROUNDS", 40);
  ShopServe shop;
  auto client = shop.client();
  Maker maker(body_of(client->get("/apidocs.json")), Random(static_cast<uint64_t>(seed)));
  const auto routes = maker.routes();
  ASSERT_GT(routes.size(), 40u);
  std::map<int, int> statuses;
  for (int round = 0; round < rounds; ++round)
    for (const auto& [method, path] : routes) {
      const auto made = maker.make(method, path);
      SCOPED_TRACE(fmt::format("FEWSHOP_SEED={} round {}\n{}", seed, round, made.text()));
      try {
        const Answer answer = client->request(made.method, made.target, made.body, made.headers);
        ++statuses[answer.status];
        expect_sound(answer, made.method);
      } catch (const std::exception& problem) {
        ADD_FAILURE() << problem.what();
        client = shop.client();
      }
      if (HasFailure()) return;
    }
  EXPECT_GT(statuses[200], 300);  // odd, and not all of them nonsense
  EXPECT_GT(statuses[400], 300);
  expect_healthy(shop);
}

/// Calls use(method, target) for every route that takes a body.
template <class Use>
void each_route_with_body(ShopServe& shop, Use&& use) {
  const json document = body_of(shop.client()->get("/apidocs.json"));
  int routes = 0;
  for (const auto& [path, methods] : document.at("paths").items())
    for (const auto& [method, operation] : methods.items()) {
      if (!operation.contains("requestBody")) continue;
      std::string target = path, verb = method;
      for (char& c : verb) c = static_cast<char>(std::toupper(c));
      for (size_t at; (at = target.find('{')) != std::string::npos;)
        target.replace(at, target.find('}') - at + 1,
                       path.find("scenarios") != std::string::npos ? "small-ranking" : "x");
      use(verb, target);
      ++routes;
    }
  EXPECT_GT(routes, 20);
}

TEST(Abuse, NestingOfAMillionLevelsIsRefusedByEveryRoute) {
  ShopServe shop;
  auto client = shop.client();
  constexpr int kLevels = 1'000'000;
  const std::vector<std::string> bodies = {repeated("[", kLevels) + repeated("]", kLevels),
                                           "{\"query\":" + repeated("[", kLevels) + repeated("]", kLevels) + "}",
                                           repeated("[", kLevels)};
  each_route_with_body(shop, [&](const std::string& verb, const std::string& target) {
    for (const auto& body : bodies) {
      SCOPED_TRACE(verb + " " + target + " " + body.substr(0, 20));
      const Answer answer = client->request(verb, target, body);
      expect_sound(answer, verb);
    }
  });
  expect_healthy(shop);
}

TEST(Abuse, BodiesThatGrowAThousandTimesAreRefusedByEveryRoute) {
  ShopServe shop([](ShopServer::Options& options) { options.config.server.max_body_mb = 1; });
  auto client = shop.client();
  for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
    const std::string bomb = encode(coding, "[" + std::string(64 << 20, ' ') + "]");
    ASSERT_LT(bomb.size(), 1U << 20);
    each_route_with_body(shop, [&](const std::string& verb, const std::string& target) {
      SCOPED_TRACE(verb + " " + target);
      const Answer answer =
          client->request(verb, target, bomb, {{"Content-Encoding", std::string(coding_name(coding))}});
      EXPECT_EQ(answer.status, 413);
      EXPECT_EQ(code_of(answer), "body_too_large");
    });
  }
  expect_healthy(shop);
}

TEST(Abuse, AnItemForWhichAKeptFilterFailsDoesNotEndTheServer) {
  ShopServe shop;
  auto client = shop.client();
  // Fails for the smallest integer: found in no item so far.
  const std::string list = "/api/recommend/u1?filter=" + percent_encode("abs(stock) > 3 or stock is null");
  ASSERT_EQ(client->post("/api/item", R"({"ItemId":"item-1","Labels":{"stock":7}})").status, 200);
  ASSERT_EQ(client->get(list).status, 200);
  ASSERT_EQ(client->post("/api/item", R"({"ItemId":"item-2","Labels":{"stock":-9223372036854775808}})").status, 200);
  const Answer answer = client->get(list);
  expect_sound(answer, "GET");
  ASSERT_EQ(client->post("/api/item", R"({"ItemId":"item-2","Labels":{"stock":1}})").status, 200);
  EXPECT_EQ(client->get(list).status, 200);
  expect_healthy(shop);
}

TEST(Abuse, RowsOfManyDifferentMembersTakeNoMoreMemoryThanTheyAreLong) {
  ShopServe shop;
  json rows = json::array();
  for (int r = 0; r < 10'000; ++r) {
    json row = {{"item_id", "item-1"}};
    for (int c = 0; c < 20; ++c) row[fmt::format("m{}-{}", r, c)] = 1;
    rows.push_back(std::move(row));
  }
  const Answer answer = shop.client()->post("/api/scenarios/small-ranking/predict",
                                            json{{"support", rows}, {"query", {{{"item_id", "item-2"}}}}}.dump());
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("different members"));
}

TEST(Abuse, RulesOfOneListAreLimited) {
  ShopServe shop;
  auto client = shop.client();
  json pins = json::array();
  for (int i = 0; i < 200'000; ++i) pins.push_back({{"item_id", "item-1"}, {"place", 0}});
  const Answer answer = client->post("/api/recommend", json{{"user_id", "u1"}, {"pins", pins}}.dump());
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("pins: at most"));
  std::string many = "/api/recommend/u1?n=1";
  for (int i = 0; i < 100; ++i) many += "&boost=1:price%3E" + std::to_string(i);
  EXPECT_EQ(client->get(many).status, 400);
}

TEST(Abuse, QuestionsMakeNoKindOfEventKnown) {
  ShopServe shop;
  auto client = shop.client();
  // More kinds than there are numbers for; events of a new kind count nevertheless.
  for (int batch = 0; batch < 14; ++batch) {
    json feedback = json::array();
    for (int i = 0; i < 5'000; ++i)
      feedback.push_back({{"FeedbackType", fmt::format("kind-{}-{}", batch, i)}, {"ItemId", "item-1"}});
    ASSERT_EQ(client->post("/api/session/recommend", feedback.dump()).status, 200);
  }
  const Answer answer = client->post("/api/session/recommend", R"([{"FeedbackType":"new","ItemId":"item-1"}])");
  EXPECT_EQ(answer.status, 200) << answer.body;
}

}  // namespace
}  // namespace fewshop::http
