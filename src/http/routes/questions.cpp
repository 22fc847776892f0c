// Questions for lists as JSON: one, or many at once.
#include <fmt/format.h>

#include <algorithm>
#include <map>

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
  if (!question.is_object()) throw HttpError(400, "invalid_body", "a question is a JSON object");
  static const json known = question_schema().at("properties");
  for (const auto& entry : question.items()) {
    if (known.contains(entry.key())) continue;
    std::vector<std::string> names;
    for (const auto& one : known.items()) names.push_back(one.key());
    throw HttpError(400, "invalid_body",
                    fmt::format("unknown member '{}'; known: {}", entry.key().substr(0, 100), fmt::join(names, ", ")));
  }
  try {
    ListRequest list;
    list.n = question.value("n", api.default_n);
    list.offset = question.value("offset", 0);
    if (list.n < 1 || list.n > api.most_n || list.offset < 0 || list.offset > api.most_n)
      throw HttpError(400, "invalid_body", fmt::format("n is from 1, offset from 0, both to {}", api.most_n));
    list.filter = question.value("filter", "");
    list.category = question.value("category", "");
    list.exclude = question.value("exclude", std::vector<std::string>{});
    list.diversity = question.value("diversity", 0.0);
    if (!(list.diversity >= 0 && list.diversity <= 1))
      throw HttpError(400, "invalid_body", "diversity is a number from 0 to 1");
    list.explain = question.value("explain", false);
    list.include_seen = question.value("include_seen", false);
    for (const auto& [column, most] : question.value("caps", std::map<std::string, int>{})) {
      if (most < 1) throw HttpError(400, "invalid_body", "caps: at least 1 of a value");
      list.caps.push_back({column, most});
    }
    for (const auto& boost : question.value("boosts", json::array()))
      list.boosts.push_back({boost.at("filter").get<std::string>(), boost.at("by").get<double>()});
    for (const auto& pin : question.value("pins", json::array())) {
      const int place = pin.value("place", 0);
      if (place < 0) throw HttpError(400, "invalid_body", "pins: a place is 0 or more");
      list.pins.push_back({pin.at("item_id").get<std::string>(), place});
    }
    return limited(list);
  } catch (const json::exception& problem) {
    throw HttpError(400, "invalid_body", problem.what());
  }
}

/// Models that the questions of one request are answered by: each is looked up once.
using AskedModels = std::map<std::string, std::shared_ptr<const LiveModel>>;

json answer_question(const Api& api, const Request& request, AskedModels& models, const json& question) {
  const ListRequest list = asked_list(api, question);
  try {
    const Asker asker{question.value("user_id", ""), question.value("client_id", ""), std::nullopt};
    const auto scenario = question.value("scenario", "");
    if (models.count(scenario) == 0) models[scenario] = model_for(api, request, scenario);
    const ListReply reply = api.shop.recommend(models[scenario], asker, list);
    api.answered(reply);
    json items = json::array();
    for (const auto& item : reply.items) items.push_back(item_json(item, list.explain, true));
    return {{"recommendation_id", reply.recommendation_id},
            {"scenario", reply.scenario},
            {"model_version", reply.version},
            {"served", reply.served},
            {"support", reply.support},
            {"items", items}};
  } catch (const json::exception& problem) {
    throw HttpError(400, "invalid_body", problem.what());
  }
}

/// The same of the questions of a body.
bool questions_take_long(const Api& api, const Request& request) {
  const bool plain =
      request.body.find("\"filter\"") == std::string::npos && request.body.find("\"category\"") == std::string::npos &&
      request.body.find("\"caps\"") == std::string::npos && request.body.find("\"boosts\"") == std::string::npos &&
      request.body.find('\\') == std::string::npos;  // a name may be written in escapes
  if (plain) return false;
  const json body = parse_body(request);
  if (!body.is_array()) return !api.shop.ready(asked_list(api, body));
  return std::any_of(body.begin(), body.end(),
                     [&](const json& question) { return !api.shop.ready(asked_list(api, question)); });
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
  router.add({.method = Method::kPost,
              .path = "/api/recommend",
              .tag = "recommend",
              .summary = "The best items for a user or a guest; a list of questions gives a list of answers.",
              .scope = "recommend",
              .scenario = ScenarioFrom::kBody,
              .body = one_or_many("ListQuestion"),
              .response = one_or_many("ListAnswer"),
              .handle =
                  [api](std::shared_ptr<const Request> request, Reply reply) {
                    const json body = parse_body(*request);
                    AskedModels models;
                    if (!body.is_array()) return reply(Response::json(answer_question(api, *request, models, body)));
                    if (body.size() > kMostAsked)
                      throw HttpError(400, "invalid_body", fmt::format("at most {} questions", kMostAsked));
                    json answers = json::array();
                    for (const json& question : body)
                      answers.push_back(answer_question(api, *request, models, question));
                    reply(Response::json(answers));
                  },
              .aside = [api](const Request& request) { return questions_take_long(api, request); }});
}

}  // namespace fewshop::http
