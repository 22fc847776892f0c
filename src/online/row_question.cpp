#include "online/row_question.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "feature/feature_values.h"
#include "task/row_features.h"

namespace fewshop {
namespace {

/// "age" of "rows.age".
std::string column_of(const ColumnEncoder& encoder) {
  return encoder.spec.name.substr(encoder.spec.name.find('.') + 1);
}

void add_columns(const std::vector<ColumnEncoder>& encoders, std::vector<std::string>& names) {
  for (const ColumnEncoder& encoder : encoders) names.push_back(column_of(encoder));
}

void require_known(const std::string& column, const std::vector<std::string>& known, const std::string& place,
                   const Scenario& scenario) {
  if (std::find(known.begin(), known.end(), column) != known.end()) return;
  const std::set<std::string> names(known.begin(), known.end());
  throw InvalidInput(fmt::format("{}: scenario {} has no column '{}'; known: {}", place, scenario.name,
                                 column.substr(0, 100), fmt::join(names, ", ")));
}

const char* expected_of(FeatureType type) {
  if (type == FeatureType::kTime) return "a time such as 2011-12-09T12:50:00Z";
  return type == FeatureType::kVector ? "numbers" : "a number";
}

/// Whether a value fits the feature; texts and blanks always do.
bool fits(const ColumnEncoder& encoder, const std::optional<std::string>& value) {
  if (!value || !is_dense(encoder.spec.type) || value->find_first_not_of(" \t") == std::string::npos) return true;
  const auto numbers = numbers_of(encoder.spec, *value);
  return numbers && std::ssize(*numbers) == encoder.width - 1;
}

[[noreturn]] void refuse_value(const ColumnEncoder& encoder, const std::string& value, const std::string& where) {
  const std::string number = encoder.spec.type == FeatureType::kVector ? fmt::format("{} ", encoder.width - 1) : "";
  throw InvalidInput(fmt::format("{}: {}: expected {}{}, got '{}'", where, column_of(encoder), number,
                                 expected_of(encoder.spec.type), value.substr(0, 80)));
}

void check_rows(const RowModel& model, const std::vector<std::string>& known, const TextRows& rows) {
  for (const std::string& column : rows.columns) require_known(column, known, rows.place, model.scenario());
  for (const auto* encoders : {&model.encoders().rows, &model.encoders().items, &model.encoders().tasks})
    for (const ColumnEncoder& encoder : *encoders) {
      const int column = rows.find(column_of(encoder));
      for (size_t r = 0; column >= 0 && r < rows.rows.size(); ++r)
        if (!fits(encoder, rows.rows[r][column])) refuse_value(encoder, *rows.rows[r][column], rows.where(r));
    }
}

}  // namespace

void check_columns(const RowModel& model, const RowQuestion& question) {
  std::vector<std::string> of_task = model.scenario().task;
  add_columns(model.encoders().tasks, of_task);
  std::vector<std::string> of_rows = standing_columns(model.scenario());
  for (const auto* encoders : {&model.encoders().rows, &model.encoders().items, &model.encoders().tasks})
    add_columns(*encoders, of_rows);
  for (const TextRows* rows : {&question.support, &question.query}) check_rows(model, of_rows, *rows);
  for (const auto& [column, value] : question.task) {
    require_known(column, of_task, "task", model.scenario());
    for (const ColumnEncoder& encoder : model.encoders().tasks)
      if (column_of(encoder) == column && !fits(encoder, value)) refuse_value(encoder, *value, "task");
  }
}

}  // namespace fewshop
