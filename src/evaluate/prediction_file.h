#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// predictions.csv in memory, grouped by test task and number of examples.
///
/// Columns (others are ignored): split, task, k, row, prediction; in ranking problems split, task, k, item, score.
class PredictionFile {
 public:
  struct Entry {
    int32_t id;  // of `row` or `item`, see find()
    float value;
    int64_t line;
  };
  struct Group {
    std::vector<Entry> entries;
    bool used = false;
  };

  /// Throws InvalidInput for a missing column, a record that does not fit, or a value that is no finite number.
  PredictionFile(const std::string& path, Problem problem);
  PredictionFile(const PredictionFile&) = delete;
  PredictionFile& operator=(const PredictionFile&) = delete;

  /// The entries for one task at one number of examples, marked as used; null where there are none.
  const Group* take(const std::string& split, const std::string& task, const std::string& k);

  /// The number that entries use for a row or item; -1 where the file does not name it.
  int32_t find(const std::string& row_or_item) const;
  const std::string& name(int32_t id) const { return *names_[id]; }
  const std::string& path() const { return path_; }

  /// Throws InvalidInput naming the first group that nobody took: the file answers what was not asked.
  void require_all_used() const;

 private:
  std::string path_;
  std::map<std::string, Group> groups_;  // by split, task, k
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<const std::string*> names_;
};

}  // namespace fewshop
