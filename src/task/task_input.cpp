#include "task/task_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/hash.h"
#include "scenario/condition.h"
#include "task/arrange_support.h"
#include "task/raw_rows.h"

namespace fewshop {
namespace {

/// Reads rows one by one as a scenario's [rows] are read.
class RowParser {
 public:
  RowParser(const Model& model, const TextRows& rows) : model_(model), s_(model.scenario()), rows_(rows) {
    item_ = needed(s_.item, "rows.item");
    const bool implicit = s_.problem == Problem::kRanking;
    target_ = s_.target.empty() ? -1 : implicit ? rows.find(s_.target) : needed(s_.target, "rows.target");
    by_time_ = s_.episode.by_time || s_.episode.ties == "time";
    time_ = s_.time.empty() ? -1 : by_time_ ? needed(s_.time, "rows.time") : rows.find(s_.time);
    event_ = optional(s_.event);
    weight_ = optional(s_.weight);
    ties_ = s_.episode.ties == "time" ? -1 : optional(s_.episode.ties);
    if (!s_.positive.empty()) positive_ = parse_condition(s_.positive);
  }

  int64_t unknown_kinds() const { return unknown_kinds_; }

  /// Nothing for a row that is no positive one, or of an unknown kind (counted).
  std::optional<ArrivedRow> read(size_t r) {
    ArrivedRow out;
    out.source = static_cast<int32_t>(r);
    if (event_ >= 0) {
      const int kind = kind_of(rows_.rows[r][event_].value_or(""));
      if (kind < 0) {
        ++unknown_kinds_;
        return std::nullopt;
      }
      out.row.kind = static_cast<uint8_t>(kind);
    }
    out.row.item = model_.find_item(item(r));
    const auto value = target(r);
    if (!value) return std::nullopt;
    out.row.target = *value;
    if (weight_ >= 0 && rows_.rows[r][weight_]) {
      const double weight = number(r, weight_, s_.weight);
      require(weight >= 0, rows_.where(r), ": ", s_.weight, ": expected a weight of 0 or more, got ", weight);
      out.row.weight = static_cast<float>(weight);
    }
    if (time_ >= 0) out.time = time(r).value_or(kNoTime);
    if (ties_ >= 0) out.tie = hash64(rows_.rows[r][ties_].value_or(""));
    return out;
  }

  std::string item(size_t r) const { return text(r, item_, s_.item); }

 private:
  int optional(const std::string& column) const { return column.empty() ? -1 : rows_.find(column); }

  int needed(const std::string& column, const char* key) const {
    const int found = rows_.find(column);
    require(found >= 0, rows_.place, ": expected a column '", column, "' (", key, " of scenario ", s_.name, "), got ",
            fmt::format("{}", fmt::join(rows_.columns, ", ")));
    return found;
  }

  std::string text(size_t r, int column, const std::string& name) const {
    const auto& value = rows_.rows[r][column];
    require(value && !value->empty(), rows_.where(r), ": ", name, " is empty");
    return *value;
  }

  double number(size_t r, int column, const std::string& name) const {
    const std::string value = text(r, column, name);
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    require(error == std::errc() && end == value.data() + value.size() && std::isfinite(number), rows_.where(r), ": ",
            name, ": expected a number, got '", value.substr(0, 80), "'");
    require(std::abs(number) <= kMaxNumber, rows_.where(r), ": ", name, ": ", number,
            " is too large, expected numbers up to ", kMaxNumber);
    return number;
  }

  std::optional<float> target(size_t r) const {
    if (target_ < 0) return 1.0F;
    if (positive_) {
      const std::string value = text(r, target_, s_.target);
      const bool holds = positive_->numeric ? positive_->holds(number(r, target_, s_.target)) : positive_->holds(value);
      return holds ? std::optional<float>(1.0F) : std::nullopt;
    }
    const double value = number(r, target_, s_.target);
    if (s_.problem == Problem::kRanking && !(value > 0)) return std::nullopt;
    return static_cast<float>(value);
  }

  std::optional<Micros> time(size_t r) const {
    const auto& value = rows_.rows[r][time_];
    if (!by_time_ && (!value || value->empty())) return std::nullopt;
    const auto time = parse_time(text(r, time_, s_.time));
    require(time.has_value() || !by_time_, rows_.where(r), ": ", s_.time,
            ": expected a time such as 2011-12-09T12:50:00Z, got '", value->substr(0, 80), "'");
    return time;
  }

  int kind_of(const std::string& name) const {
    const auto& kinds = model_.kinds();
    const auto found = std::find(kinds.begin(), kinds.end(), name);
    return found == kinds.end() ? -1 : static_cast<int>(found - kinds.begin());
  }

  const Model& model_;
  const Scenario& s_;
  const TextRows& rows_;
  int item_ = -1, target_ = -1, time_ = -1, event_ = -1, weight_ = -1, ties_ = -1;
  bool by_time_ = false;
  int64_t unknown_kinds_ = 0;
  std::optional<Condition> positive_;
};

}  // namespace

TaskInput task_input(const Model& model, const TextRows& text, const EntityValues& description,
                     std::optional<Micros> at) {
  RowParser parser(model, text);
  std::vector<ArrivedRow> rows;
  for (size_t r = 0; r < text.rows.size(); ++r)
    if (const auto row = parser.read(r)) rows.push_back(*row);
  arrange_support(rows, model.scenario().episode, at);
  TaskInput input;
  input.unknown_kinds = parser.unknown_kinds();
  for (const ArrivedRow& row : rows) {
    input.support.push_back(row.row);
    input.item_ids.push_back(parser.item(row.source));
    input.source.push_back(row.source);
  }
  input.description = encode_entity(model.encoders().tasks, description);
  return input;
}

std::string left_out(const Model& model, int64_t unknown_kinds) {
  if (unknown_kinds == 0) return {};
  return fmt::format("{} rows left out: their kind of event ({}) is none that the model knows ({})", unknown_kinds,
                     model.scenario().event, fmt::join(model.kinds(), ", "));
}

EntityValues description_in(const Model& model, const TextRows& rows) {
  EntityValues values;
  for (const ColumnEncoder& encoder : model.encoders().tasks) {
    const std::string name = encoder.spec.name.substr(encoder.spec.name.find('.') + 1);
    const int column = rows.find(name);
    for (size_t r = 0; column >= 0 && r < rows.rows.size() && !values[name]; ++r) values[name] = rows.rows[r][column];
  }
  return values;
}

}  // namespace fewshop
