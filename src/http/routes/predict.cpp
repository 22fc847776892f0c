// Predictions of a scenario's model.
#include <fmt/format.h>

#include "http/routes/api.h"
#include "http/routes/row_predictions.h"
#include "http/routes/row_tables.h"
#include "scenario/names.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

constexpr size_t kMostQuestions = 10'000;  // of a request

json predictions_json(const ListReply& reply, const LiveModel& model, bool explain) {
  json predictions = json::array();
  for (const auto& item : reply.items) {
    json prediction = {{"value", item.score},
                       {"low", item.low},
                       {"high", item.high},
                       {"family", model.ranking() ? "scores" : "gaussian"},
                       {"served", reply.served}};
    if (explain) {
      prediction["prior"] = item.prior;
      prediction["link"] = item.link;
      prediction["reasons"] = reasons_json(item);
    }
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

json predict(const Api& api, const std::shared_ptr<const LiveModel>& model, const json& body) {
  const Scenario& s = model->scenario();
  const TextRows query = query_rows_of(body);
  const int column = query.find(s.item);
  if (column < 0) throw HttpError(400, "invalid_body", "query: expected a member '" + s.item + "' in every row");
  std::vector<std::string> items;
  for (size_t r = 0; r < query.rows.size(); ++r) {
    if (!query.rows[r][column]) throw HttpError(400, "invalid_body", query.where(r) + ": " + s.item + " is missing");
    items.push_back(*query.rows[r][column]);
  }
  const bool explain = member(body, "explain", false);
  const std::optional<Micros> at = asked_time(body);
  const ColumnValues task = values_of(body.value("task", json()), "task");
  const auto id = [&](const char* name) {
    const auto found = task.find(name);
    return found == task.end() ? std::string() : found->second.value_or("");
  };
  ListReply reply;
  if (const auto support = body.find("support"); support != body.end() && !support->is_null()) {
    TextRows rows = rows_of(*support, "support");
    // No rows have no columns; the task is answered as one of which nothing is known.
    if (rows.rows.empty()) {
      rows.columns = {s.item};
      for (const auto* name : {&s.target, &s.time})
        if (!name->empty()) rows.columns.push_back(*name);
    }
    reply = api.shop.score(*model, rows, task, items, explain, at);
  } else {
    const Asker asker{id("user_id"), id("client_id"), std::nullopt};
    if (asker.user_id.empty() && asker.client_id.empty())
      throw HttpError(400, "invalid_body",
                      "expected support rows, or task.user_id or task.client_id whose rows are stored");
    reply = api.shop.score(*model, asker, items, explain, at);
  }
  return {{"predictions", predictions_json(reply, *model, explain)},
          {"model_version", reply.version},
          {"support", reply.support}};
}

/// A prediction of either kind of model; what each member means: docs/http-api.md.
json prediction_schema() {
  const auto one_of = [](std::vector<const char*> types) { return json{{"type", types}}; };
  const json number = one_of({"number"});
  return {{"type", "object"},
          {"properties",
           {{"value", one_of({"number", "string"})},
            {"low", one_of({"number", "string", "null"})},
            {"high", one_of({"number", "string", "null"})},
            {"family",
             {{"enum", {"scores", "gaussian", "bernoulli", "categorical", "ordinal", "poisson", "negative-binomial"}}}},
            {"probabilities", {{"type", {"object", "null"}}, {"additionalProperties", number}}},
            {"served", one_of({"string"})},
            {"prior", number},
            {"link", number},
            {"reasons",
             array_of({{"type", "object"},
                       {"properties",
                        {{"row", one_of({"integer"})}, {"item", one_of({"string"})}, {"contribution", number}}}})}}}};
}

}  // namespace

void add_predict_routes(Router& router, const Api& api) {
  const json text = {{"type", "string"}};
  const json rows = array_of({{"type", "object"}});
  const json time = {{"type", "string"},
                     {"description",
                      "ages of support rows count from here, and stored rows that are later are no support; by default "
                      "now, where the scenario asks about rows the latest support row"}};
  router.define("Prediction", prediction_schema());
  router.add({.method = Method::kPost,
              .path = "/api/scenarios/{name}/predict",
              .tag = "predict",
              .summary =
                  "Predictions for query rows of a task. Without support its stored rows count, [] = none; where the "
                  "scenario asks about rows, both mean none. A list of bodies gives a list of answers.",
              .scope = "recommend",
              .scenario = ScenarioFrom::kPath,
              .body = {{"type", {"object", "array"}},
                       {"required", {"query"}},
                       {"properties",
                        {{"task", {{"type", "object"}}},
                         {"support", rows},
                         {"query", rows},
                         {"explain", {{"type", "boolean"}}},
                         {"at", time}}}},
              .response = {{"type", {"object", "array"}},
                           {"properties",
                            {{"predictions", array_of(schema_ref("Prediction"))},
                             {"model_version", text},
                             {"support", {{"type", "integer"}}}}}},
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                const std::string& name = request->parameter("name");
                const bool of_rows = api.shop.row_model(name) != nullptr;
                const auto model = of_rows ? nullptr : api.shop.model(name);  // once: a list is of one version
                reply(Response::json(answer_one_or_many(parse_body(*request), kMostQuestions, [&](const json& one) {
                  static const std::vector<std::string> known = {"task", "support", "query", "explain", "at"};
                  refuse_unknown(one, known);
                  return of_rows ? predict_rows(api, name, one) : predict(api, model, one);
                })));
              }});
  router.add({.method = Method::kGet,
              .path = "/api/scenarios",
              .tag = "predict",
              .summary = "Scenarios whose models are live.",
              .scope = "recommend",
              .scenario = ScenarioFrom::kNone,
              .response = {{"type", "object"},
                           {"properties",
                            {{"scenarios",
                              array_of({{"type", "object"},
                                        {"properties",
                                         {{"name", text}, {"title", text}, {"problem", text}, {"version", text}}}})}}}},
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                json list = json::array();
                for (const Shop::LiveScenario& live : api.shop.scenarios())
                  if (request->may_use(live.name))
                    list.push_back({{"name", live.name},
                                    {"title", live.title},
                                    {"problem", problem_name(live.problem)},
                                    {"version", live.version}});
                reply(Response::json({{"scenarios", list}}));
              }});
}

}  // namespace fewshop::http
