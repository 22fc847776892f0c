#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// predictions.csv in memory, grouped by test task and number of examples.
///
/// Columns (others are ignored): split, task, k, and
///
///   rating, regression, count   row, prediction; regression also variance where log-loss is to be judged
///   binary                      row, prediction: the probability of 1
///   multiclass, ordinal         row, and p:LABEL for each class: its probability
///   ranking                     item, score
class PredictionFile {
 public:
  struct Entry {
    int32_t id;  // of `row` or `item`, see find()
    float value;
    int64_t line;
    int64_t more;  // where its further values begin, see more()
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
  /// Labels of the columns p:LABEL, or "variance" where the file has it: what more() holds, in this order.
  const std::vector<std::string>& further() const { return further_; }
  std::span<const float> more(const Entry& entry) const {
    return std::span(more_).subspan(static_cast<size_t>(entry.more), further_.size());
  }
  const std::string& name(int32_t id) const { return *names_[id]; }
  const std::string& path() const { return path_; }

  /// Throws InvalidInput naming the first group that nobody took: the file answers what was not asked.
  void require_all_used() const;

 private:
  std::string path_;
  std::map<std::string, Group> groups_;  // by split, task, k
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<const std::string*> names_;
  std::vector<std::string> further_;
  std::vector<float> more_;  // [records, further]
};

}  // namespace fewshop
