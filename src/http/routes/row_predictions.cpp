#include "http/routes/row_predictions.h"

#include "http/routes/row_tables.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

RowQuestion question_of(const json& body) {
  RowQuestion question;
  question.query = query_rows_of(body);
  if (const auto support = body.find("support"); support != body.end() && !support->is_null())
    question.support = rows_of(*support, "support");
  question.task = values_of(body.value("task", json()), "task");
  question.at = asked_time(body);
  question.explain = member(body, "explain", false);
  return question;
}

}  // namespace

std::optional<Micros> asked_time(const json& question) {
  const auto given = question.find("at");
  if (given == question.end() || given->is_null()) return std::nullopt;
  const auto time = given->is_string() ? parse_time(given->get<std::string>()) : std::nullopt;
  if (!time) throw HttpError(400, "invalid_body", "at: expected a time such as \"2011-12-09T12:50:00Z\"");
  return time;
}

json predict_rows(const Api& api, const std::string& scenario, const json& body) {
  const RowQuestion question = question_of(body);
  const RowReply reply = api.shop.predict(scenario, question);
  json predictions = json::array();
  for (const RowPrediction& prediction : reply.answer.predictions)
    predictions.push_back(to_json(prediction, reply.model->model(), question.explain));
  return {{"predictions", std::move(predictions)},
          {"model_version", reply.model->version()},
          {"support", reply.answer.support}};
}

}  // namespace fewshop::http
