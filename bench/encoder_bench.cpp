// Encoding a row at serving time: an item of ten fields and a task of four, the default sizes of every network.
//   row_us    median CPU microseconds of all fields of a row to its outputs
//   pair_us   the same with the parts of task and item at hand: what is paid for every pair of both
//   dense_us  the products of the dense layers alone, by Eigen, in the same run: an input [n] through 64-64
//   ratio     row_us / dense_us
#include "runtime/encoder.h"

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/random_encoder.h"

namespace fewshop {
namespace {

constexpr int kRows = 256, kChunk = 64;

std::vector<Encoder::Field> some_fields() {
  return {{"items.price", 2, 0},       {"items.added", 8, 0},    {"items.brand", 0, 500}, {"items.genres", 0, 20},
          {"items.words", 0, 5000},    {"items.maker", 0, 2000}, {"items.colour", 0, 30}, {"items.season", 0, 4},
          {"items.category", 0, 200},  {"items.id", 0, 4000},    {"tasks.age", 0, 7},     {"tasks.country", 0, 100},
          {"tasks.occupation", 0, 21}, {"tasks.region", 0, 1000}};
}

/// Entries of a field: ten words, three genres, else one.
int entries_of(const Encoder::Field& field) {
  return field.name == "items.words" ? 10 : field.name == "items.genres" ? 3 : 1;
}

struct RandomRows {
  explicit RandomRows(const std::vector<Encoder::Field>& fields) : ids(kRows), numbers(kRows), rows(kRows) {
    Random random(2);
    for (int r = 0; r < kRows; ++r) {
      ids[r].resize(fields.size());
      numbers[r].resize(fields.size());
      for (size_t f = 0; f < fields.size(); ++f) {
        for (int j = 0; j < fields[f].width; ++j) numbers[r][f].push_back(static_cast<float>(random.normal()));
        for (int j = 0; fields[f].width == 0 && j < entries_of(fields[f]); ++j)
          ids[r][f].push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(fields[f].vocabulary))));
        rows[r].push_back({numbers[r][f], ids[r][f]});
      }
    }
  }
  std::vector<std::vector<std::vector<int32_t>>> ids;
  std::vector<std::vector<std::vector<float>>> numbers;
  std::vector<std::vector<ColumnView>> rows;
};

void encode_row(benchmark::State& state, const std::string& name) {
  EncoderOptions options;
  options.name = name;
  const auto fields = some_fields();
  const auto encoder = Encoder::make(random_encoder_arrays(options, fields, 1));
  const RandomRows random(fields);
  Encoder::Scratch scratch;
  std::vector<float> features(static_cast<size_t>(encoder->feature_size())), output(1);
  std::vector<std::vector<float>> item(kRows), task(kRows);
  for (int r = 0; r < kRows; ++r) {
    item[r].resize(static_cast<size_t>(encoder->part_size()));
    task[r] = item[r];
    for (size_t f = 0; f < fields.size(); ++f)
      encoder->add(f, random.rows[r][f], scratch, fields[f].name.starts_with("tasks.") ? task[r] : item[r]);
  }
  int64_t n = 0;
  for (const auto& field : fields) n += field.width ? field.width : options.embedding;
  const Eigen::MatrixXf first = Eigen::MatrixXf::Random(64, n), second = Eigen::MatrixXf::Random(64, 64);
  const Eigen::VectorXf x = Eigen::VectorXf::Random(n);
  Eigen::VectorXf hidden(64), last(64);
  std::vector<float> sum(item[0].size());
  bench::Chunks whole, pair, dense;
  int r = 0;
  for (auto _ : state) {
    state.SetIterationTime(whole.time(kChunk, [&] {
      r = (r + 1) % kRows;
      encoder->encode(random.rows[r], scratch, features);
      encoder->head(features, output);
      benchmark::DoNotOptimize(output.data());
    }));
    pair.time(kChunk, [&] {
      r = (r + 1) % kRows;
      for (size_t i = 0; i < sum.size(); ++i) sum[i] = item[r][i] + task[0][i];
      encoder->finish(sum, scratch, features);
      encoder->head(features, output);
      benchmark::DoNotOptimize(output.data());
    });
    dense.time(kChunk, [&] {
      hidden.noalias() = first * x;
      last.noalias() = second * hidden;
      benchmark::DoNotOptimize(last.data());
    });
  }
  state.counters["row_us"] = 1e6 * whole.median();
  state.counters["pair_us"] = 1e6 * pair.median();
  state.counters["dense_us"] = 1e6 * dense.median();
  state.counters["ratio"] = whole.median() / dense.median();
}

#define FEWSHOP_ENCODE(NAME) BENCHMARK_CAPTURE(encode_row, NAME, #NAME)->UseManualTime()->Unit(benchmark::kMicrosecond)
FEWSHOP_ENCODE(linear);
FEWSHOP_ENCODE(mf);
FEWSHOP_ENCODE(mlp);
FEWSHOP_ENCODE(deepfm);
FEWSHOP_ENCODE(dcn);

}  // namespace
}  // namespace fewshop
