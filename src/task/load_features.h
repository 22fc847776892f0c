#pragma once

#include <optional>
#include <string>
#include <vector>

#include "feature/encode.h"
#include "scenario/scenario.h"
#include "store/store.h"
#include "task/feature_collector.h"
#include "task/raw_rows.h"

namespace fewshop {

/// A table of entities: [items] or [tasks].
struct EntitySource {
  const Source& source;
  const std::string& key;
  std::string section;  // "items", "tasks": names messages and begins feature names

  bool given() const { return !source.table.empty() || !source.sql.empty(); }
};

/// The keys of an entity table, in its order. Rows without key and second rows of a key are counted in `notes`.
/// Throws InvalidInput for an empty table.
Interner read_keys(Store& store, const EntitySource& entities, std::vector<std::string>& notes);

/// The feature columns of an entity table, in its order: those of `listed` that begin with the section's name, and
/// every other column with a default type (numbers number, times time, texts with few values category; others are left
/// out with a note). values[i] belongs to ids[i]; entities that the table does not have get missing values. The first
/// row of a key counts.
std::vector<RawColumn> read_features(Store& store, const EntitySource& entities, const std::vector<FeatureSpec>& listed,
                                     const std::vector<std::string>& ids, std::vector<std::string>& notes);

/// The same for encoders that were fitted before, encoded. Throws InvalidInput where the table lacks one of their
/// columns.
Columns read_fitted_features(Store& store, const EntitySource& entities, const std::vector<ColumnEncoder>& encoders,
                             const std::vector<std::string>& ids, std::vector<std::string>& notes);

}  // namespace fewshop
