#pragma once

#include <optional>
#include <string>

#include "feature/columns.h"
#include "feature/encoders.h"

namespace fewshop {

/// What the cache keeps: fitted encoders, the encoded columns of items, tasks and rows, and what was told on the way.
struct CachedColumns {
  Encoders encoders;
  Columns items, tasks, rows;
  std::vector<std::string> notes;
};

/// Opens a cache file into memory; nothing where it is missing, damaged (checksum), or of another key or format.
/// The columns point into the mapping, which lives as long as they do.
std::optional<CachedColumns> open_column_cache(const std::string& file, const std::string& key);

/// Writes a cache file under a temporary name and renames it. A cache that cannot be written (read-only folder, full
/// disk) is no error: returns false. Format: docs/tasks-and-episodes.md.
bool write_column_cache(const std::string& file, const std::string& key, const CachedColumns& columns);

}  // namespace fewshop
