#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"

namespace fewshop {

/// rating and ranking ask about items of a task; the others about rows of it: what is asked for has features of its
/// own.
enum class Problem { kRating, kRanking, kBinary, kMulticlass, kRegression, kCount, kOrdinal };

constexpr bool is_row_problem(Problem problem) { return problem != Problem::kRating && problem != Problem::kRanking; }

/// Problems whose targets are classes: multiclass, and ordinal, where their order counts.
constexpr bool has_classes(Problem problem) { return problem == Problem::kMulticlass || problem == Problem::kOrdinal; }

enum class FeatureType { kId, kNumber, kLogNumber, kCategory, kCategories, kText, kTime, kVector, kSequence };

/// How one column becomes numbers. `name` carries its prefix: "items.genres", "tasks.age", "rows.price".
struct FeatureSpec {
  std::string name;
  FeatureType type = FeatureType::kCategory;
  std::string separator = "|";  // categories, sequence, vector
  bool chosen = false;          // listed in the file, not by default
};

/// Where the rows, items or task descriptions come from: a table or a read-only SQL query, exactly one of them.
struct Source {
  std::string table, sql;
};

struct SplitSpec {
  double train = 0.8, valid = 0.1, test = 0.1;
  int folds = 0;                                                     // 0: none; -1: each task its own fold
  int fold = 0;                                                      // the fold that is tested, with folds
  std::string column;                                                // a column of the rows
  std::vector<std::string> train_values, valid_values, test_values;  // with column; valid_values empty: share `valid`
  std::optional<Micros> time_valid, time_test;
  uint64_t seed = 0;
  bool by_time_alone() const { return time_valid && column.empty() && folds == 0 && !shares_given; }
  bool shares_given = false;
};

/// A support size of the curve: a number of groups, or a share of the task's groups.
struct Shot {
  int count = 0;
  double share = 0;           // > 0: a share, count is not used
  std::string label() const;  // "5" or "80%"
};

struct EpisodeSpec {
  enum class Query { kCount, kRest, kNext };
  int support_min = 0, support_max = 100;
  Query query = Query::kCount;
  int query_count = 10;            // with kCount
  int query_after = 0;             // with kRest: the query is what follows this many groups, at every k; 0: follows k
  int rows_min = 0, rows_max = 0;  // 0: not limited above
  bool by_time = false;            // order = "time"; else "random" by split.seed
  std::string ties;                // column whose equal values within a task are one group; "" = every row its own
  std::vector<Shot> shots;
  bool drop_unseen_items = false;
  double hold_out_items = 0.3;
  std::string role;  // column with "support" and "query"
};

/// A checked problem definition with every default filled in. docs/scenario-file.md is its manual.
struct Scenario {
  std::string name, title, file;
  Problem problem = Problem::kRating;
  std::vector<std::string> covers;

  Source rows;
  std::vector<std::string> task;  // columns; rows with equal values form one task
  std::string target, item, time, event, weight, positive;
  std::vector<std::string> classes;  // multiclass, ordinal: labels (in order); empty until load_problem finds them

  Source items;  // both empty: distinct values of the rows
  std::string items_key;
  bool exclude_seen = true;

  Source tasks;
  std::string tasks_key;

  std::vector<FeatureSpec> features;
  std::map<std::string, nlohmann::json> live_events;
  SplitSpec split;
  EpisodeSpec episode;

  std::string learner = "bayes";
  nlohmann::json learner_options = nlohmann::json::object();  // without name, stack, gate, encoder
  nlohmann::json encoder_options = nlohmann::json::object();
  bool stack = true, gate = true;

  std::vector<std::string> metrics;  // the first one is the primary metric
  std::vector<std::string> baselines;

  std::vector<std::string> defaults;  // what was chosen because the file is silent, one sentence each
  std::vector<std::string> warnings;
};

/// A scenario as one JSON object with every default filled in, and back (bundle manifest).
nlohmann::json scenario_to_json(const Scenario& scenario);
Scenario scenario_from_json(const nlohmann::json& json);

}  // namespace fewshop
