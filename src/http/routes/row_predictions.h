#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "http/routes/api.h"

namespace fewshop::http {

/// The time that a question counts ages from; nothing where it does not say. HttpError 400 where it is none.
std::optional<Micros> asked_time(const nlohmann::json& question);

/// Answers a question {task, support, query, explain, at} to the live model of a scenario that asks about rows:
/// {predictions, model_version, support}, predictions as to_json(RowPrediction) writes them. HttpError 400 or
/// InvalidInput naming the place for what is missing or cannot be read.
nlohmann::json predict_rows(const Api& api, const std::string& scenario, const nlohmann::json& question);

}  // namespace fewshop::http
