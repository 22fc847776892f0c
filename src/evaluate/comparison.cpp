#include "evaluate/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evaluate/verdict.h"

namespace fewshop {
namespace {

using nlohmann::json;

std::string with_interval(const Interval& i) {
  if (std::isnan(i.value)) return "-";
  return std::isnan(i.low) ? fmt::format("{:.4f}", i.value)
                           : fmt::format("{:.4f} ({:.4f} to {:.4f})", i.value, i.low, i.high);
}

std::string scaled(const json& value, double factor, const char* format) {
  return value.is_number() ? fmt::format(fmt::runtime(format), value.get<double>() * factor) : "-";
}

/// A row and what it is sorted by.
struct Entry {
  double value = 0;
  std::vector<std::string> cells;
};

/// The point as verdicts read it, with the learner's own answers in place of the served ones.
json alone_point(const json& point, const json& alone) {
  return {{"baselines", point.at("baselines")}, {"paired", alone.at("paired")}};
}

std::vector<std::vector<std::string>> sorted(std::vector<Entry> entries, const Metric& primary) {
  const double sign = primary.lower_is_better() ? 1 : -1;
  std::stable_sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    if (std::isnan(a.value) || std::isnan(b.value)) return !std::isnan(a.value);
    return sign * a.value < sign * b.value;
  });
  std::vector<std::vector<std::string>> rows;
  for (auto& entry : entries) rows.push_back(std::move(entry.cells));
  return rows;
}

Entry learner_entry(const std::string& learner, const json& report, const json& split, const json& alone,
                    const Metric& primary) {
  const Interval own = read_interval(alone.at("metrics").at(primary.name));
  const json& cost = report.at("cost");
  constexpr double kMiB = 1.0 / (1 << 20);
  return {own.value,
          {learner, with_interval(own), describe(judge(alone_point(split, alone), primary)),
           scaled(report.value("validation", json::object()).value(primary.name, json()), 1, "{:.4f}"),
           with_interval(read_interval(split.at("metrics").at(primary.name))),
           scaled(cost.at("train_seconds"), 1, "{:.1f}"), scaled(cost.at("adapt_us"), 1, "{:.1f}"),
           scaled(cost.at("peak_bytes"), kMiB, "{:.0f}"), scaled(cost.at("bundle_bytes"), kMiB, "{:.1f}"),
           scaled(cost.at("state_size"), 1, "{:.0f}")}};
}

const json& any_report(const json& object) { return object.at("learners").begin().value(); }

/// Baselines are those of the first learner: every learner has the same, a baseline trained as learner apart.
template <class Row>
void add_baselines(const json& object, const std::string& split, const Row& row) {
  const json& report = any_report(object);
  for (const auto& name : report.at("baseline_names"))
    if (!object.at("learners").contains(name.get<std::string>()))
      row(name.get<std::string>(), report.at("splits").at(split));
}

std::string markdown(const ComparisonTable& table) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text = "|";
    for (const auto& cell : cells) text += " " + cell + " |";
    return text + "\n";
  };
  std::string out = line(table.head) + "| ---";
  for (size_t i = 1; i < table.head.size(); ++i) out += " | ---:";
  out += " |\n";
  for (const auto& row : table.rows) out += line(row);
  return out;
}

}  // namespace

std::vector<ComparisonTable> comparison_tables(const json& object) {
  std::vector<ComparisonTable> tables;
  const Metric primary = primary_metric(any_report(object));
  for (const auto& name : any_report(object).at("split_names")) {
    ComparisonTable table{name,
                          {"learner", primary.name + " alone (95 %)", "against the best baseline", "validation",
                           "served (95 %)", "train s", "adapt us", "peak MiB", "bundle MiB", "state"},
                          {}};
    std::vector<Entry> entries;
    for (const auto& learner : object.at("learners").items()) {
      const json& report = learner.value();
      entries.push_back(learner_entry(learner.key(), report, report.at("splits").at(table.split),
                                      report.at("alone").at(table.split), primary));
    }
    add_baselines(object, table.split, [&](const std::string& baseline, const json& split) {
      const Interval own = read_interval(split.at("baselines").at(baseline).at(primary.name));
      entries.push_back({own.value, {baseline, with_interval(own), "baseline", "", "", "", "", "", "", ""}});
    });
    table.rows = sorted(std::move(entries), primary);
    tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<ComparisonTable> comparison_curves(const json& object) {
  std::vector<ComparisonTable> tables;
  const json& first = any_report(object);
  const Metric primary = primary_metric(first);
  for (const auto& name : first.at("split_names")) {
    ComparisonTable table{name, {primary.name}, {}};
    const json& shots = first.at("splits").at(table.split).at("shots");
    if (shots.empty()) continue;
    for (const auto& shot : shots) table.head.push_back(shot_name(shot));
    const auto row = [&](const std::string& label, const auto& value_at) {
      Entry entry{NAN, {label}};
      for (size_t s = 0; s < shots.size(); ++s) {
        entry.value = value_at(s);
        entry.cells.push_back(std::isnan(entry.value) ? "-" : fmt::format("{:.4f}", entry.value));
      }
      return entry;
    };
    std::vector<Entry> entries;
    for (const auto& learner : object.at("learners").items()) {
      const json& points = learner.value().at("alone").at(table.split).at("shots");
      entries.push_back(row(learner.key(), [&](size_t s) {
        return s < points.size() ? read_interval(points[s].at("metrics").at(primary.name)).value : NAN;
      }));
    }
    add_baselines(object, table.split, [&](const std::string& baseline, const json& split) {
      entries.push_back(row(baseline, [&](size_t s) {
        return read_interval(split.at("shots")[s].at("baselines").at(baseline).at(primary.name)).value;
      }));
    });
    table.rows = sorted(std::move(entries), primary);
    tables.push_back(std::move(table));
  }
  return tables;
}

std::string markdown_comparison(const json& object) {
  const json& first = any_report(object);
  std::string out;
  for (const auto& table : comparison_tables(object)) {
    const json& split = first.at("splits").at(table.split);
    out += fmt::format("{}: {} tasks, {} query rows.\n\n{}\n", table.split, split.at("tasks").dump(),
                       split.at("rows").dump(), markdown(table));
  }
  for (const auto& table : comparison_curves(object))
    out += fmt::format("{}, by number of known examples:\n\n{}\n", table.split, markdown(table));
  return out;
}

}  // namespace fewshop
