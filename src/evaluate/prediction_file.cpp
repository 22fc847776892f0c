#include "evaluate/prediction_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/cancel.h"
#include "core/error.h"
#include "table/record.h"

namespace fewshop {
namespace {

constexpr const char* kProbability = "p:";

std::string group_key(std::string_view split, std::string_view task, std::string_view k) {
  std::string key;
  for (const auto part : {split, task, k}) key.append(part).push_back('\x1f');
  return key;
}

size_t column_of(const std::vector<std::string>& columns, const std::string& name, const std::string& path) {
  const auto found = std::find(columns.begin(), columns.end(), name);
  std::string have;
  for (const auto& column : columns) have += (have.empty() ? "" : ", ") + column;
  require(found != columns.end(), path, ": expected a column '", name, "', got ", have);
  return static_cast<size_t>(found - columns.begin());
}

float parse_value(std::string_view text, const std::string& place) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && std::isfinite(static_cast<float>(value)), place,
          ": expected a number, got '", text, "'");
  return static_cast<float>(value);
}

}  // namespace

PredictionFile::PredictionFile(const std::string& path, Problem problem) : path_(path) {
  const auto reader = open_records(path, {});
  const auto& columns = reader->columns();
  const size_t split = column_of(columns, "split", path), task = column_of(columns, "task", path),
               k = column_of(columns, "k", path);
  const bool ranking = problem == Problem::kRanking, classes = has_classes(problem);
  const size_t id = column_of(columns, ranking ? "item" : "row", path);
  std::vector<size_t> further;
  for (size_t c = 0; c < columns.size(); ++c) {
    const bool probability = classes && columns[c].starts_with(kProbability);
    if (!probability && !(problem == Problem::kRegression && columns[c] == "variance")) continue;
    further.push_back(c);
    further_.push_back(probability ? columns[c].substr(std::strlen(kProbability)) : columns[c]);
  }
  require(!classes || !further.empty(), path, ": expected a column ", kProbability,
          "LABEL with its probability for each class, got none");
  const size_t value = classes ? further[0] : column_of(columns, ranking ? "score" : "prediction", path);
  Record record;
  int64_t records = 0;
  while (reader->next(record)) {
    if (++records % 65536 == 0) check_cancelled();
    const std::string place = path + ":" + std::to_string(record.line);
    require(record.problem.empty(), place, ": ", record.problem);
    const auto& fields = record.fields;
    const auto [known, added] = ids_.try_emplace(std::string(fields[id]), static_cast<int32_t>(names_.size()));
    if (added) names_.push_back(&known->first);
    groups_[group_key(fields[split], fields[task], fields[k])].entries.push_back(
        {known->second, parse_value(fields[value], place), record.line, static_cast<int64_t>(more_.size())});
    for (const size_t column : further) more_.push_back(parse_value(fields[column], place));
  }
}

const PredictionFile::Group* PredictionFile::take(const std::string& split, const std::string& task,
                                                  const std::string& k) {
  const auto found = groups_.find(group_key(split, task, k));
  if (found == groups_.end()) return nullptr;
  found->second.used = true;
  return &found->second;
}

int32_t PredictionFile::find(const std::string& row_or_item) const {
  const auto found = ids_.find(row_or_item);
  return found == ids_.end() ? -1 : found->second;
}

void PredictionFile::require_all_used() const {
  for (const auto& [key, group] : groups_) {
    if (group.used) continue;
    const size_t first = key.find('\x1f'), second = key.find('\x1f', first + 1);
    throw InvalidInput(path_ + ":" + std::to_string(group.entries.front().line) + ": split '" + key.substr(0, first) +
                       "', task '" + key.substr(first + 1, second - first - 1) + "', k '" +
                       key.substr(second + 1, key.size() - second - 2) +
                       "' is not asked for; `fewshop score --export` writes what is");
  }
}

}  // namespace fewshop
