// Lists: recommended, popular, latest, what goes with an item.
#include <fmt/format.h>

#include <charconv>

#include "core/text.h"
#include "core/time.h"
#include "http/routes/api.h"
#include "online/gorse.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

std::vector<Parameter> list_parameters() {
  return {
      {"n", "integer", "items, 10 by default"},
      {"offset", "integer", "items of the list to leave out"},
      {"category", "string", "only items of this category"},
      {"filter", "string",
       "only items that satisfy this condition over the columns of items: price < 20 and brand = 'acme'"},
      {"exclude", "string", "ids of items to leave out, separated by commas; may be repeated"},
      {"cap", "string", "COLUMN:N: at most N items of one value of a column; may be repeated"},
      {"diversity", "number", "0 to 1: how unlike each other the items are to be"},
      {"boost", "string", "BY:CONDITION: rank items as if they scored BY standard deviations more; may be repeated"},
      {"pin", "string", "PLACE:ITEM: the item at this place, 0 = first; may be repeated"}};
}

std::vector<Parameter> parameters_with_scenario() {
  auto parameters = list_parameters();
  parameters.push_back({"scenario", "string", "whose model answers"});
  return parameters;
}

std::vector<Parameter> personal_parameters() {
  auto parameters = parameters_with_scenario();
  parameters.push_back({"explain", "boolean", "reasons: score = prior + sum of contributions"});
  parameters.push_back({"include_seen", "boolean", "also items that the user has had to do with"});
  return parameters;
}

std::vector<Parameter> recommend_parameters() {
  auto parameters = personal_parameters();
  parameters.push_back({"write-back-type", "string",
                        "store feedback of this type for what is answered; the key must allow events:write, too"});
  parameters.push_back({"write-back-delay", "string", "counting from so much later: 10m, 1h30m"});
  return parameters;
}

/// Those of a route: a category in the path is none in the query.
std::vector<Parameter> beside_path(const std::string& path, std::vector<Parameter> parameters) {
  if (path.ends_with("/{category}"))
    std::erase_if(parameters, [](const Parameter& parameter) { return parameter.name == "category"; });
  return parameters;
}

std::vector<Parameter> list_headers() {
  return {{"X-Recommendation-Id", "string", "to be sent back as recommendation_id of what happens next"},
          {"X-Served", "string", "adapted, the baseline that the gate chose, mixed, or the list's name"}};
}

std::vector<Parameter> model_headers() {
  auto headers = list_headers();
  headers.push_back({"X-Model-Version", "string", "SCENARIO/VERSION of the model; absent where none answered"});
  return headers;
}

double number_of(const std::string& text, const std::string& name, double low, double high) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= low && value <= high))
    throw HttpError(400, "invalid_parameter", fmt::format("{} is a number from {} to {}", name, low, high));
  return value;
}

/// "A:B" cut at the first colon.
std::pair<std::string, std::string> pair_of(const std::string& text, const std::string& name) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
    throw HttpError(400, "invalid_parameter",
                    name + ": expected two parts with a colon between them, got '" + text.substr(0, 100) + "'");
  return {text.substr(0, colon), text.substr(colon + 1)};
}

ListRequest list_request(const Api& api, const Request& request) {
  ListRequest list;
  list.n = static_cast<int>(request.query_number("n", api.default_n, 1, api.most_n));
  list.offset = static_cast<int>(request.query_number("offset", 0, 0, api.most_n));
  const auto category = request.parameters.find("category");
  list.category =
      category != request.parameters.end() ? category->second : request.query_value("category").value_or("");
  list.filter = request.query_value("filter").value_or("");
  if (const auto diversity = request.query_value("diversity"))
    list.diversity = number_of(*diversity, "diversity", 0, 1);
  for (const auto& value : request.query_values("exclude"))
    for (auto& id : split_list(value, ',')) list.exclude.push_back(std::move(id));
  for (const auto& value : request.query_values("cap")) {
    const auto [column, most] = pair_of(value, "cap");
    list.caps.push_back({column, static_cast<int>(number_of(most, "cap", 1, 1e6))});
  }
  for (const auto& value : request.query_values("boost")) {
    const auto [by, condition] = pair_of(value, "boost");
    list.boosts.push_back({condition, number_of(by, "boost", -100, 100)});
  }
  for (const auto& value : request.query_values("pin")) {
    const auto [place, item] = pair_of(value, "pin");
    list.pins.push_back({item, static_cast<int>(number_of(place, "pin", 0, 1e6))});
  }
  return limited(list);
}

/// A list for somebody.
ListRequest personal_request(const Api& api, const Request& request) {
  ListRequest list = list_request(api, request);
  list.explain = request.query_flag("explain");
  list.include_seen = request.query_flag("include_seen");
  return list;
}

/// A list with its id, by which what happens next is joined to it.
void hand_out(const Api& api, Response& response, const ListReply& reply) {
  api.answered(reply);
  response.headers.emplace_back("X-Recommendation-Id", reply.recommendation_id);
  if (!reply.version.empty()) response.headers.emplace_back("X-Model-Version", reply.scenario + "/" + reply.version);
  response.headers.emplace_back("X-Served", reply.served);
}

Response scores(const Api& api, const ListReply& reply, bool explain = false, bool intervals = false) {
  json list = json::array();
  for (const auto& item : reply.items) list.push_back(item_json(item, explain, intervals));
  Response response = Response::json(list);
  hand_out(api, response, reply);
  return response;
}

Response ids(const Api& api, const ListReply& reply) {
  json list = json::array();
  for (const auto& item : reply.items) list.push_back(item.id);
  Response response = Response::json(list);
  hand_out(api, response, reply);
  return response;
}

/// Seconds, "90"; or parts with units, as clients of Gorse write them: "10m", "1h30m", "24h0m0s", "2d".
Micros duration_of(std::string_view text) {
  const auto refuse = [] {
    throw HttpError(400, "invalid_parameter", "write-back-delay: expected a time such as 90s, 10m, 1h30m");
  };
  double seconds = 0;
  for (bool first = true; first || !text.empty(); first = false) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string number(text.substr(0, digits));
    text.remove_prefix(digits);
    const size_t letters = std::min(text.find_first_not_of("smhd"), text.size());
    const std::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    const double factor = unit == "s" || (unit.empty() && first && text.empty()) ? 1
                          : unit == "ms"                                         ? 1e-3
                          : unit == "m"                                          ? 60
                          : unit == "h"                                          ? 3600
                          : unit == "d"                                          ? 86400
                                                                                 : 0;
    if (factor == 0) refuse();
    seconds += factor * number_of(number, "write-back-delay", 0, 1e7);
  }
  if (seconds > 1e9) refuse();
  return static_cast<Micros>(seconds * kSecond);
}

/// Gorse's trick: what was shown counts as read later on.
Change written_back(const Api& api, const ListReply& reply, const std::string& user, const std::string& type,
                    Micros delay) {
  Change change;
  for (const auto& item : reply.items) {
    Event event;
    event.event_id = api.shop.new_id();
    event.time = api.shop.now() + delay;
    event.event = type;
    event.user_id = user;
    event.recommendation_id = reply.recommendation_id;
    event.items.push_back({.item_id = item.id});
    change.events.push_back(std::move(event));
  }
  return change;
}

/// Whether a list needs to know of all items' columns what is not worked out yet.
bool takes_long(const Api& api, const Request& request) {
  static constexpr const char* kOfColumns[] = {"category", "filter", "cap", "boost"};
  const bool plain = request.parameters.count("category") == 0 &&
                     std::none_of(std::begin(kOfColumns), std::end(kOfColumns),
                                  [&](const char* name) { return request.has_query(name); });
  return !plain && !api.shop.ready(list_request(api, request));
}

bool wants_write_back(const Request& request) {
  const auto type = request.query_value("write-back-type");
  return type && !type->empty() && !request.head;
}

using ListQuestion = Shop::ListQuestion;

/// A route of lists for somebody, who is told by the request. Where that helps, those that come at one time are asked
/// of the shop together.
Route list_route(Route route, const Api& api, Asker (*asker_of)(const Api&, const Request&),
                 void (*answer)(const Api&, const Request&, const ListQuestion&, const ListReply&, Reply)) {
  const bool versioned = !route.headers.empty();
  const auto question_of = [api, asker_of, versioned](const Request& request) {
    ListQuestion question{asked_model(api, request), asker_of(api, request), personal_request(api, request)};
    if (versioned && request.header("x-api-version") == "2") question.request.explain = true;
    return question;
  };
  route.aside = [api](const Request& request) { return takes_long(api, request); };
  route.handle = [=](std::shared_ptr<const Request> request, Reply reply) {
    const ListQuestion question = question_of(*request);
    answer(api, *request, question, api.shop.recommend(question.model, question.asker, question.request),
           std::move(reply));
  };
  route.gathers = [api](const Request& request) { return api.shop.shares(asked_model(api, request)); };
  route.handle_together = [=](std::span<Call> calls) {
    std::vector<ListQuestion> questions;
    std::vector<const Call*> asked;
    for (const Call& call : calls) try {
        questions.push_back(question_of(*call.request));
        asked.push_back(&call);
      } catch (...) {
        call.fail(std::current_exception());
      }
    const auto outcomes = api.shop.recommend(questions);
    for (size_t i = 0; i < asked.size(); ++i) try {
        if (outcomes[i].error) std::rethrow_exception(outcomes[i].error);
        answer(api, *asked[i]->request, questions[i], outcomes[i].reply, asked[i]->reply);
      } catch (...) {
        asked[i]->fail(std::current_exception());
      }
  };
  return route;
}

Asker user_of_path(const Api&, const Request& request) { return {request.parameter("user-id"), "", std::nullopt}; }

/// Somebody who did what the body says.
Asker session_of_body(const Api& api, const Request& request) {
  const Incoming incoming = parse_gorse_feedback(request.body, parse_context(api, request), true);
  if (!incoming.refusals.empty())
    throw HttpError(400, "invalid_body",
                    fmt::format("feedback {}: {}", incoming.refusals.front().index, incoming.refusals.front().reason));
  std::vector<EventRow> rows;
  for (const Event& event : incoming.events)
    for (const EventItem& item : event.items) {
      EventRow row;
      row.event_id = event.event_id;
      row.time = event.time;
      row.event = event.event;
      row.item_id = item.item_id;
      row.value = item.value;
      row.rating = item.rating;
      row.price = item.price;
      row.quantity = item.quantity;
      rows.push_back(std::move(row));
    }
  return {"", "", std::move(rows)};
}

void answer_scores(const Api& api, const Request&, const ListQuestion& question, const ListReply& answer, Reply reply) {
  const bool explain = question.request.explain;
  reply(scores(api, answer, explain, explain));
}

void answer_recommended(const Api& api, const Request& request, const ListQuestion& question, const ListReply& answer,
                        Reply reply) {
  Response response = question.request.explain ? scores(api, answer, true, true) : ids(api, answer);
  if (!wants_write_back(request)) return reply(std::move(response));
  const auto type = request.query_value("write-back-type");
  if (!api.shop.admits_kind(*type))
    throw HttpError(400, "invalid_parameter", "write-back-type: expected a kind of event that is there already");
  const Micros delay = duration_of(request.query_value("write-back-delay").value_or("0"));
  Change change =
      written_back(api, answer, question.asker.user_id, check_id(*type, "write-back-type", api.limits), delay);
  submit(api, request, std::move(change), std::move(reply),
         [response = std::move(response)](const Outcome&) { return response; });
}

/// What goes with an item, in one of two ways.
ListReply beside_item(const Api& api, const Request& request) {
  const std::string &name = request.parameter("name"), &item = request.parameter("item-id");
  const ListRequest list = list_request(api, request);
  if (name == "also") return api.shop.also(item, list);
  if (name != "similar")
    throw HttpError(400, "invalid_parameter",
                    "item-to-item: expected 'similar' (learned likeness) or 'also' (what the same people had to do "
                    "with), got '" +
                        name.substr(0, 100) + "'");
  const auto model = asked_model(api, request);
  if (!model) throw HttpError(400, "invalid_request", "scenario: no model is live");
  return api.shop.similar(*model, item, list);
}

}  // namespace

void add_recommend_routes(Router& router, const Api& api) {
  router.define("Score",
                {{"type", "object"}, {"properties", {{"Id", {{"type", "string"}}}, {"Score", {{"type", "number"}}}}}});
  router.define("Scores", array_of(schema_ref("Score")));
  const json number = {{"type", "number"}}, text = {{"type", "string"}};
  router.define(
      "Recommended",
      {{"type", "object"},
       {"properties",
        {{"Id", text},
         {"Score", number},
         {"low", number},
         {"high", number},
         {"prior", number},
         {"boost", number},
         {"diversity", number},
         {"pinned", {{"type", "boolean"}}},
         {"reasons",
          array_of({{"type", "object"},
                    {"properties", {{"row", {{"type", "integer"}}}, {"item", text}, {"contribution", number}}}})}}}});

  const auto lists = [api](const Request& request) { return takes_long(api, request); };
  for (const char* path : {"/api/recommend/{user-id}", "/api/recommend/{user-id}/{category}"})
    router.add(list_route({.method = Method::kGet,
                           .path = path,
                           .tag = "recommend",
                           .summary = "The best items for a user: ids; with X-API-Version: 2 or explain=true objects.",
                           .scope = "recommend",
                           .scenario = ScenarioFrom::kQuery,
                           .query = beside_path(path, recommend_parameters()),
                           .headers = {{"X-API-Version", "string", "2: as explain=true"}},
                           .answer_headers = model_headers(),
                           .response = {{"oneOf", {array_of(text), array_of(schema_ref("Recommended"))}}},
                           .stores = wants_write_back},
                          api, user_of_path, answer_recommended));
  for (const char* path : {"/api/session/recommend", "/api/session/recommend/{category}"})
    router.add(list_route({.method = Method::kPost,
                           .path = path,
                           .tag = "recommend",
                           .summary = "The best items after the feedback of a session, which is not stored.",
                           .scope = "recommend",
                           .scenario = ScenarioFrom::kQuery,
                           .query = beside_path(path, personal_parameters()),
                           .answer_headers = model_headers(),
                           .body = array_of(schema_ref("Feedback")),
                           .response = array_of(schema_ref("Recommended"))},
                          api, session_of_body, answer_scores));
  for (const char* path : {"/api/popular", "/api/popular/{category}", "/api/non-personalized/popular"})
    router.add({.method = Method::kGet,
                .path = path,
                .tag = "recommend",
                .summary = "What most events name.",
                .scope = "recommend",
                .scenario = ScenarioFrom::kNone,
                .query = beside_path(path, list_parameters()),
                .answer_headers = list_headers(),
                .response = schema_ref("Scores"),
                .handle = [api](std::shared_ptr<const Request> request,
                                Reply reply) { reply(scores(api, api.shop.popular(list_request(api, *request)))); },
                .aside = lists});
  for (const char* path : {"/api/latest", "/api/latest/{category}", "/api/non-personalized/latest"})
    router.add({.method = Method::kGet,
                .path = path,
                .tag = "recommend",
                .summary = "What came last; scores are times in seconds.",
                .scope = "recommend",
                .scenario = ScenarioFrom::kNone,
                .query = beside_path(path, list_parameters()),
                .answer_headers = list_headers(),
                .response = schema_ref("Scores"),
                .handle = [api](std::shared_ptr<const Request> request,
                                Reply reply) { reply(scores(api, api.shop.latest(list_request(api, *request)))); },
                .aside = lists});
  router.add(list_route({.method = Method::kGet,
                         .path = "/api/collaborative-filtering/{user-id}",
                         .tag = "recommend",
                         .summary = "The best items for a user with their scores.",
                         .scope = "recommend",
                         .scenario = ScenarioFrom::kQuery,
                         .query = personal_parameters(),
                         .answer_headers = model_headers(),
                         .response = array_of(schema_ref("Recommended"))},
                        api, user_of_path, answer_scores));
  router.add({.method = Method::kGet,
              .path = "/api/item-to-item/{name}/{item-id}",
              .tag = "recommend",
              .summary = "Items that go with an item; name: 'also' (the same people), 'similar' (learned likeness in "
                         "the scenario's model).",
              .scope = "recommend",
              .scenario = ScenarioFrom::kQuery,
              .query = parameters_with_scenario(),
              .answer_headers = model_headers(),
              .response = schema_ref("Scores"),
              .handle = [api](std::shared_ptr<const Request> request,
                              Reply reply) { reply(scores(api, beside_item(api, *request))); },
              .aside = lists});
  for (const char* path : {"/api/item/{item-id}/neighbors", "/api/item/{item-id}/neighbors/{category}"})
    router.add({.method = Method::kGet,
                .path = path,
                .tag = "recommend",
                .summary = "Items that the same people had to do with.",
                .scope = "recommend",
                .scenario = ScenarioFrom::kNone,
                .query = beside_path(path, list_parameters()),
                .answer_headers = list_headers(),
                .response = schema_ref("Scores"),
                .handle =
                    [api](std::shared_ptr<const Request> request, Reply reply) {
                      const std::string& item = request->parameter("item-id");
                      const ListRequest list = list_request(api, *request);
                      // Gorse knows of no neighbours of an item that it does not know.
                      reply(api.shop.items().has(item) ? scores(api, api.shop.also(item, list))
                                                       : Response::json(json::array()));
                    },
                .aside = lists});
}

}  // namespace fewshop::http
