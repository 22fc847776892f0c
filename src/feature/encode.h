#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "feature/columns.h"
#include "feature/encoders.h"

namespace fewshop {

/// One feature column of a table as it was read: [rows] texts, nothing where the value is missing.
struct RawColumn {
  FeatureSpec spec;
  std::vector<std::optional<std::string>> values;
};

/// Words of a text must occur in this many entities; other id features keep every value.
inline constexpr int kMinTextCount = 2;
/// The most frequent entries that a vocabulary keeps.
inline constexpr size_t kMaxVocabulary = 100'000;

/// Fits vocabulary, or mean and scale, on the entities that training has seen: used [rows], 1 = seen.
///
/// id features: ids 0.. by descending number of entities, then by text. Dense features: mean 0, deviation 1 over the
/// entities that have the value; the last dimension is 1 where it is missing; what a time has of month, weekday and
/// hour is left as it is. A vector's width is that of its first value.
ColumnEncoder fit_encoder(const RawColumn& column, const std::vector<uint8_t>& used);

/// Encodes raw columns in encoder order; columns[i] belongs to encoders[i]. The result owns its memory.
Columns encode_columns(const std::vector<ColumnEncoder>& encoders, const std::vector<RawColumn>& columns, int64_t rows);

}  // namespace fewshop
