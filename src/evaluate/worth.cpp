#include "evaluate/worth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "evaluate/verdict.h"

namespace fewshop {
namespace {

using nlohmann::json;
using Kind = Verdict::Kind;

struct Point {
  std::string events;
  Verdict verdict;
  double adapted = 0;    // share of query rows that are answered by adapting
  std::string baseline;  // the one that is served where nothing is adapted
};

/// The baseline that answered: the one without any difference to what was served.
std::string served_baseline(const json& shot, const Metric& primary) {
  for (const auto& [name, metrics] : shot.at("paired").items()) {
    const Interval difference = read_interval(metrics.at(primary.name));
    if (difference.value == 0 && difference.low == 0 && difference.high == 0) return name;
  }
  return "the best baseline of the validation tasks";
}

std::string interval_text(const Verdict& verdict, const std::string& metric) {
  const double a = std::abs(verdict.difference.low), b = std::abs(verdict.difference.high);
  return fmt::format("{} by {:.4f} {} ({:.4f} to {:.4f})", verdict.baseline, std::abs(verdict.difference.value), metric,
                     std::min(a, b), std::max(a, b));
}

std::string events_text(const std::string& count) { return count + (count == "1" ? " event" : " events"); }

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : i + 1 < parts.size() ? ", " : " and ") + parts[i];
  return text;
}

/// What is served at the points where adapting is not shown to be better: "als is served", or where it is adapted all
/// the same.
std::string served_at(const std::vector<Point>& points) {
  std::vector<std::string> baselines, adapted;
  for (const Point& point : points) {
    if (point.adapted > 0) {
      adapted.push_back(point.events);
    } else if (std::find(baselines.begin(), baselines.end(), point.baseline) == baselines.end()) {
      baselines.push_back(point.baseline);
    }
  }
  std::string text;
  if (!baselines.empty()) text = join(baselines) + (baselines.size() == 1 ? " is served" : " are served");
  if (!adapted.empty())
    text += fmt::format("{}at {} adapting is served although these test tasks do not show its gain",
                        text.empty() ? "" : "; ", join(adapted));
  return text.empty() ? "nothing was measured" : text;
}

}  // namespace

std::string adapting_worth(const json& report) {
  const Metric primary = primary_metric(report);
  const json& split = report.at("splits").at(report.at("split_names").at(0).get<std::string>());
  std::vector<Point> points;
  for (const json& shot : split.at("shots")) {
    const Verdict verdict = judge(shot, primary);
    if (shot.at("tasks").get<int64_t>() == 0) continue;  // no test task has so many events
    const json& served = shot.at("served");
    points.push_back(
        {shot_name(shot), verdict, served.is_number() ? served.get<double>() : 0, served_baseline(shot, primary)});
  }
  size_t from = points.size();
  while (from > 0 && points[from - 1].verdict.kind == Kind::kBetter && points[from - 1].adapted > 0) --from;
  if (from == points.size()) {
    const Verdict whole = judge(split, primary);
    if (points.empty()) return fmt::format("No test task has enough events to say what adapting is worth.");
    if (whole.kind == Kind::kBetter)
      return fmt::format(
          "With all of a task's events, adapting is better than {}; at {} events it is not shown to be: {}.",
          interval_text(whole, primary.name), join([&] {
            std::vector<std::string> events;
            for (const Point& point : points) events.push_back(point.events);
            return events;
          }()),
          served_at(points));
    return fmt::format("Adapting is not shown to be better than {} at any number of events; {}.",
                       points.back().verdict.baseline, served_at(points));
  }
  const std::string gain = interval_text(points[from].verdict, primary.name);
  if (from == 0 && points[0].events == "0")
    return fmt::format("With and without events, adapting is better than {} (without any events).", gain);
  if (from == 0) return fmt::format("From {} on, adapting is better than {}.", events_text(points[0].events), gain);
  return fmt::format("From {} on, adapting is better than {}; below that, {}.", events_text(points[from].events), gain,
                     served_at({points.begin(), points.begin() + static_cast<ptrdiff_t>(from)}));
}

}  // namespace fewshop
