#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "learner/baseline/baseline.h"
#include "support/public_data.h"
#include "task/dataset.h"

namespace fewshop::testing {

/// The lines of a zstd file, without line ends.
std::vector<std::string> read_lines(const std::string& path);

std::vector<std::string> split(const std::string& line, const std::string& separator);

/// Builds a dataset row by row: rows of one task must be added together.
class DatasetBuilder {
 public:
  void add(const std::string& task, const std::string& item, float target, int8_t role = 0, int32_t group = -1);
  /// An item without rows; its index.
  int32_t item(const std::string& id);
  /// Adds a column of ids (bags of words from a vocabulary in order of first appearance), one bag per item index.
  void add_bags(const std::string& name, const std::vector<std::vector<std::string>>& bags);
  Dataset finish();

 private:
  Dataset data_;
  std::unordered_map<std::string, int32_t> items_;
};

/// The MovieLens-1M ratings in MeLU's split: tasks are (cell, user), task_split the cell, roles as published, item
/// features genres, director, actors and MPAA rate.
Dataset melu_split();

/// MovieLens-1M ratings by user, in a random order per user.
Dataset movielens(uint64_t seed);

/// All rows of a task.
TaskRows all_rows(const Dataset& data, int32_t task);

std::vector<SupportRow> support_of(const Dataset& data, const std::vector<int32_t>& rows);

struct RatingErrors {
  double mae = 0, rmse = 0, ndcg3 = 0;  // means over tasks (rmse over rows); ndcg exponential
  double calibration = 0;               // mean of squared error / stated variance; 0 without variance
};

/// Scores every episode, clipped to [low, high].
RatingErrors rating_errors(const Member& member, const Dataset& data, const std::vector<Episode>& episodes, float low,
                           float high);

/// Mean over tasks of nDCG@k (binary) when all items are ranked, those of the support apart where they are excluded.
double ranking_ndcg(const Member& member, const Dataset& data, const std::vector<Episode>& episodes, int k,
                    bool exclude_seen = true);

/// CPU seconds of this process so far.
double cpu_seconds();

}  // namespace fewshop::testing
