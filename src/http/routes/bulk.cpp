// Users, items and feedback as JSON lines, in and out.
#include "http/routes/api.h"
#include "online/gorse.h"

namespace fewshop::http {
namespace {

constexpr int64_t kMostLines = 10'000;

/// One record a line, and where the next page begins.
template <class Read>
Response lines(const Request& request, Read&& read) {
  const auto page = read(request.query_number("n", kMostLines, 1, kMostLines), asked_cursor(request));
  Response response{.body = "", .content_type = "application/x-ndjson"};
  for (const auto& record : page.records) response.body += to_gorse_json(record) + "\n";
  add_next_cursor(response, page.cursor);
  return response;
}

/// Stores the records of a body in `member` of a change.
template <class Record, class Parse>
auto store(const Api& api, std::vector<Record> Change::*member, Parse parse) {
  return [api, member, parse](std::shared_ptr<const Request> request, Reply reply) {
    ParseContext context = parse_context(api, *request);
    context.lines = true;
    auto incoming = parse(request->body, context);
    Change change;
    change.*member = std::move(incoming.records);
    const auto count = std::ssize(change.*member);
    submit(api, *request, std::move(change), std::move(reply),
           [count, refusals = incoming.refusals](const Outcome&) { return rows_affected(count, refusals); });
  };
}

}  // namespace

void add_bulk_routes(Router& router, const Api& api) {
  const auto add = [&](const std::string& what, const char* schema, auto read, auto write) {
    router.add(
        {.method = Method::kGet,
         .path = "/api/bulk/" + what,
         .tag = "bulk",
         .summary = "All " + what + " as JSON lines, page by page.",
         .scope = "data:read",
         .query = page_parameters("lines"),
         .answer_headers = page_headers(),
         .response = {{"type", "string"}},
         .response_type = "application/x-ndjson",
         .handle = [read](std::shared_ptr<const Request> request, Reply reply) { reply(lines(*request, read)); }});
    router.add({.method = Method::kPost,
                .path = "/api/bulk/" + what,
                .tag = "bulk",
                .summary = "Stores " + what + " given as JSON lines.",
                .scope = what == "feedback" ? "events:write" : "data:write",
                .body = schema_ref(schema),
                .response = schema_ref("RowAffected"),
                .body_type = "application/x-ndjson",
                .handle = std::move(write)});
  };
  ShopStore& stored = api.shop.store();
  add(
      "users", "User", [&stored](int64_t n, const std::string& cursor) { return stored.users(n, cursor); },
      store(api, &Change::users, parse_gorse_users));
  add(
      "items", "Item", [&stored](int64_t n, const std::string& cursor) { return stored.items(n, cursor, ""); },
      store(api, &Change::items, parse_gorse_items));
  add(
      "feedback", "Feedback",
      [&stored](int64_t n, const std::string& cursor) { return stored.feedback("", "", "", n, cursor); },
      [api](std::shared_ptr<const Request> request, Reply reply) {
        ParseContext context = parse_context(api, *request);
        context.lines = true;
        Incoming incoming = admitted(api, parse_gorse_feedback(request->body, context));
        const auto refusals = incoming.refusals;
        submit(api, *request, change_of(incoming), std::move(reply),
               [refusals](const Outcome& outcome) { return rows_affected(outcome.accepted, refusals); });
      });
}

}  // namespace fewshop::http
