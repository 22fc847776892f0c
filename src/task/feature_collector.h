#pragma once

#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "feature/encode.h"
#include "scenario/scenario.h"
#include "store/store.h"

namespace fewshop {

/// Texts with more different values than this are no category unless the scenario lists them.
inline constexpr size_t kMaxDefaultCategories = 200;

/// Takes the feature columns of a table or query as its cursor goes through it: those that the scenario lists under
/// SECTION.COLUMN, and every other column with a default type (numbers number, times time, texts with few values
/// category; other texts, and JSON objects such as the labels of the shop's items and users, whose parts are columns of
/// their own, are left out with a note).
class FeatureCollector {
 public:
  /// `standing` are columns that say something else and are no features unless listed; values for `entities` entities.
  /// Throws InvalidInput where a listed column is not there.
  FeatureCollector(const Cursor& cursor, const Source& source, const std::string& section,
                   const std::vector<FeatureSpec>& listed, const std::set<std::string>& standing, size_t entities);

  /// Keeps what the cursor's present row says of the entities at `places`.
  void add(const Cursor& cursor, const std::vector<int64_t>& places);

  /// The columns: values[i] belongs to entity i. Says in `notes` what was left out.
  std::vector<RawColumn> take(std::vector<std::string>& notes);

 private:
  /// One column of the table on its way to a feature.
  struct Candidate {
    int column;
    ColumnType type;
    RawColumn raw;
    bool listed = false;
    std::string left_out;                      // why; "" = it is not
    std::unordered_set<std::string> distinct;  // unlisted texts, until there are too many
  };

  static void leave_out(Candidate& candidate, std::string why);

  std::vector<Candidate> candidates_;
};

/// The columns that fitted encoders read, in their order; the collector, given their specs as listed, has refused
/// missing ones and may have found others.
std::vector<RawColumn> in_order_of(const std::vector<ColumnEncoder>& encoders, std::vector<RawColumn> columns);

/// A cell as encoders read it, in training and when serving alike: times as dates, everything else as its text; nothing
/// where it is missing.
std::optional<std::string> feature_text(const Value& value, ColumnType column, FeatureType feature);

}  // namespace fewshop
