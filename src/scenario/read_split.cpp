#include "scenario/read_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/section.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// Fills Scenario::split; the sections before it are there.
class SplitReader {
 public:
  SplitReader(const TomlDocument& document, Scenario& scenario) : document_(document), s_(scenario) {}

  void read() {
    Section split(document_, "split");
    s_.split.seed = static_cast<uint64_t>(split.integer("seed", 0, 0, std::numeric_limits<int64_t>::max()));
    if (!split.has("seed")) chose("split.seed", "0");
    read_time_cuts(split);
    require(!(split.has("column") && split.has("folds")), split.where("folds"),
            ": [split] has both column and folds; keep one of them");
    if (split.has("column"))
      read_column(split);
    else if (split.has("folds"))
      read_folds(split);
    else
      read_shares(split);
    split.has("fold");
    require(!split.has("fold") || s_.split.folds != 0, split.where("fold"),
            ": it says which of the folds is tested; there are no folds");
    split.done();
  }

 private:
  void chose(const std::string& key, const std::string& sentence) { s_.defaults.push_back(key + ": " + sentence); }

  Micros read_cut(const json& cuts, const std::string& key) {
    const std::string where = document_.where("split.time." + key);
    const auto found = cuts.find(key);
    require(found != cuts.end(), document_.where("split.time"), ": ", key,
            " is missing; expected { valid = \"2011-09-01\", test = \"2011-10-01\" }");
    if (found->is_number_integer()) return found->get<Micros>();
    require(found->is_string(), where, ": expected a date such as \"2011-09-01\"");
    const auto time = parse_time(found->get_ref<const std::string&>());
    require(time.has_value(), where, ": '", found->get_ref<const std::string&>(),
            "' is no date that exists; expected \"2011-09-01\" or \"2011-09-01T12:00:00Z\"");
    return *time;
  }

  void read_time_cuts(Section& split) {
    const json* cuts = split.find("time");
    if (!cuts) return;
    if (!cuts->is_object()) split.refuse("time", "{ valid = \"2011-09-01\", test = \"2011-10-01\" }");
    for (const auto& [key, value] : cuts->items())
      require(key == "valid" || key == "test", document_.where("split.time." + key),
              ": unknown key; known keys: valid, test");
    require(!s_.time.empty(), split.where("time"), ": time cuts need time = \"COLUMN\" in [rows]");
    s_.split.time_valid = read_cut(*cuts, "valid");
    s_.split.time_test = read_cut(*cuts, "test");
    require(*s_.split.time_valid <= *s_.split.time_test, split.where("time"), ": valid must not be later than test");
  }

  void read_shares(Section& split) {
    SplitSpec& spec = s_.split;
    const bool train = split.has("train"), valid = split.has("valid"), test = split.has("test");
    spec.shares_given = train || valid || test;
    if (spec.by_time_alone()) return;
    spec.valid = split.number("valid", 0.1, 0, 1);
    spec.test = split.number("test", train ? 1 - split.number("train", 0.8, 0, 1) - spec.valid : 0.1, -1, 1);
    if (std::abs(spec.test) < 1e-12) spec.test = 0;
    spec.train = split.number("train", 1 - spec.valid - spec.test, -1, 1);
    const double sum = spec.train + spec.valid + spec.test;
    require(spec.train > 0 && spec.test >= 0 && sum <= 1 + 1e-9, document_.where("split"), ": shares train ",
            spec.train, ", valid ", spec.valid, ", test ", spec.test, " must be positive and add up to at most 1");
    if (!train || !valid || !test)
      chose("split", fmt::format("shares of tasks: train {}, valid {}, test {}", spec.train, spec.valid, spec.test));
  }

  void read_folds(Section& split) {
    const json* folds = split.find("folds");
    if (!folds) return;
    if (folds->is_string() && *folds == "each")
      s_.split.folds = -1;
    else if (folds->is_number_integer() && folds->get<int64_t>() >= 2 && folds->get<int64_t>() <= 1000)
      s_.split.folds = folds->get<int>();
    else
      split.refuse("folds", "a whole number from 2 to 1000, or \"each\"");
    s_.split.fold = static_cast<int>(
        split.integer("fold", 0, 0, s_.split.folds > 0 ? s_.split.folds - 1 : std::numeric_limits<int>::max()));
    for (const char* key : {"train", "test"})
      require(!split.has(key), split.where(key),
              ": with folds only valid can be given (a share of the training tasks)");
    s_.split.valid = split.number("valid", 0.1, 0, 0.9);
    if (!split.has("valid")) chose("split.valid", "0.1 of the training tasks of each fold");
  }

  void read_column(Section& split) {
    SplitSpec& spec = s_.split;
    spec.column = split.text("column");
    if (spec.column.empty()) return;
    spec.train_values = split.texts("train");
    spec.test_values = split.texts("test");
    require(!spec.train_values.empty(), split.where("train"),
            ": with column it lists the values that are trained on, for example [\"train\"]");
    require(!spec.test_values.empty(), split.where("test"),
            ": with column it lists the values that are tested, for example [\"test\"]");
    const json* valid = split.find("valid");
    if (valid && !valid->is_number())
      spec.valid_values = split.texts("valid");
    else
      spec.valid = split.number("valid", 0.1, 0, 0.9);
    if (!valid) chose("split.valid", "0.1 of the training tasks");
    std::vector<std::string> all = spec.train_values;
    for (const auto* more : {&spec.valid_values, &spec.test_values}) all.insert(all.end(), more->begin(), more->end());
    std::sort(all.begin(), all.end());
    const auto twice = std::adjacent_find(all.begin(), all.end());
    require(twice == all.end(), document_.where("split"), ": the value '", twice == all.end() ? "" : *twice,
            "' is listed twice");
  }

  const TomlDocument& document_;
  Scenario& s_;
};

}  // namespace

void read_split(const TomlDocument& document, Scenario& scenario) { SplitReader(document, scenario).read(); }

}  // namespace fewshop
