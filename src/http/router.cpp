#include "http/router.h"

#include <array>
#include <functional>
#include <stdexcept>

#include "http/url.h"

namespace fewshop::http {
namespace {

constexpr size_t kMethods = 5;
constexpr std::array<std::string_view, kMethods> kNames = {"GET", "POST", "PUT", "PATCH", "DELETE"};

std::vector<std::string_view> cut(std::string_view path) {
  std::vector<std::string_view> out;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    out.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return out;
}

bool is_placeholder(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

}  // namespace

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> placeholder;
  std::array<const Route*, kMethods> routes{};

  // The best route below this node for segments[i...]; notes the methods of every node that the path reaches.
  const Route* find(const std::vector<std::string>& segments, size_t i, std::optional<Method> method,
                    std::array<bool, kMethods>& seen) const {
    if (i == segments.size()) {
      for (size_t m = 0; m < kMethods; ++m) seen[m] = seen[m] || routes[m];
      return method ? routes[static_cast<size_t>(*method)] : nullptr;
    }
    if (segments[i].empty()) return nullptr;
    if (const auto next = literals.find(segments[i]); next != literals.end())
      if (const Route* route = next->second->find(segments, i + 1, method, seen)) return route;
    return placeholder ? placeholder->find(segments, i + 1, method, seen) : nullptr;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(Route route) {
  if (!route.path.starts_with('/')) throw std::logic_error("route '" + route.path + "' does not begin with /");
  const bool of_models = route.scope == "recommend" || route.scope == "models";
  if (of_models != (route.scenario != ScenarioFrom::kUnsaid))
    throw std::logic_error(route.path + ": `scenario` is to be said of routes with the scope recommend or models");
  Node* node = root_.get();
  for (const std::string_view segment : cut(route.path)) {
    std::unique_ptr<Node>& next = is_placeholder(segment) ? node->placeholder : node->literals[std::string(segment)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  const Route*& place = node->routes[static_cast<size_t>(route.method)];
  if (place)
    throw std::logic_error(std::string(method_name(route.method)) + " " + route.path + " is there already, as " +
                           place->path);
  routes_.push_back(std::make_unique<const Route>(std::move(route)));
  place = routes_.back().get();
}

void Router::define(const std::string& name, nlohmann::json schema) {
  if (!schemas_.emplace(name, std::move(schema)).second)
    throw std::logic_error("schema '" + name + "' is there already");
}

Router::Match Router::find(std::optional<Method> method, std::string_view path) const {
  Match match;
  std::vector<std::string> segments = path_segments(path);
  if (!path.starts_with('/')) return match;
  std::array<bool, kMethods> seen{};
  match.route = root_->find(segments, 0, method, seen);
  if (match.route) {
    const auto parts = cut(match.route->path);
    for (size_t i = 0; i < parts.size(); ++i)
      if (is_placeholder(parts[i]))
        match.parameters.emplace(parts[i].substr(1, parts[i].size() - 2), std::move(segments[i]));
    return match;
  }
  for (size_t m = 0; m < kMethods; ++m)
    if (seen[m]) match.allow.push_back(static_cast<Method>(m));
  return match;
}

std::string_view method_name(Method method) { return kNames[static_cast<size_t>(method)]; }

std::optional<Method> parse_method(std::string_view name) {
  for (size_t m = 0; m < kMethods; ++m)
    if (kNames[m] == name) return static_cast<Method>(m);
  return std::nullopt;
}

std::string allow_header(const std::vector<Method>& methods) {
  std::string out;
  for (const Method method : methods) {
    out += method_name(method);
    out += method == Method::kGet ? ", HEAD, " : ", ";
  }
  return out + "OPTIONS";
}

std::vector<std::string> placeholders(std::string_view path_template) {
  std::vector<std::string> out;
  for (const std::string_view segment : cut(path_template))
    if (is_placeholder(segment)) out.emplace_back(segment.substr(1, segment.size() - 2));
  return out;
}

}  // namespace fewshop::http
