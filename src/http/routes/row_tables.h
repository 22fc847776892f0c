#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "table/text_rows.h"
#include "task/task_input.h"

namespace fewshop::http {

// Rows and records of JSON bodies as the text that columns would hold. HttpError 400 naming the place for what is none.

/// A list of objects as a table: the union of their members is the columns. `place` begins messages: "support".
TextRows rows_of(const nlohmann::json& rows, const std::string& place);

/// The member "query" of a question: at least one row.
TextRows query_rows_of(const nlohmann::json& question);

/// An object's members; null has none.
EntityValues values_of(const nlohmann::json& object, const std::string& place);

}  // namespace fewshop::http
