#include "http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewshop::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void add(Router& router, Method method, const std::string& path) {
  router.add({.method = method, .path = path, .tag = "", .summary = "", .scope = "", .handle = {}});
}

std::string found(const Router& router, Method method, const std::string& path) {
  const auto match = router.find(method, path);
  return match.route ? match.route->path : "";
}

TEST(Router, ARouteThatAnswersWithModelsSaysWhose) {
  Router router;
  const auto add = [&](const std::string& scope, ScenarioFrom scenario) {
    router.add({.path = "/" + scope, .scope = scope, .scenario = scenario, .handle = {}});
  };
  for (const char* scope : {"recommend", "models"}) {
    EXPECT_THROW(add(scope, ScenarioFrom::kUnsaid), std::logic_error);
    add(scope, ScenarioFrom::kNone);
  }
  EXPECT_THROW(add("data:read", ScenarioFrom::kQuery), std::logic_error);
}

TEST(Router, ATrailingSlashIsOptionalOnBothSides) {
  Router router;
  add(router, Method::kGet, "/api/user/{id}");
  add(router, Method::kGet, "/api/items/");
  EXPECT_EQ(found(router, Method::kGet, "/api/user/7/"), "/api/user/{id}");
  EXPECT_EQ(found(router, Method::kGet, "/api/items"), "/api/items/");
  EXPECT_EQ(found(router, Method::kGet, "/api/user//"), "") << "a segment is not empty";
  EXPECT_EQ(found(router, Method::kGet, "/api/user"), "");
}

TEST(Router, IdsMayContainSlashesAndDots) {
  Router router;
  add(router, Method::kGet, "/api/user/{id}");
  EXPECT_EQ(router.find(Method::kGet, "/api/user/a%2F..%2Fb").parameters.at("id"), "a/../b");
  EXPECT_EQ(router.find(Method::kGet, "/api/user/%7Bid%7D").parameters.at("id"), "{id}");
}

TEST(Router, ALiteralWinsOverAPlaceholderUnlessOnlyThatLeadsOn) {
  Router router;
  add(router, Method::kGet, "/api/popular/{category}");
  add(router, Method::kGet, "/api/popular/best");
  add(router, Method::kGet, "/api/{list}/best/{n}");
  add(router, Method::kDelete, "/api/popular/{other}");
  EXPECT_EQ(found(router, Method::kGet, "/api/popular/best"), "/api/popular/best");
  EXPECT_EQ(found(router, Method::kGet, "/api/popular/worst"), "/api/popular/{category}");
  EXPECT_EQ(found(router, Method::kGet, "/api/popular/best/3"), "/api/{list}/best/{n}");
  const auto match = router.find(Method::kDelete, "/api/popular/best");
  EXPECT_EQ(match.parameters.at("other"), "best") << "placeholders are named by their own route";
}

TEST(Router, OtherMethodsAreNamed) {
  Router router;
  add(router, Method::kGet, "/a");
  add(router, Method::kPost, "/a");
  EXPECT_THAT(router.find(Method::kPut, "/a").allow, ElementsAre(Method::kGet, Method::kPost));
  EXPECT_THAT(router.find(std::nullopt, "/a").allow, ElementsAre(Method::kGet, Method::kPost));
  EXPECT_THAT(router.find(Method::kGet, "/b").allow, IsEmpty());
  EXPECT_EQ(allow_header({Method::kGet, Method::kPost}), "GET, HEAD, POST, OPTIONS");
}

TEST(Router, TheSameRouteTwiceIsAnErrorOfTheProgram) {
  Router router;
  add(router, Method::kGet, "/a/{x}");
  EXPECT_THROW(add(router, Method::kGet, "/a/{y}/"), std::logic_error);
}

}  // namespace
}  // namespace fewshop::http
