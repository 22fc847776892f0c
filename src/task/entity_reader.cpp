#include "task/entity_reader.h"

#include <algorithm>

#include "task/feature_collector.h"
#include "task/raw_rows.h"

namespace fewshop {

EntityReader::EntityReader(const std::string& database, Source source, std::string key, std::string section,
                           const std::vector<ColumnEncoder>& encoders, Options options)
    : source_(std::move(source)),
      key_(std::move(key)),
      section_(std::move(section)),
      options_(options),
      store_(open_store(database, Store::Access::kRead)) {
  for (const ColumnEncoder& encoder : encoders) features_.push_back(encoder.spec);
  const auto cursor = open_source(*store_, source_, {key_}, section_);
  column_of(*cursor, key_, source_, section_ + ".key");
  places(*open_source(*store_, source_, {}, section_));
}

std::vector<EntityReader::Place> EntityReader::places(const Cursor& cursor) const {
  std::vector<Place> places;
  for (const FeatureSpec& feature : features_) {
    Place place{-1, feature.name.substr(feature.name.find('.') + 1), feature.type};
    const auto& columns = cursor.columns();
    const auto found =
        std::find_if(columns.begin(), columns.end(), [&](const TableColumn& one) { return one.name == place.name; });
    if (found != columns.end())
      place.column = static_cast<int>(found - columns.begin());
    else if (!options_.lenient)
      column_of(cursor, place.name, source_, feature.name);  // throws
    places.push_back(std::move(place));
  }
  return places;
}

EntityValues EntityReader::values_at(const Cursor& cursor, const std::vector<Place>& places) {
  EntityValues values;
  for (const Place& place : places)
    if (place.column >= 0)
      values[place.name] = feature_text(cursor.at(place.column), cursor.columns()[place.column].type, place.type);
  return values;
}

std::optional<EntityValues> EntityReader::values(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto cursor = open_source(*store_, source_, {}, section_, {{key_, id}});
  const auto columns = places(*cursor);
  if (!cursor->next()) return std::nullopt;
  return values_at(*cursor, columns);
}

int64_t EntityReader::scanned_for_one() {
  const std::lock_guard lock(mutex_);
  const auto cursor = open_source(*store_, source_, {}, section_, {{key_, "\x01nobody"}});
  while (cursor->next()) {
  }
  return cursor->scanned();
}

void EntityReader::each(const std::function<void(const std::string& id, const EntityValues& values)>& use) {
  const std::lock_guard lock(mutex_);
  const auto cursor = open_source(*store_, source_, {}, section_);
  const int key = column_of(*cursor, key_, source_, section_ + ".key");
  const auto columns = places(*cursor);
  while (cursor->next())
    if (const Value id = cursor->at(key); !id.is_null()) use(id.to_text(), values_at(*cursor, columns));
}

}  // namespace fewshop
