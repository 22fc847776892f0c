#include "task/row_features.h"

#include <algorithm>

#include "core/error.h"
#include "core/progress.h"
#include "task/feature_collector.h"
#include "task/raw_rows.h"

namespace fewshop {
namespace {

constexpr int64_t kRowsBetweenChecks = 1024;

}  // namespace

std::vector<std::string> standing_columns(const Scenario& s) {
  std::vector<std::string> columns = s.task;
  for (const auto* column :
       {&s.target, &s.item, &s.time, &s.event, &s.weight, &s.split.column, &s.episode.ties, &s.episode.role})
    if (!column->empty()) columns.push_back(*column);
  return columns;
}

std::vector<RawColumn> read_row_features(Store& store, const Scenario& scenario, const std::vector<int64_t>& source,
                                         std::vector<std::string>& notes) {
  const auto cursor = open_source(store, scenario.rows, {}, "rows");
  const auto standing = standing_columns(scenario);
  FeatureCollector collector(*cursor, scenario.rows, "rows", scenario.features, {standing.begin(), standing.end()},
                             source.size());
  std::vector<int64_t> row_at(source.empty() ? 0 : *std::max_element(source.begin(), source.end()) + 1, -1);
  for (size_t r = 0; r < source.size(); ++r) row_at[source[r]] = static_cast<int64_t>(r);
  Progress progress("features of " + scenario.name, 0);
  std::vector<int64_t> place(1);
  int64_t position = 0, found = 0;
  for (; cursor->next(); ++position) {
    if (position % kRowsBetweenChecks == 0) progress.advance(position > 0 ? kRowsBetweenChecks : 0);
    if (position >= static_cast<int64_t>(row_at.size()) || row_at[position] < 0) continue;
    place[0] = row_at[position];
    collector.add(*cursor, place);
    ++found;
  }
  if (found != static_cast<int64_t>(source.size()))
    throw Failure(source_name(scenario.rows, "rows") +
                  ": its rows changed while they were read; wait until nothing writes them, and try again");
  return collector.take(notes);
}

}  // namespace fewshop
