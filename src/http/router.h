#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/route.h"

namespace fewshop::http {

/// The table of routes. It is filled before a Server starts and does not change afterwards; Server, API document and
/// metrics refer to the routes in it, so it stays where it is and outlives them.
///
/// Matching: a template is cut at "/"; "{name}" stands for exactly one segment that is not empty, everything else for
/// itself. A literal segment wins over a placeholder, segment by segment from the left, unless only the placeholder
/// leads to a route of this method. Escapes are decoded after the path was cut: "/api/user/a%2Fb" names the user "a/b".
class Router {
 public:
  Router();
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// Throws std::logic_error where a route of the same method and path (up to names of placeholders) is there, and
  /// where one that answers with models does not say whose (Route::scenario).
  void add(Route route);

  /// A schema that routes refer to as {"$ref": "#/components/schemas/NAME"}.
  void define(const std::string& name, nlohmann::json schema);

  struct Match {
    const Route* route = nullptr;  // null: see `allow`
    std::map<std::string, std::string> parameters;
    std::vector<Method> allow;  // without a route: the methods that this path has; empty = no such path
  };
  /// `method` is nullopt for one that no route has (OPTIONS, TRACE, ...). Throws HttpError 400 for a broken path.
  Match find(std::optional<Method> method, std::string_view path) const;

  /// In the order they were added.
  const std::vector<std::unique_ptr<const Route>>& routes() const { return routes_; }
  const std::map<std::string, nlohmann::json>& schemas() const { return schemas_; }

 private:
  struct Node;

  std::vector<std::unique_ptr<const Route>> routes_;
  std::map<std::string, nlohmann::json> schemas_;
  std::unique_ptr<Node> root_;
};

std::string_view method_name(Method method);
/// Nothing for a method that no route can have.
std::optional<Method> parse_method(std::string_view name);
/// "GET, HEAD, POST, OPTIONS": the value of the header Allow.
std::string allow_header(const std::vector<Method>& methods);
/// The names of the placeholders of a template, from left to right.
std::vector<std::string> placeholders(std::string_view path_template);

}  // namespace fewshop::http
