// Feedback as Gorse's clients write and read it.
#include "http/routes/api.h"
#include "online/gorse.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

json feedback_schema() {
  return {{"type", "object"},
          {"required", {"FeedbackType", "UserId", "ItemId"}},
          {"properties",
           {{"FeedbackType", {{"type", "string"}}},
            {"UserId", {{"type", "string"}}},
            {"ItemId", {{"type", "string"}}},
            {"Value", {{"type", "number"}}},
            {"Timestamp", {{"type", "string"}}},
            {"Labels", json::object()},
            {"Comment", {{"type", "string"}}}}}};
}

constexpr int64_t kMostPage = 10'000;

Response page(const Api& api, const Request& request, const std::string& type, const std::string& user,
              const std::string& item) {
  const auto listed =
      api.shop.store().feedback(type, user, item, request.query_number("n", 100, 1, kMostPage), asked_cursor(request));
  std::string list = "[";
  for (const FeedbackRecord& record : listed.records) list += (list.size() > 1 ? "," : "") + to_gorse_json(record);
  list += "]";
  return {.body =
              "{\"Cursor\":" + json(listed.cursor).dump() + ",\"Feedback\":" + list + ",\"Feedbacks\":" + list + "}"};
}

/// A bare list, as clients expect it; where there is more, a header says how to ask for it.
Response list(const Api& api, const Request& request, const std::string& type, const std::string& user,
              const std::string& item) {
  const auto listed = api.shop.store().feedback(type, user, item, request.query_number("n", kMostPage, 1, kMostPage),
                                                asked_cursor(request));
  std::string body = "[";
  for (const FeedbackRecord& record : listed.records) body += (body.size() > 1 ? "," : "") + to_gorse_json(record);
  Response response{.body = body + "]"};
  add_next_cursor(response, listed.cursor);
  return response;
}

std::string parameter(const Request& request, const std::string& name) {
  const auto found = request.parameters.find(name);
  return found == request.parameters.end() ? "" : found->second;
}

}  // namespace

void add_feedback_routes(Router& router, const Api& api) {
  router.define("Feedback", feedback_schema());

  router.add({.method = Method::kPost,
              .path = "/api/feedback",
              .tag = "feedback",
              .summary = "Stores feedback; the Values of one type, user and item add up.",
              .scope = "events:write",
              .body = one_or_many("Feedback"),
              .response = schema_ref("RowAffected"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                Incoming incoming = admitted(api, parse_gorse_feedback(request->body, parse_context(api, *request)));
                const auto refusals = incoming.refusals;
                submit(api, *request, change_of(incoming), std::move(reply),
                       [refusals](const Outcome& outcome) { return rows_affected(outcome.accepted, refusals); });
              }});
  router.add({.method = Method::kPut,
              .path = "/api/feedback",
              .tag = "feedback",
              .summary = "Stores feedback in place of what there is of the same type, user and item.",
              .scope = "data:write",
              .body = one_or_many("Feedback"),
              .response = schema_ref("RowAffected"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                Incoming incoming = admitted(api, parse_gorse_feedback(request->body, parse_context(api, *request)));
                Change change;
                change.overwritten_feedback = std::move(incoming.events);
                const auto count = std::ssize(change.overwritten_feedback);
                submit(
                    api, *request, std::move(change), std::move(reply),
                    [count, refusals = incoming.refusals](const Outcome&) { return rows_affected(count, refusals); });
              }});
  for (const char* path : {"/api/feedback", "/api/feedback/{feedback-type}"})
    router.add({.method = Method::kGet,
                .path = path,
                .tag = "feedback",
                .summary = "Lists feedback.",
                .scope = "data:read",
                .query = cursor_parameters(),
                .response = schema_ref("FeedbackPage"),
                .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                  reply(page(api, *request, parameter(*request, "feedback-type"), "", ""));
                }});
  router.define("FeedbackPage", {{"type", "object"},
                                 {"properties",
                                  {{"Cursor", {{"type", "string"}}},
                                   {"Feedback", array_of(schema_ref("Feedback"))},
                                   {"Feedbacks", array_of(schema_ref("Feedback"))}}}});
  // Two segments are a user and an item, as Gorse has it.
  router.add({.method = Method::kGet,
              .path = "/api/feedback/{user-id}/{item-id}",
              .tag = "feedback",
              .summary = "A user's feedback for an item, of every type.",
              .scope = "data:read",
              .query = page_parameters("feedback"),
              .answer_headers = page_headers(),
              .response = array_of(schema_ref("Feedback")),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                reply(list(api, *request, "", request->parameter("user-id"), request->parameter("item-id")));
              }});
  router.add({.method = Method::kGet,
              .path = "/api/feedback/{feedback-type}/{user-id}/{item-id}",
              .tag = "feedback",
              .summary = "A user's feedback of a type for an item.",
              .scope = "data:read",
              .response = schema_ref("Feedback"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                const auto listed =
                    api.shop.store().feedback(request->parameter("feedback-type"), request->parameter("user-id"),
                                              request->parameter("item-id"), 1, "");
                if (listed.records.empty()) throw HttpError(404, "not_found", "no such feedback");
                reply({.body = to_gorse_json(listed.records.front())});
              }});
  for (const char* path : {"/api/feedback/{user-id}/{item-id}", "/api/feedback/{feedback-type}/{user-id}/{item-id}"})
    router.add({.method = Method::kDelete,
                .path = path,
                .tag = "feedback",
                .summary = "Deletes a user's feedback for an item.",
                .scope = "data:write",
                .response = schema_ref("RowAffected"),
                .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                  Change change;
                  change.deleted_feedback.push_back({parameter(*request, "feedback-type"),
                                                     request->parameter("user-id"), request->parameter("item-id")});
                  submit(api, *request, std::move(change), std::move(reply),
                         [](const Outcome& outcome) { return rows_affected(outcome.rows); });
                }});
  for (const char* path : {"/api/user/{user-id}/feedback", "/api/user/{user-id}/feedback/{feedback-type}"})
    router.add({.method = Method::kGet,
                .path = path,
                .tag = "feedback",
                .summary = "A user's feedback.",
                .scope = "data:read",
                .query = page_parameters("feedback"),
                .answer_headers = page_headers(),
                .response = array_of(schema_ref("Feedback")),
                .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                  reply(list(api, *request, parameter(*request, "feedback-type"), request->parameter("user-id"), ""));
                }});
  for (const char* path : {"/api/item/{item-id}/feedback", "/api/item/{item-id}/feedback/{feedback-type}"})
    router.add({.method = Method::kGet,
                .path = path,
                .tag = "feedback",
                .summary = "An item's feedback.",
                .scope = "data:read",
                .query = page_parameters("feedback"),
                .answer_headers = page_headers(),
                .response = array_of(schema_ref("Feedback")),
                .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                  reply(list(api, *request, parameter(*request, "feedback-type"), "", request->parameter("item-id")));
                }});
}

}  // namespace fewshop::http
