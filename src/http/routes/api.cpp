#include "http/routes/api.h"

#include <fmt/format.h>

#include "http/url.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

// Rules of one list; every boost has a condition that may take a second, every pin moves what is behind it.
constexpr size_t kMostExcluded = 10'000, kMostCaps = 20, kMostBoosts = 20, kMostPins = 1000;

Random& thread_random() {
  thread_local Random random(entropy());
  return random;
}

}  // namespace

ParseContext parse_context(const Api& api, const Request& request) {
  const std::string_view type = request.header("content-type");
  const auto says = [&](std::string_view name) { return type.find(name) != std::string_view::npos; };
  return {.now = api.shop.now(),
          .random = &thread_random(),
          .lines = says("ndjson") || says("jsonl") || says("json-lines"),
          .limits = api.limits};
}

void submit(const Api& api, const Request& request, Change change, Reply reply,
            std::function<Response(const Outcome&)> answer) {
  try {
    api.shop.submit(std::move(change), [reply, id = request.id, answer = std::move(answer)](const Outcome& outcome) {
      if (outcome.error.empty()) {
        reply(answer(outcome));
      } else if (outcome.invalid) {
        reply(Response::error(HttpError(400, "invalid_request", outcome.error), id));
      } else {
        const char* what = outcome.stored ? "it was stored and is not in effect yet" : "nothing was stored";
        reply(Response::error(unavailable(what), id));
      }
    });
  } catch (const Overloaded& problem) {
    throw overloaded(problem.what());
  }
}

HttpError overloaded(const std::string& message) {
  HttpError error(429, "overloaded", message);
  error.retry_after = 1;
  return error;
}

HttpError unavailable(const std::string& what) {
  HttpError error(503, "unavailable", what + ": the database or its disk refuses; the server's log has the reason");
  error.retry_after = 1;
  return error;
}

std::shared_ptr<const LiveModel> model_for(const Api& api, const Request& request, const std::string& scenario) {
  auto model = api.shop.model_or_null(scenario);
  if (model && !request.may_use(model->name()))
    throw HttpError(403, "forbidden", "the key may not use the scenario that is the default now");
  return model;
}

std::shared_ptr<const LiveModel> asked_model(const Api& api, const Request& request) {
  return model_for(api, request, request.query_value("scenario").value_or(""));
}

const ListRequest& limited(const ListRequest& list) {
  const auto limit = [](const char* name, size_t count, size_t most) {
    if (count > most) throw HttpError(400, "invalid_parameter", fmt::format("{}: at most {}", name, most));
  };
  limit("exclude", list.exclude.size(), kMostExcluded);
  limit("caps", list.caps.size(), kMostCaps);
  limit("boosts", list.boosts.size(), kMostBoosts);
  limit("pins", list.pins.size(), kMostPins);
  return list;
}

json reasons_json(const ListReply::Item& item) {
  json reasons = json::array();
  for (const auto& reason : item.reasons)
    reasons.push_back({{"row", reason.row}, {"item", reason.item_id}, {"contribution", reason.contribution}});
  return reasons;
}

json item_json(const ListReply::Item& item, bool explain, bool intervals) {
  json entry = {{"Id", item.id}, {"Score", explain ? item.link : item.score}};
  if (intervals) {
    entry["low"] = item.low;
    entry["high"] = item.high;
  }
  if (item.boost != 0) entry["boost"] = item.boost;
  if (item.diversity != 0) entry["diversity"] = item.diversity;
  if (item.pinned) entry["pinned"] = true;
  if (explain) {
    entry["prior"] = item.prior;
    entry["reasons"] = reasons_json(item);
  }
  return entry;
}

json to_json(const std::vector<Refusal>& refusals) {
  json list = json::array();
  for (const Refusal& refusal : refusals) {
    json entry = {{"index", refusal.index}, {"reason", refusal.reason}};
    if (!refusal.event_id.empty()) entry["event_id"] = refusal.event_id;
    list.push_back(std::move(entry));
  }
  return list;
}

Response rows_affected(int64_t rows, const std::vector<Refusal>& refusals) {
  json body = {{"RowAffected", rows}};
  if (!refusals.empty()) body["rejected"] = to_json(refusals);
  return Response::json(body);
}

std::string asked_cursor(const Request& request) {
  const auto cursor = request.query_value("cursor");
  return cursor ? *cursor : request.query_value("Cursor").value_or("");
}

void add_next_cursor(Response& response, const std::string& cursor) {
  if (!cursor.empty()) response.headers.emplace_back("X-Next-Cursor", percent_encode(cursor));
}

std::vector<Parameter> cursor_parameters() {
  return {{"n", "integer", "records of one page, 100 by default"},
          {"cursor", "string", "the cursor of the page before"},
          {"Cursor", "string", "the same, as clients of Gorse may call it"}};
}

std::vector<Parameter> page_parameters(const std::string& what) {
  return {{"n", "integer", what + " at most, 10,000 by default"},
          {"cursor", "string", "what the header X-Next-Cursor of the answer before said"},
          {"Cursor", "string", "the same, as clients of Gorse may call it"}};
}

std::vector<Parameter> page_headers() {
  return {{"X-Next-Cursor", "string", "`cursor` of the next page; absent at the end"}};
}

Incoming admitted(const Api& api, Incoming incoming) {
  size_t kept = 0;
  std::vector<int64_t> place(incoming.events.size(), -1);  // where an event goes; -1 = nowhere
  auto consent = incoming.consents.begin();
  const auto place_consents = [&](size_t through) {  // those that came before an event follow those that are kept
    for (; consent != incoming.consents.end() && consent->after <= static_cast<int64_t>(through); ++consent)
      consent->after = static_cast<int64_t>(kept);
  };
  for (size_t i = 0; i < incoming.events.size(); ++i) {
    place_consents(i);
    Event& event = incoming.events[i];
    if (!api.shop.admits_kind(event.event)) {
      incoming.refusals.push_back(
          {incoming.index[i], event.event_id,
           fmt::format("event: there are {} kinds of event already, expected one of them, got \"{}\"", Shop::kMostKinds,
                       event.event.substr(0, 60))});
      continue;
    }
    place[i] = static_cast<int64_t>(kept);
    incoming.index[kept] = incoming.index[i];
    if (kept != i) incoming.events[kept] = std::move(event);
    ++kept;
  }
  place_consents(incoming.events.size());
  // Consent counts also where its event is refused; what else such a message asks for is not done.
  const auto refused = [&](Effect& effect) {
    const bool has_event = effect.event >= 0 && effect.event < std::ssize(place);
    effect.event = has_event ? place[effect.event] : -1;
    return has_event && effect.event < 0;
  };
  for (Consent& one : incoming.consents) refused(one.effect);
  std::erase_if(incoming.identities, [&](GuestJoin& one) { return refused(one.effect); });
  std::erase_if(incoming.users, [&](RecordPatch& one) { return refused(one.effect); });
  incoming.events.resize(kept);
  incoming.index.resize(kept);
  return incoming;
}

Change change_of(Incoming& incoming) {
  Change change;
  change.events = std::move(incoming.events);
  change.joins = std::move(incoming.identities);
  change.consents = std::move(incoming.consents);
  change.user_patches = std::move(incoming.users);
  return change;
}

json schema_ref(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

json array_of(const json& schema) { return {{"type", "array"}, {"items", schema}}; }

json one_or_many(const std::string& name) { return {{"oneOf", {schema_ref(name), array_of(schema_ref(name))}}}; }

void add_shop_routes(Router& router, const Api& api) {
  add_event_routes(router, api);
  add_segment_routes(router, api);
  add_ga4_routes(router, api);
  add_record_routes(router, api);
  add_feedback_routes(router, api);
  add_bulk_routes(router, api);
  add_recommend_routes(router, api);
  add_question_routes(router, api);
  add_predict_routes(router, api);
  add_guide_routes(router, api);
}

}  // namespace fewshop::http
