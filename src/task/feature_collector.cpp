#include "task/feature_collector.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/time.h"
#include "task/raw_rows.h"

namespace fewshop {
namespace {

FeatureType default_type(ColumnType type) {
  switch (type) {
    case ColumnType::kTime:
      return FeatureType::kTime;
    case ColumnType::kText:
      return FeatureType::kCategory;
    default:
      return FeatureType::kNumber;
  }
}

}  // namespace

FeatureCollector::FeatureCollector(const Cursor& cursor, const Source& source, const std::string& section,
                                   const std::vector<FeatureSpec>& listed, const std::set<std::string>& standing,
                                   size_t entities) {
  const std::string prefix = section + ".";
  for (const auto& spec : listed)
    if (spec.name.starts_with(prefix)) column_of(cursor, spec.name.substr(prefix.size()), source, spec.name);
  for (int c = 0; c < cursor.columns().size(); ++c) {
    const TableColumn& column = cursor.columns()[c];
    Candidate candidate{c, column.type, {}, false, {}, {}};
    candidate.raw.spec = {prefix + column.name, default_type(column.type)};
    const auto spec =
        std::find_if(listed.begin(), listed.end(), [&](const auto& s) { return s.name == candidate.raw.spec.name; });
    candidate.listed = spec != listed.end();
    if (candidate.listed) candidate.raw.spec = *spec;
    if (candidate.listed ? candidate.raw.spec.type == FeatureType::kId : standing.contains(column.name)) continue;
    candidate.raw.values.resize(entities);
    candidates_.push_back(std::move(candidate));
  }
}

void FeatureCollector::leave_out(Candidate& candidate, std::string why) {
  candidate.left_out = std::move(why);
  candidate.raw.values.clear();
  candidate.raw.values.shrink_to_fit();
  candidate.distinct.clear();
}

void FeatureCollector::add(const Cursor& cursor, const std::vector<int64_t>& places) {
  for (auto& candidate : candidates_) {
    if (!candidate.left_out.empty()) continue;
    const auto text = feature_text(cursor.at(candidate.column), candidate.type, candidate.raw.spec.type);
    if (!text) continue;
    if (!candidate.listed && candidate.type == ColumnType::kText) {
      candidate.distinct.insert(*text);
      if (text->starts_with('{') && text->ends_with('}'))
        leave_out(candidate, "JSON objects");
      else if (candidate.distinct.size() > kMaxDefaultCategories)
        leave_out(candidate, fmt::format("a text with more than {} different values", kMaxDefaultCategories));
      if (!candidate.left_out.empty()) continue;
    }
    for (const int64_t place : places) candidate.raw.values[place] = text;
  }
}

std::vector<RawColumn> FeatureCollector::take(std::vector<std::string>& notes) {
  std::vector<RawColumn> columns;
  for (auto& candidate : candidates_) {
    if (candidate.left_out.empty())
      columns.push_back(std::move(candidate.raw));
    else
      notes.push_back(
          fmt::format("{} left out: {}; list it in [features] to use it", candidate.raw.spec.name, candidate.left_out));
  }
  return columns;
}

std::vector<RawColumn> in_order_of(const std::vector<ColumnEncoder>& encoders, std::vector<RawColumn> columns) {
  std::vector<RawColumn> ordered;
  for (const auto& encoder : encoders)
    for (auto& column : columns)
      if (column.spec.name == encoder.spec.name) ordered.push_back(std::move(column));
  return ordered;
}

std::optional<std::string> feature_text(const Value& value, ColumnType column, FeatureType feature) {
  if (value.is_null()) return std::nullopt;
  if (feature == FeatureType::kTime && column == ColumnType::kTime && value.kind == Value::Kind::kInteger)
    return format_time(value.integer);
  std::string text = value.to_text();
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace fewshop
