#include "evaluate/text_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evaluate/comparison.h"
#include "evaluate/verdict.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// Rows of cells, columns padded to their widest cell; the first column is aligned left, the others right.
class Table {
 public:
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string text(const std::string& indent) const {
    std::vector<size_t> width;
    for (const auto& row : rows_)
      for (size_t i = 0; i < row.size(); ++i) {
        if (width.size() <= i) width.push_back(0);
        width[i] = std::max(width[i], row[i].size());
      }
    std::string out;
    for (const auto& row : rows_) {
      std::string line = indent;
      for (size_t i = 0; i < row.size(); ++i)
        line += i == 0 ? fmt::format("{:<{}}", row[i], width[i]) : fmt::format("  {:>{}}", row[i], width[i]);
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    return out;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string value_text(const json& interval) {
  const Interval read = read_interval(interval);
  return std::isnan(read.value) ? "-" : fmt::format("{:.4f}", read.value);
}

std::string interval_text(const json& interval, bool signs = false) {
  const auto [value, low, high] = read_interval(interval);
  if (std::isnan(value)) return "-";
  const auto number = [&](double x) { return signs ? fmt::format("{:+.4f}", x) : fmt::format("{:.4f}", x); };
  if (std::isnan(low)) return number(value);
  return fmt::format("{} [{}, {}]", number(value), number(low), number(high));
}

std::string share_text(const json& share) {
  return share.is_number() ? fmt::format("{:.1f} %", 100 * share.get<double>()) : "-";
}

/// "12,345"
std::string count_text(const json& count) {
  const std::string digits = count.dump();
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

class TextReport {
 public:
  explicit TextReport(const json& report)
      : report_(report),
        primary_(primary_metric(report)),
        metrics_(report.at("metric_names")),
        baselines_(report.at("baseline_names")) {}

  std::string text() const {
    std::string out;
    for (const auto& name : report_.at("split_names"))
      out += split(name, report_.at("splits").at(name.get<std::string>()));
    return out + timing();
  }

 private:
  std::string split(const std::string& name, const json& split) const {
    std::string out =
        fmt::format("{}: {} tasks, {} query rows, {} answered by adapting\n", name, count_text(split.at("tasks")),
                    count_text(split.at("rows")), share_text(split.at("served")));
    out += "  " + headline(split, primary_) + "\n\n";
    out += methods(split) + "\n";
    if (!split.at("shots").empty()) out += curve(split) + "\n";
    out += groups(split);
    const json& calibration = split.at("calibration");
    if (calibration.at("coverage_95").is_number())
      out += fmt::format("  stated 50 % intervals held for {} of the query rows, 95 % intervals for {}\n",
                         share_text(calibration.at("coverage_50")), share_text(calibration.at("coverage_95")));
    if (calibration.contains("calibration_error") && calibration.at("calibration_error").is_number())
      out += fmt::format("  stated probabilities are off by {} on average\n",
                         share_text(calibration.at("calibration_error")));
    return out + "\n";
  }

  std::string methods(const json& split) const {
    Table table;
    std::vector<std::string> head{"all known examples"};
    for (size_t j = 0; j < metrics_.size(); ++j) head.push_back(metrics_[j] + (j == 0 ? " [95 %]" : ""));
    table.add(head);
    const auto add = [&](const std::string& name, const json& values, bool signs) {
      std::vector<std::string> cells{name, interval_text(values.at(metrics_[0]), signs)};
      for (size_t j = 1; j < metrics_.size(); ++j) cells.push_back(value_text(values.at(metrics_[j])));
      table.add(cells);
    };
    const std::string served = report_.value("method", "served");
    add(served, split.at("metrics"), false);
    if (served == "served") add("adapted", split.at("adapted"), false);
    const std::string chosen = split.at("best_baseline");
    for (const auto& name : baselines_) add(name + (name == chosen ? " *" : ""), split.at("baselines").at(name), false);
    for (const auto& name : baselines_) add(served + " - " + name, split.at("paired").at(name), true);
    return table.text("  ") + (chosen.empty() ? "" : "  * the baseline that validation chose\n");
  }

  std::string curve(const json& split) const {
    Table table;
    table.add({"k", "tasks", "adapted", primary_.name + " served [95 %]", "without gate", "best baseline", "",
               "served - it [95 %]"});
    for (const auto& shot : split.at("shots")) {
      const Verdict verdict = judge(shot, primary_);
      const bool any = !verdict.baseline.empty();
      table.add({shot_name(shot), count_text(shot.at("tasks")), share_text(shot.at("served")),
                 interval_text(shot.at("metrics").at(primary_.name)), value_text(shot.at("adapted").at(primary_.name)),
                 verdict.baseline, any ? fmt::format("{:.4f}", verdict.value) : "-",
                 any ? interval_text(shot.at("paired").at(verdict.baseline).at(primary_.name), true) : "-"});
    }
    return table.text("  ");
  }

  std::string groups(const json& split) const {
    Table table;
    for (const auto& [key, name] :
         {std::pair{"warm_items", "items seen in training"}, {"cold_items", "items new to the model"}}) {
      if (!split.at("groups").contains(key)) continue;  // rows are of no items
      const json& group = split.at("groups").at(key);
      if (group.at("tasks") == 0) continue;
      table.add({name, count_text(group.at("rows")) + " rows", interval_text(group.at("metrics").at(primary_.name)),
                 describe(judge(group, primary_))});
    }
    return table.text("  ");
  }

  std::string timing() const {
    const auto found = report_.find("timing");
    if (found == report_.end() || !found->at("adapt_us").at("p50").is_number() || found->at("adapt_us").at("p50") == 0)
      return "";
    return fmt::format(
        "trained in {:.1f} s; adapting one task takes {:.1f} us (99 % below {:.1f}), one prediction {:.2f} us\n",
        found->at("train_seconds").get<double>(), found->at("adapt_us").at("p50").get<double>(),
        found->at("adapt_us").at("p99").get<double>(), found->at("predict_us").get<double>());
  }

  const json& report_;
  Metric primary_;
  std::vector<std::string> metrics_, baselines_;
};

/// One table a split, and one curve.
std::string comparison(const json& object) {
  std::string out;
  const auto add = [&](const ComparisonTable& comparison, const std::string& title) {
    Table table;
    table.add(comparison.head);
    for (const auto& row : comparison.rows) table.add(row);
    out += title + "\n" + table.text("  ") + "\n";
  };
  for (const auto& table : comparison_tables(object)) add(table, table.split + ", all known examples");
  for (const auto& table : comparison_curves(object)) add(table, table.split + ", by number of known examples");
  return out;
}

}  // namespace

std::string text_report(const json& object) {
  if (!object.contains("learners")) {
    const Metric primary = primary_metric(object);
    return fmt::format("{} ({}; {} is better in {})\n\n", object.at("scenario").get<std::string>(),
                       object.at("problem").get<std::string>(), primary.lower_is_better() ? "lower" : "higher",
                       primary.name) +
           TextReport(object).text();
  }
  std::string out = object.at("scenario").get<std::string>() + "\n\n" + comparison(object);
  for (const auto& [learner, report] : object.at("learners").items())
    out += fmt::format("\n== {} ==\n\n{}", learner, TextReport(report).text());
  return out;
}

}  // namespace fewshop
