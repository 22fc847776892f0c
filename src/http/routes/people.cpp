// What users may ask for under data protection law: everything that is held of them, and to be forgotten.
#include "http/routes/admin.h"

namespace fewshop::http {

using nlohmann::json;

namespace {

/// The schema of rows of the user in tables that the server does not keep.
json rows_by_table() {
  return {{"type", "object"},
          {"additionalProperties", {{"type", "integer"}}},
          {"description", "rows with the user_id in tables that the server does not keep, by table; -1: unreadable"}};
}

}  // namespace

void add_people_routes(Router& router, const Api& api) {
  router.define("Receipt", {{"type", "object"},
                            {"properties",
                             {{"id", {{"type", "string"}, {"description", "keyed hash of the user's id"}}},
                              {"time", {{"type", "string"}}},
                              {"removed", {{"type", "object"}}},
                              {"guests", {{"type", "integer"}}},
                              {"popularity", {{"type", "string"}}},
                              {"other_tables", rows_by_table()},
                              {"check", {{"type", "object"}}},
                              {"out_of_reach", {{"type", "string"}}},
                              {"models", array_of({{"type", "object"}})},
                              {"pending", {{"type", "boolean"}}},
                              {"waits_for", array_of({{"type", "string"}})}}}});
  const json list = array_of({{"type", "object"}}), object = {{"type", "object"}};
  router.define("Export", {{"type", "object"},
                           {"properties",
                            {{"user_id", {{"type", "string"}}},
                             {"time", {{"type", "string"}}},
                             {"user", {{"type", {"object", "null"}}}},
                             {"guests", array_of({{"type", "string"}})},
                             {"consent", object},
                             {"events", list},
                             {"other_tables", rows_by_table()},
                             {"profiles", list}}}});
  router.add(
      {.method = Method::kDelete,
       .path = "/api/user/{user-id}",
       .tag = "users",
       .summary = "Forgets a user: rows, events, the guests joined to it; the receipt says what and where.",
       .scope = "data:write",
       .response = {{"type", "object"},
                    {"properties", {{"RowAffected", {{"type", "integer"}}}, {"receipt", schema_ref("Receipt")}}}},
       .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
         try {
           api.shop.forget(
               request->parameter("user-id"), [reply, id = request->id](const Outcome& outcome, const json& receipt) {
                 if (outcome.error.empty()) {
                   reply(Response::json({{"RowAffected", std::min<int64_t>(1, outcome.rows)}, {"receipt", receipt}}));
                 } else {
                   reply(Response::error(unavailable("nobody was forgotten"), id));
                 }
               });
         } catch (const Overloaded& problem) {
           throw overloaded(problem.what());
         }
       }});
  router.add({.method = Method::kGet,
              .path = "/api/user/{user-id}/export",
              .tag = "users",
              .summary = "Everything that is held of a user, and what each live model makes of it.",
              .scope = "data:read",
              .response = schema_ref("Export"),
              .handle =
                  [api](std::shared_ptr<const Request> request, Reply reply) {
                    Response response = Response::json(api.shop.export_user(request->parameter("user-id")));
                    response.headers.emplace_back("Cache-Control", "no-store");
                    reply(std::move(response));
                  },
              // Tables that the server does not keep are read whole.
              .aside = [](const Request&) { return true; }});
  router.add({.method = Method::kGet,
              .path = "/api/forgotten",
              .tag = "users",
              .summary = "The receipts of all who were forgotten, by keyed hash.",
              .scope = "data:read",
              .query = {{"user_id", "string", "only that of this user"},
                        {"n", "integer", "the latest so many, 1,000 by default"}},
              .response = {{"type", "object"}, {"properties", {{"forgotten", array_of(schema_ref("Receipt"))}}}},
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                reply(Response::json({{"forgotten", api.shop.receipts(request->query_value("user_id").value_or(""),
                                                                      request->query_number("n", 1000, 1, 100'000))}}));
              }});
}

}  // namespace fewshop::http
