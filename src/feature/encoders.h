#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "feature/columns.h"
#include "scenario/scenario.h"

namespace fewshop {

/// The encoded features of one entity, owning its memory (runtime: an item or task that arrives as text).
struct EncodedEntity {
  std::vector<std::vector<float>> dense;  // per column, empty for id features
  std::vector<std::vector<int32_t>> ids;  // per column, empty for dense features
  std::vector<ColumnView> views;          // what members take; points into the two above
};

/// A fitted encoder of one column: vocabulary of an id feature, or mean and scale of a dense one.
struct ColumnEncoder {
  FeatureSpec spec;
  int32_t width = 0;                    // dense features
  std::vector<std::string> vocabulary;  // id features; position = id
  std::vector<double> mean, scale;      // dense features, [width]

  /// Positions in `vocabulary`, made by fit_encoder and encoders_from_json; without it look-ups scan the vocabulary.
  std::shared_ptr<const std::unordered_map<std::string, int32_t>> index;
  /// The id of a word, -1 when training never saw it.
  int32_t find(const std::string& word) const;
  void build_index();
};

/// Fitted encoders of items, task descriptions and single rows, in column order. Saved as encoders.json.
struct Encoders {
  std::vector<ColumnEncoder> items, tasks, rows;
};

nlohmann::json encoders_to_json(const Encoders& encoders);
Encoders encoders_from_json(const nlohmann::json& json);

/// Encodes one entity from its column values as text (nullopt or absent = missing); the keys have no prefix ("genres").
/// Values never seen in training have no vocabulary entry.
EncodedEntity encode_entity(const std::vector<ColumnEncoder>& encoders,
                            const std::map<std::string, std::optional<std::string>>& values);

}  // namespace fewshop
