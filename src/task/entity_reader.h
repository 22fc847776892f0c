#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "feature/encoders.h"
#include "scenario/scenario.h"
#include "store/store.h"
#include "task/task_input.h"

namespace fewshop {

/// What a scenario says of its items or tasks, entity by entity: the values of fitted features as text, from the table
/// or SQL that the scenario names, as training reads them.
///
/// Threads: any number, one after the other.
class EntityReader {
 public:
  struct Options {
    /// Features whose column the source lacks are missing; without it they are an error.
    bool lenient = false;
  };

  /// `section`: "items" or "tasks", which messages name. Throws InvalidInput where the database has no such source or
  /// column.
  EntityReader(const std::string& database, Source source, std::string key, std::string section,
               const std::vector<ColumnEncoder>& encoders, Options options);

  /// Nothing where the source has no such row; the first row of a key counts.
  std::optional<EntityValues> values(const std::string& id);
  /// Rows that values() goes through for an id that the source does not have; 0 where an index tells. Takes as long as
  /// such a call.
  int64_t scanned_for_one();
  /// Every row that has a key, in the order of the source; a key may come again, and its first row counts.
  void each(const std::function<void(const std::string& id, const EntityValues& values)>& use);

 private:
  /// A feature's column in rows of a cursor; -1: it has none.
  struct Place {
    int column = -1;
    std::string name;
    FeatureType type{};
  };
  std::vector<Place> places(const Cursor& cursor) const;
  static EntityValues values_at(const Cursor& cursor, const std::vector<Place>& places);

  Source source_;
  std::string key_, section_;
  std::vector<FeatureSpec> features_;
  Options options_;
  std::mutex mutex_;
  std::unique_ptr<Store> store_;
};

}  // namespace fewshop
