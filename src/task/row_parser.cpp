#include "task/row_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/hash.h"

namespace fewshop {

RowParser::RowParser(const Scenario& scenario, const std::vector<std::string>& kinds,
                     std::function<int32_t(const std::string&)> find_item, const TextRows& rows)
    : s_(scenario), kinds_(kinds), find_item_(std::move(find_item)), rows_(rows), targets_(scenario) {
  item_ = s_.item.empty() ? -1 : needed(s_.item, "rows.item");
  const bool implicit = s_.problem == Problem::kRanking;
  target_ = s_.target.empty() ? -1 : implicit ? rows.find(s_.target) : needed(s_.target, "rows.target");
  by_time_ = s_.episode.by_time || s_.episode.ties == "time";
  time_ = s_.time.empty() ? -1 : by_time_ ? needed(s_.time, "rows.time") : rows.find(s_.time);
  event_ = optional(s_.event);
  weight_ = optional(s_.weight);
  ties_ = s_.episode.ties == "time" ? -1 : optional(s_.episode.ties);
}

std::optional<ArrivedRow> RowParser::read(size_t r) {
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
  if (item_ >= 0) out.row.item = find_item_(item(r));
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

std::string RowParser::item(size_t r) const { return item_ < 0 ? "" : text(r, item_, s_.item); }

int RowParser::needed(const std::string& column, const char* key) const {
  const int found = rows_.find(column);
  require(found >= 0, rows_.place, ": expected a column '", column, "' (", key, " of scenario ", s_.name, "), got ",
          fmt::format("{}", fmt::join(rows_.columns, ", ")));
  return found;
}

std::string RowParser::text(size_t r, int column, const std::string& name) const {
  const auto& value = rows_.rows[r][column];
  require(value && !value->empty(), rows_.where(r), ": ", name, " is empty");
  return *value;
}

double RowParser::number(size_t r, int column, const std::string& name) const {
  const std::string value = text(r, column, name);
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  require(error == std::errc() && end == value.data() + value.size() && std::isfinite(number), rows_.where(r), ": ",
          name, ": expected a number, got '", value.substr(0, 80), "'");
  require(std::abs(number) <= kMaxNumber, rows_.where(r), ": ", name, ": ", number,
          " is too large, expected numbers up to ", kMaxNumber);
  return number;
}

std::optional<float> RowParser::target(size_t r) {
  if (target_ < 0) return 1.0F;
  const std::string value = text(r, target_, s_.target);
  const auto read =
      targets_.read(Value::of(std::string_view(value)), counts_, [&] { return rows_.where(r) + ": " + s_.target; });
  require(read.has_value() || s_.problem == Problem::kRanking, rows_.where(r), ": ", s_.target, ": '",
          value.substr(0, 80), "' is none of the classes ", fmt::format("{}", fmt::join(s_.classes, ", ")));
  return read;
}

std::optional<Micros> RowParser::time(size_t r) const {
  const auto& value = rows_.rows[r][time_];
  if (!by_time_ && (!value || value->empty())) return std::nullopt;
  const auto time = parse_time(text(r, time_, s_.time));
  require(time.has_value() || !by_time_, rows_.where(r), ": ", s_.time,
          ": expected a time such as 2011-12-09T12:50:00Z, got '", value->substr(0, 80), "'");
  return time;
}

int RowParser::kind_of(const std::string& name) const {
  const auto found = std::find(kinds_.begin(), kinds_.end(), name);
  return found == kinds_.end() ? -1 : static_cast<int>(found - kinds_.begin());
}

}  // namespace fewshop
