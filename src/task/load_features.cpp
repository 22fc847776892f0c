#include "task/load_features.h"

#include <fmt/format.h>

#include <set>
#include <unordered_map>

#include "core/error.h"
#include "core/progress.h"

namespace fewshop {
namespace {

constexpr int64_t kEntitiesBetweenChecks = 1024;

}  // namespace

Interner read_keys(Store& store, const EntitySource& entities, std::vector<std::string>& notes) {
  const auto cursor = open_source(store, entities.source, {entities.key}, entities.section);
  const int key = column_of(*cursor, entities.key, entities.source, entities.section + ".key");
  Interner keys;
  int64_t rows = 0, missing = 0;
  Progress progress("keys of " + entities.section, 0);
  for (; cursor->next(); ++rows) {
    if (rows % kEntitiesBetweenChecks == 0) progress.advance(rows > 0 ? kEntitiesBetweenChecks : 0);
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
  std::set<std::string> standing{entities.key};
  if (entities.section == "items") standing.insert("hidden");  // says what may be shown, not what an item is like
  FeatureCollector collector(*cursor, entities.source, entities.section, listed, standing, ids.size());
  std::unordered_map<std::string, std::vector<int64_t>> places;
  for (size_t i = 0; i < ids.size(); ++i) places[ids[i]].push_back(static_cast<int64_t>(i));
  Progress progress("features of " + entities.section, static_cast<int64_t>(ids.size()));
  for (int64_t rows = 0; cursor->next(); ++rows) {
    if (rows % kEntitiesBetweenChecks == 0) progress.advance(rows > 0 ? kEntitiesBetweenChecks : 0);
    const auto found = places.find(cursor->at(key).to_text());
    if (found == places.end()) continue;
    collector.add(*cursor, found->second);
    places.erase(found);  // the first row of a key counts
  }
  std::vector<RawColumn> columns = collector.take(notes);
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
  const auto raw = in_order_of(encoders, read_features(store, entities, listed, ids, notes));
  return encode_columns(encoders, raw, static_cast<int64_t>(ids.size()));
}

}  // namespace fewshop
