#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "feature/columns.h"

namespace fewshop {

/// Encoded columns that own their memory and take further rows: the entities of a fitted model, to which later ones are
/// added. columns() stays at one address; its spans move when a row is added.
class EntityColumns {
 public:
  EntityColumns() = default;
  /// A copy of everything.
  explicit EntityColumns(const Columns& columns);
  EntityColumns(const EntityColumns&) = delete;
  EntityColumns& operator=(const EntityColumns&) = delete;

  const Columns& columns() const { return columns_; }

  /// One more row: one view per column, in column order; none at all = an entity of which nothing is known.
  void append(std::span<const ColumnView> views);
  /// Other values for a row that is there.
  void replace(int64_t row, std::span<const ColumnView> views);

 private:
  struct Storage {
    std::vector<float> dense;
    std::vector<int64_t> offsets{0};
    std::vector<int32_t> ids;
  };
  void point();

  std::vector<Storage> storage_;  // one per column
  Columns columns_;
};

}  // namespace fewshop
