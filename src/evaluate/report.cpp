#include "evaluate/report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/progress.h"
#include "evaluate/summary.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

using nlohmann::json;

json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json interval_json(const Interval& interval) {
  return {{"value", number(interval.value)}, {"low", number(interval.low)}, {"high", number(interval.high)}};
}

json metrics_json(const std::vector<Metric>& metrics, const std::vector<Interval>& values) {
  json object = json::object();
  for (size_t j = 0; j < metrics.size(); ++j) object[metrics[j].name] = interval_json(values[j]);
  return object;
}

json calibration_json(const Summary& summary) {
  json object{{"coverage_50", nullptr}, {"coverage_95", nullptr}, {"curve", json::array()}};
  for (const auto& [nominal, observed] : summary.coverage) {
    if (nominal == 0.5) object["coverage_50"] = number(observed);
    if (nominal == 0.95) object["coverage_95"] = number(observed);
    object["curve"].push_back({nominal, number(observed)});
  }
  if (summary.reliability.empty()) return object;
  object["reliability"] = json::array();
  double error = 0, rows = 0;
  for (const auto& bin : summary.reliability) {
    object["reliability"].push_back(
        {{"predicted", number(bin.predicted)}, {"observed", number(bin.observed)}, {"rows", bin.rows}});
    error += static_cast<double>(bin.rows) * std::abs(bin.predicted - bin.observed);
    rows += static_cast<double>(bin.rows);
  }
  object["calibration_error"] = number(error / rows);
  return object;
}

class ReportWriter {
 public:
  ReportWriter(const Outcomes& outcomes, const BootstrapOptions& options)
      : outcomes_(outcomes),
        options_(options),
        metrics_(parse_metrics(outcomes.metrics, outcomes.problem)),
        positive_above_(positive_threshold(outcomes)),
        progress_("intervals", points(outcomes)) {}

  json point(const ShotOutcome& shot, ItemGroup group) {
    progress_.advance(0);
    const Summary summary = summarize(outcomes_, shot, metrics_, group, positive_above_, options_);
    json object{{"tasks", summary.tasks},
                {"rows", summary.rows},
                {"metrics", metrics_json(metrics_, summary.values[0])},
                {"adapted", metrics_json(metrics_, summary.values[1])},
                {"baselines", json::object()},
                {"paired", json::object()},
                {"best_baseline", outcomes_.best_baseline},
                {"served", number(summary.served)},
                {"calibration", calibration_json(summary)}};
    for (size_t m = 2; m < outcomes_.methods.size(); ++m) {
      object["baselines"][outcomes_.methods[m]] = metrics_json(metrics_, summary.values[m]);
      object["paired"][outcomes_.methods[m]] = metrics_json(metrics_, summary.paired[m]);
    }
    progress_.advance(1);
    return object;
  }

  json split(const SplitOutcome& outcome) {
    json object = point(outcome.headline, ItemGroup::kAll);
    object["groups"] = json::object();
    if (outcomes_.items)
      object["groups"] = {{"cold_items", point(outcome.headline, ItemGroup::kCold)},
                          {"warm_items", point(outcome.headline, ItemGroup::kWarm)}};
    object["shots"] = json::array();
    for (const auto& shot : outcome.shots) {
      json entry = point(shot, ItemGroup::kAll);
      entry["k"] = shot_label(shot.label);
      object["shots"].push_back(std::move(entry));
    }
    return object;
  }

 private:
  static int64_t points(const Outcomes& outcomes) {
    int64_t count = 0;
    for (const auto& split : outcomes.splits)
      count += (outcomes.items ? 3 : 1) + static_cast<int64_t>(split.shots.size());
    return count;
  }

  /// "5" as a number, "80%" as text.
  static json shot_label(const std::string& label) {
    int64_t count = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), count);
    if (error == std::errc() && end == label.data() + label.size()) return count;
    return label;
  }

  const Outcomes& outcomes_;
  const BootstrapOptions& options_;
  std::vector<Metric> metrics_;
  float positive_above_;
  Progress progress_;
};

void append(ShotOutcome& to, ShotOutcome&& from) {
  to.tasks.insert(to.tasks.end(), std::make_move_iterator(from.tasks.begin()),
                  std::make_move_iterator(from.tasks.end()));
}

}  // namespace

json report(const Outcomes& outcomes, const BootstrapOptions& options) {
  require(outcomes.methods.size() >= 2, "report: expected the methods served and adapted, got ",
          outcomes.methods.size());
  ReportWriter writer(outcomes, options);
  json object{
      {"scenario", outcomes.scenario},
      {"problem", problem_name(outcomes.problem)},
      {"metric_names", outcomes.metrics},
      {"baseline_names", std::vector<std::string>(outcomes.methods.begin() + 2, outcomes.methods.end())},
      {"split_names", json::array()},
      {"splits", json::object()},
      {"timing",
       {{"train_seconds", number(outcomes.timing.train_seconds)},
        {"adapt_us", {{"p50", number(outcomes.timing.adapt_us_p50)}, {"p99", number(outcomes.timing.adapt_us_p99)}}},
        {"predict_us", number(outcomes.timing.predict_us)}}}};
  for (const auto& split : outcomes.splits) {
    object["split_names"].push_back(split.name);
    object["splits"][split.name] = writer.split(split);
  }
  return object;
}

Outcomes pool(std::vector<Outcomes> runs) {
  require(!runs.empty(), "pool: expected at least one run, got none");
  Outcomes all = std::move(runs.front());
  const double count = static_cast<double>(runs.size());
  std::map<std::string, int> votes{{all.best_baseline, 1}};
  for (size_t r = 1; r < runs.size(); ++r) {
    Outcomes& run = runs[r];
    require(run.problem == all.problem && run.metrics == all.metrics && run.methods == all.methods, "pool: run ", r + 1,
            " of ", all.scenario,
            " reports other metrics or methods than the first; pool runs of one scenario and learner only");
    votes[run.best_baseline] += 1;
    for (auto& split : run.splits) {
      const auto found =
          std::find_if(all.splits.begin(), all.splits.end(), [&](const auto& s) { return s.name == split.name; });
      if (found == all.splits.end()) {
        all.splits.push_back(std::move(split));
        continue;
      }
      append(found->headline, std::move(split.headline));
      for (auto& shot : split.shots) {
        const auto same = std::find_if(found->shots.begin(), found->shots.end(),
                                       [&](const auto& s) { return s.label == shot.label; });
        if (same == found->shots.end())
          found->shots.push_back(std::move(shot));
        else
          append(*same, std::move(shot));
      }
    }
    all.timing.train_seconds += run.timing.train_seconds;
    all.timing.adapt_us_p50 += run.timing.adapt_us_p50;
    all.timing.adapt_us_p99 += run.timing.adapt_us_p99;
    all.timing.predict_us += run.timing.predict_us;
  }
  for (double* mean :
       {&all.timing.train_seconds, &all.timing.adapt_us_p50, &all.timing.adapt_us_p99, &all.timing.predict_us})
    *mean /= count;
  // The baseline that validation chose most often.
  for (const auto& [name, n] : votes)
    if (n > votes[all.best_baseline]) all.best_baseline = name;
  return all;
}

}  // namespace fewshop
