#include "task/load_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/progress.h"
#include "core/time.h"

namespace fewshop {
namespace {

constexpr int64_t kRowsBetweenChecks = 1024;

/// One column of the table on its way to a feature.
struct Candidate {
  int column;
  ColumnType type;
  RawColumn raw;
  bool listed = false;
  bool left_out = false;
  std::unordered_set<std::string> distinct;  // unlisted texts, until there are too many
};

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

std::vector<Candidate> candidates_of(const Cursor& cursor, const EntitySource& entities,
                                     const std::vector<FeatureSpec>& listed) {
  std::vector<Candidate> candidates;
  const std::string prefix = entities.section + ".";
  for (const auto& spec : listed)
    if (spec.name.starts_with(prefix)) column_of(cursor, spec.name.substr(prefix.size()), entities.source, spec.name);
  for (int c = 0; c < cursor.columns().size(); ++c) {
    const TableColumn& column = cursor.columns()[c];
    Candidate candidate{c, column.type, {}, false, false, {}};
    candidate.raw.spec = {prefix + column.name, default_type(column.type)};
    const auto spec =
        std::find_if(listed.begin(), listed.end(), [&](const auto& s) { return s.name == candidate.raw.spec.name; });
    candidate.listed = spec != listed.end();
    if (candidate.listed) candidate.raw.spec = *spec;
    // `hidden` of the canonical table says what may be shown, not what an item is like.
    const bool standing = column.name == entities.key || (entities.section == "items" && column.name == "hidden");
    if (candidate.listed ? candidate.raw.spec.type == FeatureType::kId : standing) continue;
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

void note_left_out(Candidate& candidate, std::vector<std::string>& notes) {
  candidate.left_out = true;
  candidate.raw.values.clear();
  candidate.raw.values.shrink_to_fit();
  candidate.distinct.clear();
  notes.push_back(fmt::format("{} left out: a text with more than {} different values; list it in [features] to use it",
                              candidate.raw.spec.name, kMaxDefaultCategories));
}

void store_value(Candidate& candidate, std::optional<std::string> text, const std::vector<int64_t>& places,
                 std::vector<std::string>& notes) {
  if (!text) return;
  if (!candidate.listed && candidate.type == ColumnType::kText) {
    candidate.distinct.insert(*text);
    if (candidate.distinct.size() > kMaxDefaultCategories) return note_left_out(candidate, notes);
  }
  for (const int64_t place : places) candidate.raw.values[place] = text;
}

}  // namespace

std::optional<std::string> feature_text(const Value& value, ColumnType column, FeatureType feature) {
  if (value.is_null()) return std::nullopt;
  if (feature == FeatureType::kTime && column == ColumnType::kTime && value.kind == Value::Kind::kInteger)
    return format_time(value.integer);
  std::string text = value.to_text();
  if (text.empty()) return std::nullopt;
  return text;
}

Interner read_keys(Store& store, const EntitySource& entities, std::vector<std::string>& notes) {
  const auto cursor = open_source(store, entities.source, {entities.key}, entities.section);
  const int key = column_of(*cursor, entities.key, entities.source, entities.section + ".key");
  Interner keys;
  int64_t rows = 0, missing = 0;
  Progress progress("keys of " + entities.section, 0);
  for (; cursor->next(); ++rows) {
    if (rows % kRowsBetweenChecks == 0) progress.advance(rows > 0 ? kRowsBetweenChecks : 0);
    const Value value = cursor->at(key);
    if (value.is_null())
      ++missing;
    else
      keys.add(value.kind == Value::Kind::kText ? value.text : std::string_view(value.to_text()));
  }
  const std::string name = source_name(entities.source, entities.section);
  require(rows > 0, name, ": no rows");
  const int64_t twice = rows - missing - static_cast<int64_t>(keys.texts().size());
  if (missing > 0) notes.push_back(fmt::format("{}: {} rows without {}", name, missing, entities.key));
  if (twice > 0)
    notes.push_back(fmt::format("{}: {} rows repeat a {}; the first row of each counts", name, twice, entities.key));
  return keys;
}

std::vector<RawColumn> read_features(Store& store, const EntitySource& entities, const std::vector<FeatureSpec>& listed,
                                     const std::vector<std::string>& ids, std::vector<std::string>& notes) {
  const auto cursor = open_source(store, entities.source, {}, entities.section);
  const int key = column_of(*cursor, entities.key, entities.source, entities.section + ".key");
  std::vector<Candidate> candidates = candidates_of(*cursor, entities, listed);
  for (auto& candidate : candidates) candidate.raw.values.resize(ids.size());
  std::unordered_map<std::string, std::vector<int64_t>> places;
  for (size_t i = 0; i < ids.size(); ++i) places[ids[i]].push_back(static_cast<int64_t>(i));
  Progress progress("features of " + entities.section, static_cast<int64_t>(ids.size()));
  for (int64_t rows = 0; cursor->next(); ++rows) {
    if (rows % kRowsBetweenChecks == 0) progress.advance(rows > 0 ? kRowsBetweenChecks : 0);
    const auto found = places.find(cursor->at(key).to_text());
    if (found == places.end()) continue;
    for (auto& candidate : candidates)
      if (!candidate.left_out)
        store_value(candidate, feature_text(cursor->at(candidate.column), candidate.type, candidate.raw.spec.type),
                    found->second, notes);
    places.erase(found);  // the first row of a key counts
  }
  std::vector<RawColumn> columns;
  for (auto& candidate : candidates)
    if (!candidate.left_out) columns.push_back(std::move(candidate.raw));
  if (!places.empty())
    notes.push_back(fmt::format("{}: {} of {} {} of the rows are not in it; their features are missing",
                                source_name(entities.source, entities.section), places.size(), ids.size(),
                                entities.section));
  return columns;
}

Columns read_fitted_features(Store& store, const EntitySource& entities, const std::vector<ColumnEncoder>& encoders,
                             const std::vector<std::string>& ids, std::vector<std::string>& notes) {
  std::vector<FeatureSpec> listed;
  for (const auto& encoder : encoders) listed.push_back(encoder.spec);
  std::vector<RawColumn> raw = read_features(store, entities, listed, ids, notes), ordered;
  for (const auto& encoder : encoders)  // read_features has refused missing ones, and may have found others
    for (auto& column : raw)
      if (column.spec.name == encoder.spec.name) ordered.push_back(std::move(column));
  return encode_columns(encoders, ordered, static_cast<int64_t>(ids.size()));
}

}  // namespace fewshop
