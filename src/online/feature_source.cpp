#include "online/feature_source.h"

#include <fmt/format.h>

#include "core/error.h"

namespace fewshop {
namespace {

constexpr int64_t kMostScanned = 1000;  // rows for one question; more are worth an index

struct Place {
  const char *section, *table, *key;
};
constexpr Place place_of(FeatureSource::Of of) {
  return of == FeatureSource::Of::kItems ? Place{"items", "items", "item_id"} : Place{"tasks", "users", "user_id"};
}

const Source& source_of(const Scenario& s, FeatureSource::Of of) {
  return of == FeatureSource::Of::kItems ? s.items : s.tasks;
}

const std::string& key_of(const Scenario& s, FeatureSource::Of of) {
  return of == FeatureSource::Of::kItems ? s.items_key : s.tasks_key;
}

std::string columns_count(const Place& place, const std::string& scenario, const std::string& why) {
  return fmt::format("{} of {}: features come from the columns of the table {}: {}", place.section, scenario,
                     place.table, why);
}

}  // namespace

std::unique_ptr<FeatureSource> FeatureSource::open(const std::string& database, const Scenario& scenario, Of of,
                                                   const std::vector<ColumnEncoder>& encoders, Log log) {
  const Source& source = source_of(scenario, of);
  const Place place = place_of(of);
  const bool plain = source.sql.empty() &&
                     (source.table.empty() || (source.table == place.table && key_of(scenario, of) == place.key));
  if (plain || encoders.empty()) return nullptr;
  try {
    auto opened = std::unique_ptr<FeatureSource>(new FeatureSource(database, scenario, of, encoders, log));
    if (const int64_t rows = opened->reader_.scanned_for_one(); rows > kMostScanned)
      log(fmt::format("{} of {}: {} goes through {} rows; an index on {} would find them", place.section, scenario.name,
                      of == Of::kItems ? "every change of an item" : "every answer", rows, key_of(scenario, of)));
    return opened;
  } catch (const InvalidInput& problem) {
    log(columns_count(place, scenario.name, problem.what()));
    return nullptr;
  }
}

FeatureSource::FeatureSource(const std::string& database, const Scenario& scenario, Of of,
                             const std::vector<ColumnEncoder>& encoders, Log log)
    : of_(of),
      scenario_(scenario.name),
      log_(std::move(log)),
      reader_(database, source_of(scenario, of), key_of(scenario, of), place_of(of).section, encoders,
              {.lenient = true}) {}

std::optional<EntityValues> FeatureSource::values(const std::string& id) {
  try {
    return reader_.values(id);
  } catch (const InvalidInput& problem) {
    if (!failed_.exchange(true)) log_(columns_count(place_of(of_), scenario_, problem.what()));
    return std::nullopt;
  }
}

}  // namespace fewshop
