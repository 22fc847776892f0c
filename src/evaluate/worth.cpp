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

/// From this share of adapted answers on a point is said to be adapted, below it to be the baseline's.
constexpr double kMostly = 0.5;
/// Test tasks below which nothing is said of a number of events.
constexpr int64_t kTooFewTasks = 10;

struct Point {
  std::string events;
  Verdict verdict;
  double adapted = 0;    // share of query rows that are answered by adapting
  std::string baseline;  // the one that is served where nothing is adapted

  bool better() const { return verdict.kind == Kind::kBetter && adapted > 0; }
};

/// The baseline that answered: the one without any difference to what was served; where a few answers were adapted, the
/// one whose difference varies least.
std::string served_baseline(const json& point, const Metric& primary) {
  std::string name;
  double narrowest = 0;
  for (const auto& [other, metrics] : point.at("paired").items()) {
    const Interval difference = read_interval(metrics.at(primary.name));
    if (is_none(difference)) return other;
    const double width = difference.high - difference.low;
    if (std::isnan(width) || (!name.empty() && width >= narrowest)) continue;
    name = other;
    narrowest = width;
  }
  return name.empty() ? "a baseline" : name;
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

/// "0.7 %", "62 %"
std::string percent(double share) { return fmt::format("{:.{}f} %", 100 * share, share < 0.1 ? 1 : 0); }

/// "", or " (in 62 % of the answers)" where the gate keeps baselines for the rest.
std::string share_text(const Point& point) {
  return point.adapted < 0.995 ? " (in " + percent(point.adapted) + " of the answers)" : "";
}

/// What is served at the points from which on adapting is not shown to be better: "als is served", or where it is
/// adapted all the same; and where what is served is worse than the best baseline.
std::string served_at(const std::vector<Point>& points, const std::string& metric) {
  std::vector<std::string> baselines, partly, adapted, better;
  double most = 0;
  for (const Point& point : points) {
    if (point.better()) {
      better.push_back(point.events);
    } else if (point.adapted >= kMostly) {
      if (point.verdict.kind != Kind::kWorse) adapted.push_back(point.events);
      continue;
    }
    if (point.adapted >= kMostly) continue;
    if (std::find(baselines.begin(), baselines.end(), point.baseline) == baselines.end())
      baselines.push_back(point.baseline);
    if (point.adapted > 0 && !point.better()) {
      partly.push_back(point.events);
      most = std::max(most, point.adapted);
    }
  }
  std::vector<std::string> clauses;
  if (!baselines.empty()) {
    clauses.push_back(join(baselines) + (baselines.size() == 1 ? " is served" : " are served"));
    if (!partly.empty())
      clauses.back() += fmt::format(" (at {} for all but {} of the answers)", join(partly), percent(most));
  }
  if (!better.empty()) clauses.push_back(fmt::format("at {} adapting is served, and better there", join(better)));
  if (!adapted.empty())
    clauses.push_back(
        fmt::format("at {} adapting is served although these test tasks do not show its gain", join(adapted)));
  for (const Point& point : points)
    if (point.verdict.kind == Kind::kWorse)
      clauses.push_back(
          fmt::format("at {} what is served is worse than {}", point.events, interval_text(point.verdict, metric)));
  std::string text;
  for (const std::string& clause : clauses) text += (text.empty() ? "" : "; ") + clause;
  return text.empty() ? "nothing was measured" : text;
}

}  // namespace

std::string adapting_worth(const json& report) {
  const Metric primary = primary_metric(report);
  const json& split = report.at("splits").at(report.at("split_names").at(0).get<std::string>());
  std::vector<Point> points;
  for (const json& shot : split.at("shots")) {
    const Verdict verdict = judge(shot, primary);
    if (shot.at("tasks").get<int64_t>() < kTooFewTasks || verdict.kind == Kind::kUnknown) continue;
    const json& served = shot.at("served");
    points.push_back(
        {shot_name(shot), verdict, served.is_number() ? served.get<double>() : 0, served_baseline(shot, primary)});
  }
  if (points.empty()) return "Too few test tasks have enough events to say what adapting is worth.";
  size_t from = points.size();
  while (from > 0 && points[from - 1].better()) --from;
  if (from == points.size()) {
    const Verdict whole = judge(split, primary);
    const json& share = split.at("served");
    if (whole.kind == Kind::kBetter && share.is_number() && share.get<double>() > 0) {
      std::vector<std::string> events;
      for (const Point& point : points)
        if (!point.better()) events.push_back(point.events);
      return fmt::format(
          "With all of a task's events, adapting{} is better than {}; at {} events it is not shown to be: "
          "{}.",
          share_text({"", whole, share.get<double>(), ""}), interval_text(whole, primary.name), join(events),
          served_at(points, primary.name));
    }
    std::vector<std::string> best;
    for (const Point& point : points)
      if (std::find(best.begin(), best.end(), point.verdict.baseline) == best.end())
        best.push_back(point.verdict.baseline);
    return fmt::format(
        "Adapting is not shown to be better than {} at {}; {}.",
        best.size() == 1 ? best[0] : "the best baseline (" + fmt::format("{}", fmt::join(best, " or ")) + ")",
        points.size() == 1 ? events_text(points[0].events) : "any number of events", served_at(points, primary.name));
  }
  const std::string gain = fmt::format("adapting{} is better than {}", share_text(points[from]),
                                       interval_text(points[from].verdict, primary.name));
  if (from == 0 && points[0].events == "0")
    return fmt::format("With and without events, {} (without any events).", gain);
  if (from == 0) return fmt::format("From {} on, {}.", events_text(points[0].events), gain);
  return fmt::format("From {} on, {}; below that, {}.", events_text(points[from].events), gain,
                     served_at({points.begin(), points.begin() + static_cast<ptrdiff_t>(from)}, primary.name));
}

}  // namespace fewshop
