// Users and items as Gorse's clients write and read them.
#include <algorithm>

#include "http/routes/api.h"
#include "online/gorse.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

constexpr int64_t kMostPage = 10'000;

template <class Record>
Response page(const Page<Record>& listed, const std::string& name) {
  std::string list = "[";
  for (const Record& record : listed.records) list += (list.size() > 1 ? "," : "") + to_gorse_json(record);
  return {.body = "{\"Cursor\":" + json(listed.cursor).dump() + ",\"" + name + "\":" + list + "]}"};
}

HttpError absent(const std::string& what, const std::string& id) {
  return {404, "not_found", "no " + what + " '" + id.substr(0, 100) + "'"};
}

void add_users(Router& router, const Api& api) {
  router.define("User",
                {{"type", "object"},
                 {"required", {"UserId"}},
                 {"properties",
                  {{"UserId", {{"type", "string"}}}, {"Labels", json::object()}, {"Comment", {{"type", "string"}}}}}});
  const auto put = [api](std::shared_ptr<const Request> request, Reply reply) {
    auto incoming = parse_gorse_users(request->body, parse_context(api, *request));
    Change change;
    change.users = std::move(incoming.records);
    const auto count = std::ssize(change.users);
    submit(api, *request, std::move(change), std::move(reply),
           [count, refusals = incoming.refusals](const Outcome&) { return rows_affected(count, refusals); });
  };
  router.add({.method = Method::kPost,
              .path = "/api/user",
              .tag = "users",
              .summary = "Stores a user, in place of one of the same id.",
              .scope = "data:write",
              .body = schema_ref("User"),
              .response = schema_ref("RowAffected"),
              .handle = put});
  router.add({.method = Method::kPost,
              .path = "/api/users",
              .tag = "users",
              .summary = "Stores many users.",
              .scope = "data:write",
              .body = array_of(schema_ref("User")),
              .response = schema_ref("RowAffected"),
              .handle = put});
  router.add({.method = Method::kGet,
              .path = "/api/users",
              .tag = "users",
              .summary = "Lists users.",
              .scope = "data:read",
              .query = cursor_parameters(),
              .response = {{"type", "object"},
                           {"properties", {{"Cursor", {{"type", "string"}}}, {"Users", array_of(schema_ref("User"))}}}},
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                reply(
                    page(api.shop.store().users(request->query_number("n", 100, 1, kMostPage), asked_cursor(*request)),
                         "Users"));
              }});
  router.add({.method = Method::kGet,
              .path = "/api/user/{user-id}",
              .tag = "users",
              .summary = "A user.",
              .scope = "data:read",
              .response = schema_ref("User"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                const auto user = api.shop.store().user(request->parameter("user-id"));
                if (!user) throw absent("user", request->parameter("user-id"));
                reply({.body = to_gorse_json(*user)});
              }});
  router.add({.method = Method::kPatch,
              .path = "/api/user/{user-id}",
              .tag = "users",
              .summary = "Changes what is given of a user; labels are merged.",
              .scope = "data:write",
              .body = schema_ref("User"),
              .response = schema_ref("RowAffected"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                auto patch =
                    parse_gorse_user_patch(request->body, request->parameter("user-id"), parse_context(api, *request));
                Change change;
                change.user_patches.push_back(std::move(patch));
                submit(api, *request, std::move(change), std::move(reply),
                       [](const Outcome& outcome) { return rows_affected(std::min<int64_t>(1, outcome.rows)); });
              }});
  for (const char* path : {"/api/user/{user-id}/neighbors", "/api/user-to-user/{name}/{user-id}"})
    router.add({.method = Method::kGet,
                .path = path,
                .tag = "users",
                .summary = "Users who had to do with the same items.",
                .scope = "recommend",
                .scenario = ScenarioFrom::kNone,
                .query = {{"n", "integer", "users, 10 by default"}, {"offset", "integer", "users to leave out"}},
                .response = schema_ref("Scores"),
                .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                  json list = json::array();
                  for (const auto& [user, score] : api.shop.similar_users(
                           request->parameter("user-id"),
                           static_cast<int>(request->query_number("n", api.default_n, 1, api.most_n)),
                           static_cast<int>(request->query_number("offset", 0, 0, api.most_n))))
                    list.push_back({{"Id", user}, {"Score", score}});
                  reply(Response::json(list));
                }});
}

void add_items(Router& router, const Api& api) {
  router.define("Item", {{"type", "object"},
                         {"required", {"ItemId"}},
                         {"properties",
                          {{"ItemId", {{"type", "string"}}},
                           {"IsHidden", {{"type", "boolean"}}},
                           {"Categories", array_of({{"type", "string"}})},
                           {"Timestamp", {{"type", "string"}}},
                           {"Labels", json::object()},
                           {"Comment", {{"type", "string"}}}}}});
  const auto put = [api](std::shared_ptr<const Request> request, Reply reply) {
    auto incoming = parse_gorse_items(request->body, parse_context(api, *request));
    Change change;
    change.items = std::move(incoming.records);
    const auto count = std::ssize(change.items);
    submit(api, *request, std::move(change), std::move(reply),
           [count, refusals = incoming.refusals](const Outcome&) { return rows_affected(count, refusals); });
  };
  router.add({.method = Method::kPost,
              .path = "/api/item",
              .tag = "items",
              .summary = "Stores an item, in place of one of the same id.",
              .scope = "data:write",
              .body = schema_ref("Item"),
              .response = schema_ref("RowAffected"),
              .handle = put});
  router.add({.method = Method::kPost,
              .path = "/api/items",
              .tag = "items",
              .summary = "Stores many items.",
              .scope = "data:write",
              .body = array_of(schema_ref("Item")),
              .response = schema_ref("RowAffected"),
              .handle = put});
  auto query = cursor_parameters();
  query.push_back({"q", "string", "only items whose id, comment or labels contain this"});
  router.add({.method = Method::kGet,
              .path = "/api/items",
              .tag = "items",
              .summary = "Lists items.",
              .scope = "data:read",
              .query = query,
              .response = {{"type", "object"},
                           {"properties", {{"Cursor", {{"type", "string"}}}, {"Items", array_of(schema_ref("Item"))}}}},
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                reply(page(api.shop.store().items(request->query_number("n", 100, 1, kMostPage), asked_cursor(*request),
                                                  request->query_value("q").value_or("")),
                           "Items"));
              }});
  router.add({.method = Method::kGet,
              .path = "/api/item/{item-id}",
              .tag = "items",
              .summary = "An item.",
              .scope = "data:read",
              .response = schema_ref("Item"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                const auto item = api.shop.store().item(request->parameter("item-id"));
                if (!item) throw absent("item", request->parameter("item-id"));
                reply({.body = to_gorse_json(*item)});
              }});
  router.add({.method = Method::kPatch,
              .path = "/api/item/{item-id}",
              .tag = "items",
              .summary = "Changes what is given of an item; labels are merged.",
              .scope = "data:write",
              .body = schema_ref("Item"),
              .response = schema_ref("RowAffected"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                auto patch =
                    parse_gorse_item_patch(request->body, request->parameter("item-id"), parse_context(api, *request));
                Change change;
                change.item_patches.push_back(std::move(patch));
                submit(api, *request, std::move(change), std::move(reply),
                       [](const Outcome& outcome) { return rows_affected(std::min<int64_t>(1, outcome.rows)); });
              }});
  router.add({.method = Method::kDelete,
              .path = "/api/item/{item-id}",
              .tag = "items",
              .summary = "Deletes an item and its events.",
              .scope = "data:write",
              .response = schema_ref("RowAffected"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                Change change;
                change.deleted_items.push_back(request->parameter("item-id"));
                submit(api, *request, std::move(change), std::move(reply),
                       [](const Outcome& outcome) { return rows_affected(std::min<int64_t>(1, outcome.rows)); });
              }});
  for (const Method method : {Method::kPut, Method::kDelete})
    router.add(
        {.method = method,
         .path = "/api/item/{item-id}/category/{category}",
         .tag = "items",
         .summary = method == Method::kPut ? "Puts an item into a category." : "Takes an item out of a category.",
         .scope = "data:write",
         .response = schema_ref("RowAffected"),
         .handle = [api, method](std::shared_ptr<const Request> request, Reply reply) {
           const auto item = api.shop.store().item(request->parameter("item-id"));
           if (!item) throw absent("item", request->parameter("item-id"));
           // Said as a difference: two that come at once must not undo each other.
           Change change;
           change.item_patches.push_back(
               {item->item_id,
                {{method == Method::kPut ? "add_category" : "remove_category", request->parameter("category")}}});
           submit(api, *request, std::move(change), std::move(reply),
                  [](const Outcome& outcome) { return rows_affected(std::min<int64_t>(1, outcome.rows)); });
         }});
}

}  // namespace

void add_record_routes(Router& router, const Api& api) {
  router.define("RowAffected",
                {{"type", "object"},
                 {"properties", {{"RowAffected", {{"type", "integer"}}}, {"rejected", schema_ref("Rejected")}}}});
  router.define("Rejected", array_of({{"type", "object"},
                                      {"properties",
                                       {{"index", {{"type", "integer"}}},
                                        {"event_id", {{"type", "string"}}},
                                        {"reason", {{"type", "string"}}}}}}));
  add_users(router, api);
  add_items(router, api);
}

}  // namespace fewshop::http
