#include "feature/encode.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "core/error.h"
#include "feature/feature_values.h"

namespace fewshop {
namespace {

/// Owns the arrays of encoded columns.
struct Arrays {
  std::vector<std::vector<float>> dense;
  std::vector<std::vector<int64_t>> offsets;
  std::vector<std::vector<int32_t>> ids;
};

void fit_vocabulary(ColumnEncoder& encoder, const RawColumn& column, const std::vector<uint8_t>& used) {
  std::unordered_map<std::string, int64_t> counts;
  for (size_t r = 0; r < column.values.size(); ++r) {
    if (!used[r] || !column.values[r]) continue;
    const auto words = words_of(column.spec, *column.values[r]);
    for (const auto& word : std::set<std::string>(words.begin(), words.end())) ++counts[word];
  }
  const int64_t least = column.spec.type == FeatureType::kText ? kMinTextCount : 1;
  std::vector<std::pair<int64_t, std::string>> entries;
  for (auto& [word, count] : counts)
    if (count >= least) entries.emplace_back(-count, word);
  std::sort(entries.begin(), entries.end());
  if (entries.size() > kMaxVocabulary) entries.resize(kMaxVocabulary);
  for (auto& [count, word] : entries) encoder.vocabulary.push_back(std::move(word));
  encoder.build_index();
}

void fit_scale(ColumnEncoder& encoder, const RawColumn& column, const std::vector<uint8_t>& used) {
  std::vector<double> sum, squares;
  int64_t count = 0;
  // Sums of differences to the first value keep the variance of large numbers (times) exact.
  std::vector<double> first;
  for (size_t r = 0; r < column.values.size(); ++r) {
    if (!used[r] || !column.values[r]) continue;
    const auto numbers = numbers_of(column.spec, *column.values[r]);
    if (!numbers) continue;
    if (count == 0) {
      first = *numbers;
      sum.assign(first.size(), 0);
      squares.assign(first.size(), 0);
    }
    if (numbers->size() != first.size()) continue;
    ++count;
    for (size_t d = 0; d < first.size(); ++d) {
      const double difference = (*numbers)[d] - first[d];
      sum[d] += difference;
      squares[d] += difference * difference;
    }
  }
  const bool cyclic = column.spec.type == FeatureType::kTime;
  if (count == 0) first.assign(cyclic ? 7 : 1, 0), sum = squares = first;
  for (size_t d = 0; d < first.size(); ++d) {
    const double mean = count ? sum[d] / count : 0;
    const double variance = count ? squares[d] / count - mean * mean : 0;
    const bool keep = cyclic && d > 0;
    const double scale = std::sqrt(std::max(0.0, variance));
    encoder.mean.push_back(keep ? 0 : first[d] + mean);
    encoder.scale.push_back(keep || !(scale > 1e-9 * (1 + std::abs(first[d]))) ? 1 : scale);
  }
  encoder.mean.push_back(0);  // the missing indicator
  encoder.scale.push_back(1);
  encoder.width = static_cast<int32_t>(encoder.mean.size());
}

/// Writes one value of a dense feature: standardised numbers, then 1 where it is missing.
void encode_dense(const ColumnEncoder& encoder, const std::optional<std::string>& value, float* out) {
  const auto numbers = value ? numbers_of(encoder.spec, *value) : std::nullopt;
  const bool missing = !numbers || static_cast<int32_t>(numbers->size()) != encoder.width - 1;
  for (int32_t d = 0; d + 1 < encoder.width; ++d) {
    // A single wild value must not swamp everything else, nor overflow a float.
    const double z = missing ? 0 : ((*numbers)[d] - encoder.mean[d]) / encoder.scale[d];
    out[d] = static_cast<float>(std::clamp(z, -10.0, 10.0));
  }
  out[encoder.width - 1] = missing ? 1.0F : 0.0F;
}

void encode_ids(const ColumnEncoder& encoder, const std::optional<std::string>& value, std::vector<int32_t>& out) {
  if (!value) return;
  for (const auto& word : words_of(encoder.spec, *value))
    if (const int32_t id = encoder.find(word); id >= 0) out.push_back(id);
}

}  // namespace

ColumnEncoder fit_encoder(const RawColumn& column, const std::vector<uint8_t>& used) {
  ColumnEncoder encoder;
  encoder.spec = column.spec;
  if (is_dense(column.spec.type))
    fit_scale(encoder, column, used);
  else
    fit_vocabulary(encoder, column, used);
  return encoder;
}

Columns encode_columns(const std::vector<ColumnEncoder>& encoders, const std::vector<RawColumn>& columns,
                       int64_t rows) {
  auto arrays = std::make_shared<Arrays>();
  arrays->dense.resize(encoders.size());
  arrays->offsets.resize(encoders.size());
  arrays->ids.resize(encoders.size());
  Columns result;
  result.rows = rows;
  for (size_t c = 0; c < encoders.size(); ++c) {
    const ColumnEncoder& encoder = encoders[c];
    const auto& values = columns[c].values;
    Column column{encoder.spec.name, encoder.width, static_cast<int32_t>(encoder.vocabulary.size()), {}, {}, {}};
    if (encoder.width) {
      auto& dense = arrays->dense[c];
      dense.resize(rows * encoder.width);
      for (int64_t r = 0; r < rows; ++r) encode_dense(encoder, values[r], &dense[r * encoder.width]);
      column.dense = dense;
    } else {
      auto& offsets = arrays->offsets[c];
      auto& ids = arrays->ids[c];
      offsets.push_back(0);
      for (int64_t r = 0; r < rows; ++r) {
        encode_ids(encoder, values[r], ids);
        offsets.push_back(static_cast<int64_t>(ids.size()));
      }
      column.offsets = offsets;
      column.ids = ids;
    }
    result.columns.push_back(column);
  }
  result.storage.push_back(arrays);
  return result;
}

EncodedEntity encode_entity(const std::vector<ColumnEncoder>& encoders,
                            const std::map<std::string, std::optional<std::string>>& values) {
  EncodedEntity entity;
  entity.dense.resize(encoders.size());
  entity.ids.resize(encoders.size());
  for (size_t c = 0; c < encoders.size(); ++c) {
    const ColumnEncoder& encoder = encoders[c];
    const size_t dot = encoder.spec.name.find('.');
    const auto found = values.find(encoder.spec.name.substr(dot == std::string::npos ? 0 : dot + 1));
    const std::optional<std::string> value = found == values.end() ? std::nullopt : found->second;
    if (encoder.width) {
      entity.dense[c].resize(encoder.width);
      encode_dense(encoder, value, entity.dense[c].data());
    } else {
      encode_ids(encoder, value, entity.ids[c]);
    }
  }
  for (size_t c = 0; c < encoders.size(); ++c) {
    ColumnView view;
    if (encoders[c].width)
      view.dense = entity.dense[c];
    else
      view.ids = entity.ids[c];
    entity.views.push_back(view);
  }
  return entity;
}

}  // namespace fewshop
