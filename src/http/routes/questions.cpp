// Questions for lists as JSON: one, or many at once.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "http/routes/api.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

constexpr size_t kMostAsked = 1000;  // questions of one batch

/// What a question may have: what is not here is refused.
json question_schema() {
  const json text = {{"type", "string"}}, number = {{"type", "number"}}, integer = {{"type", "integer"}},
             boolean = {{"type", "boolean"}};
  const json boost = {
      {"type", "object"}, {"required", {"filter", "by"}}, {"properties", {{"filter", text}, {"by", number}}}};
  const json pin = {
      {"type", "object"}, {"required", {"item_id"}}, {"properties", {{"item_id", text}, {"place", integer}}}};
  return {{"type", "object"},
          {"properties",
           {{"user_id", text},
            {"client_id", text},
            {"scenario", text},
            {"n", integer},
            {"offset", integer},
            {"filter", text},
            {"category", text},
            {"exclude", array_of(text)},
            {"caps", {{"type", "object"}, {"additionalProperties", integer}}},
            {"diversity", number},
            {"boosts", array_of(boost)},
            {"pins", array_of(pin)},
            {"explain", boolean},
            {"include_seen", boolean}}}};
}

/// The list that a question of POST /api/recommend asks for.
ListRequest asked_list(const Api& api, const json& question) {
  static const auto known = [] {
    const json properties = question_schema().at("properties");
    std::vector<std::string> names;
    for (const auto& one : properties.items()) names.push_back(one.key());
    return names;
  }();
  refuse_unknown(question, known);
  ListRequest list;
  list.n = member(question, "n", api.default_n);
  list.offset = member(question, "offset", 0);
  if (list.n < 1 || list.n > api.most_n || list.offset < 0 || list.offset > api.most_n)
    throw HttpError(400, "invalid_body", fmt::format("n is from 1, offset from 0, both to {}", api.most_n));
  list.filter = member<std::string>(question, "filter", "");
  list.category = member<std::string>(question, "category", "");
  list.exclude = member(question, "exclude", std::vector<std::string>{});
  list.diversity = member(question, "diversity", 0.0);
  if (!(list.diversity >= 0 && list.diversity <= 1))
    throw HttpError(400, "invalid_body", "diversity is a number from 0 to 1");
  list.explain = member(question, "explain", false);
  list.include_seen = member(question, "include_seen", false);
  for (const auto& [column, most] : member(question, "caps", std::map<std::string, int>{})) {
    if (most < 1) throw HttpError(400, "invalid_body", "caps: at least 1 of a value");
    list.caps.push_back({column, most});
  }
  for (const json& boost : list_member(question, "boosts"))
    list.boosts.push_back({member<std::string>(boost, "filter"), member<double>(boost, "by")});
  for (const json& pin : list_member(question, "pins")) {
    const int place = member(pin, "place", 0);
    if (place < 0) throw HttpError(400, "invalid_body", "pins: a place is 0 or more");
    list.pins.push_back({member<std::string>(pin, "item_id"), place});
  }
  return limited(list);
}

/// Models that the questions of one request are answered by: each is looked up once.
using AskedModels = std::map<std::string, std::shared_ptr<const LiveModel>>;

Shop::ListQuestion list_question(const Api& api, const Request& request, AskedModels& models, const json& question) {
  const auto scenario = member<std::string>(question, "scenario", "");
  if (models.count(scenario) == 0) models[scenario] = model_for(api, request, scenario);
  return {models[scenario],
          {member<std::string>(question, "user_id", ""), member<std::string>(question, "client_id", ""), std::nullopt},
          asked_list(api, question)};
}

json answer_json(const ListReply& reply, bool explain) {
  json items = json::array();
  for (const auto& item : reply.items) items.push_back(item_json(item, explain, true));
  return {{"recommendation_id", reply.recommendation_id},
          {"scenario", reply.scenario},
          {"model_version", reply.version},
          {"served", reply.served},
          {"support", reply.support},
          {"items", items}};
}

/// The answers of a body: of all questions or, where one is at fault, of none.
json answer_questions(const Api& api, const Request& request, const json& body) {
  constexpr size_t kAtOnce = 64;  // of a list without end the answers are JSON already, not both
  AskedModels models;
  std::vector<Shop::ListQuestion> questions;
  answer_one_or_many(body, kMostAsked, [&](const json& question) {
    questions.push_back(list_question(api, request, models, question));
    return json();
  });
  json answers = json::array();
  for (size_t first = 0; first < questions.size(); first += kAtOnce) {
    const auto some = std::span(questions).subspan(first, std::min(kAtOnce, questions.size() - first));
    const auto outcomes = api.shop.recommend(some);
    for (size_t i = 0; i < some.size(); ++i) {
      if (outcomes[i].error) std::rethrow_exception(outcomes[i].error);
      api.answered(outcomes[i].reply);
      answers.push_back(answer_json(outcomes[i].reply, some[i].request.explain));
    }
  }
  return body.is_array() ? answers : answers[0];
}

/// Whether a list that a body asks for needs of all items what is not worked out yet.
bool questions_take_long(const Api& api, const Request& request) {
  const bool plain =
      request.body.find("\"filter\"") == std::string::npos && request.body.find("\"category\"") == std::string::npos &&
      request.body.find("\"caps\"") == std::string::npos && request.body.find("\"boosts\"") == std::string::npos &&
      request.body.find('\\') == std::string::npos;  // a name may be written in escapes
  if (plain) return false;
  bool ready = true;
  answer_one_or_many(parse_body(request), kMostAsked, [&](const json& question) {
    ready = ready && api.shop.ready(asked_list(api, question));
    return json();
  });
  return !ready;
}

}  // namespace

void add_question_routes(Router& router, const Api& api) {
  const json text = {{"type", "string"}};
  router.define("ListQuestion", question_schema());
  router.define("ListAnswer", {{"type", "object"},
                               {"properties",
                                {{"recommendation_id", text},
                                 {"scenario", text},
                                 {"model_version", text},
                                 {"served", text},
                                 {"support", {{"type", "integer"}}},
                                 {"items", array_of(schema_ref("Recommended"))}}}});
  router.add(
      {.method = Method::kPost,
       .path = "/api/recommend",
       .tag = "recommend",
       .summary = "The best items for a user or a guest; a list of questions gives a list of answers.",
       .scope = "recommend",
       .scenario = ScenarioFrom::kBody,
       .body = one_or_many("ListQuestion"),
       .response = one_or_many("ListAnswer"),
       .handle = [api](std::shared_ptr<const Request> request,
                       Reply reply) { reply(Response::json(answer_questions(api, *request, parse_body(*request)))); },
       .aside = [api](const Request& request) { return questions_take_long(api, request); }});
}

}  // namespace fewshop::http
