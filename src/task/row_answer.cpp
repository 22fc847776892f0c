#include "task/row_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "task/row_parser.h"

namespace fewshop {
namespace {

/// Columns of a file that hold features of an encoder list: position of each, -1 = not there.
std::vector<std::pair<std::string, int>> columns_for(const std::vector<ColumnEncoder>& encoders, const TextRows& rows) {
  std::vector<std::pair<std::string, int>> columns;
  for (const ColumnEncoder& encoder : encoders) {
    const std::string name = encoder.spec.name.substr(encoder.spec.name.find('.') + 1);
    columns.emplace_back(name, rows.find(name));
  }
  return columns;
}

EntityValues values_of(const std::vector<std::pair<std::string, int>>& columns, const TextRows& rows, size_t r) {
  EntityValues values;
  for (const auto& [name, column] : columns)
    if (column >= 0) values[name] = rows.rows[r][column];
  return values;
}

/// Encodes rows of one file; what it makes is kept by the input.
class RowEncoder {
 public:
  RowEncoder(const RowModel& model, const TextRows& rows, RowTaskInput& keep)
      : model_(model),
        rows_(rows),
        keep_(keep),
        own_(columns_for(model.encoders().rows, rows)),
        of_item_(columns_for(model.encoders().items, rows)) {}

  /// `item` is the item's id, "" where the scenario names none.
  RowInput encode(size_t r, const std::string& item) {
    keep_.views.push_back(std::make_unique<std::vector<ColumnView>>());
    auto& views = *keep_.views.back();
    const auto add = [&](const std::vector<ColumnEncoder>& encoders, const EntityValues& values) {
      keep_.encoded.push_back(std::make_unique<EncodedEntity>(encode_entity(encoders, values)));
      const auto& of = keep_.encoded.back()->views;
      views.insert(views.end(), of.begin(), of.end());
    };
    add(model_.encoders().rows, values_of(own_, rows_, r));
    if (model_.scenario().item.empty()) return {views, -1};
    const int32_t known = model_.find_item(item);
    if (known < 0) {
      add(model_.encoders().items, values_of(of_item_, rows_, r));
    } else {
      for (const auto& column : model_.parts().item_features.columns) views.push_back(column.row(known));
    }
    return {views, known};
  }

 private:
  const RowModel& model_;
  const TextRows& rows_;
  RowTaskInput& keep_;
  std::vector<std::pair<std::string, int>> own_, of_item_;
};

std::string value_text(const Predictive& p, const RowModel& model) {
  if (has_classes(model.scenario().problem)) return model.classes().at(static_cast<size_t>(most_probable(p)));
  return fmt::format("{:.7g}", p.mean);
}

/// The end of an interval as JSON: a number, a label, or null.
nlohmann::json bound(const std::optional<double>& value, const RowModel& model) {
  if (!value) return nullptr;
  if (has_classes(model.scenario().problem)) return model.classes().at(static_cast<size_t>(*value));
  return *value;
}

}  // namespace

RowTaskInput row_task_input(const RowModel& model, const TextRows& support, const EntityValues& description,
                            std::optional<Micros> at) {
  RowParser parser(
      model.scenario(), model.kinds(), [&](const std::string& id) { return model.find_item(id); }, support);
  std::vector<ArrivedRow> rows;
  for (size_t r = 0; r < support.rows.size(); ++r)
    if (const auto row = parser.read(r)) rows.push_back(*row);
  arrange_support(rows, model.scenario().episode, at);
  RowTaskInput input;
  input.unknown_kinds = parser.unknown_kinds();
  RowEncoder encoder(model, support, input);
  for (const ArrivedRow& row : rows) {
    const auto r = static_cast<size_t>(row.source);
    input.support.push_back(
        {encoder.encode(r, parser.item(r)), row.row.target, row.row.weight, row.row.age, row.row.group, row.row.kind});
    input.source.push_back(row.source);
  }
  input.description = encode_entity(model.encoders().tasks, description);
  return input;
}

std::vector<RowPrediction> predict_rows(const RowModel& model, RowTaskInput& input, const TextRows& query,
                                        const RowAnswerOptions& options) {
  const auto session = model.session();
  model.adapt(input.task(), *session);
  return predict_rows(model, *session, input, query, options);
}

std::vector<RowPrediction> predict_rows(const RowModel& model, RowSession& session, RowTaskInput& input,
                                        const TextRows& query, const RowAnswerOptions& options) {
  const Scenario& s = model.scenario();
  const int item_column = s.item.empty() ? -1 : query.find(s.item);
  require(s.item.empty() || item_column >= 0, query.place, ": expected a column '", s.item, "' (rows.item of scenario ",
          s.name, "), got ", fmt::format("{}", fmt::join(query.columns, ", ")));
  RowEncoder encoder(model, query, input);
  std::vector<RowPrediction> predictions;
  std::vector<double> contribution(input.support.size());
  for (size_t r = 0; r < query.rows.size(); ++r) {
    const std::string item = item_column < 0 ? "" : query.rows[r][item_column].value_or("");
    require(item_column < 0 || !item.empty(), query.where(r), ": ", s.item, " is empty");
    const RowInput row = encoder.encode(r, item);
    RowPrediction p;
    model.predict(session, RowModel::kServed, row, p.distribution);
    p.value = value_text(p.distribution, model);
    p.served = model.served_name(session);
    if (s.problem != Problem::kBinary && s.problem != Problem::kMulticlass) {
      p.low = quantile(p.distribution, 0.025);
      p.high = quantile(p.distribution, 0.975);
    }
    if (options.explain) {
      const int32_t label = has_classes(s.problem) ? most_probable(p.distribution) : 0;
      p.prior = model.explain(session, RowModel::kServed, row, label, contribution);
      p.link = p.prior;
      for (size_t i = 0; i < contribution.size(); ++i) {
        p.link += contribution[i];
        p.reasons.push_back({input.source[i], contribution[i]});
      }
      std::stable_sort(p.reasons.begin(), p.reasons.end(), [](const RowReason& a, const RowReason& b) {
        return std::abs(a.contribution) > std::abs(b.contribution);
      });
    }
    predictions.push_back(std::move(p));
  }
  return predictions;
}

nlohmann::json to_json(const RowPrediction& p, const RowModel& model, bool explain) {
  nlohmann::json object = {{"value", p.value},
                           {"low", bound(p.low, model)},
                           {"high", bound(p.high, model)},
                           {"family", family_name(p.distribution.family)},
                           {"probabilities", nullptr},
                           {"served", p.served}};
  if (!has_classes(model.scenario().problem)) object["value"] = p.distribution.mean;
  if (p.distribution.family == Family::kBernoulli)
    object["probabilities"] = {{"0", 1 - p.distribution.mean}, {"1", p.distribution.mean}};
  for (size_t c = 0; c < p.distribution.probability.size(); ++c)
    object["probabilities"][model.classes().at(c)] = p.distribution.probability[c];
  if (!explain) return object;
  object["prior"] = p.prior;
  object["link"] = p.link;
  object["reasons"] = nlohmann::json::array();
  for (const RowReason& reason : p.reasons)
    object["reasons"].push_back({{"row", reason.row}, {"contribution", reason.contribution}});
  return object;
}

EntityValues description_in(const RowModel& model, const TextRows& rows) {
  EntityValues values;
  for (const auto& [name, column] : columns_for(model.encoders().tasks, rows))
    for (size_t r = 0; column >= 0 && r < rows.rows.size() && !values[name]; ++r) values[name] = rows.rows[r][column];
  return values;
}

}  // namespace fewshop
