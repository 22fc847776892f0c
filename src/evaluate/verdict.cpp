#include "evaluate/verdict.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "scenario/names.h"

namespace fewshop {

using nlohmann::json;

Interval read_interval(const json& object) {
  const auto number = [&](const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>()
                                                       : std::numeric_limits<double>::quiet_NaN();
  };
  return {number("value"), number("low"), number("high")};
}

bool is_none(const Interval& difference) {
  const auto none = [](double value) { return std::abs(value) < 1e-12; };
  return none(difference.value) && none(difference.low) && none(difference.high);
}

Metric primary_metric(const json& report) {
  const auto problem = problem_from_name(report.at("problem").get<std::string>());
  require(problem.has_value(), "report: unknown problem ", report.at("problem").dump());
  return parse_metric(report.at("metric_names").at(0).get<std::string>(), *problem);
}

std::string shot_name(const json& shot) {
  const json& k = shot.at("k");
  return k.is_string() ? k.get<std::string>() : k.dump();
}

Verdict judge(const json& point, const Metric& primary) {
  Verdict verdict;
  verdict.value = std::numeric_limits<double>::quiet_NaN();
  const double sign = primary.lower_is_better() ? -1 : 1;
  for (const auto& [name, metrics] : point.at("baselines").items()) {
    const double value = read_interval(metrics.at(primary.name)).value;
    if (std::isnan(value) || (!verdict.baseline.empty() && sign * value <= sign * verdict.value)) continue;
    verdict.baseline = name;
    verdict.value = value;
  }
  if (verdict.baseline.empty()) return verdict;
  verdict.difference = read_interval(point.at("paired").at(verdict.baseline).at(primary.name));
  const auto& [value, low, high] = verdict.difference;
  if (std::isnan(low) || std::isnan(high)) return verdict;
  if (is_none(verdict.difference))
    verdict.kind = Verdict::Kind::kSame;
  else if (sign * low > 0 && sign * high > 0)
    verdict.kind = Verdict::Kind::kBetter;
  else if (sign * low < 0 && sign * high < 0)
    verdict.kind = Verdict::Kind::kWorse;
  else
    verdict.kind = Verdict::Kind::kUndecided;
  return verdict;
}

std::string describe(const Verdict& verdict) {
  const auto& [value, low, high] = verdict.difference;
  const double a = std::abs(low), b = std::abs(high);
  switch (verdict.kind) {
    case Verdict::Kind::kBetter:
      return fmt::format("better than {} by {:.4f} ({:.4f} to {:.4f})", verdict.baseline, std::abs(value),
                         std::min(a, b), std::max(a, b));
    case Verdict::Kind::kWorse:
      return fmt::format("worse than {} by {:.4f} ({:.4f} to {:.4f})", verdict.baseline, std::abs(value),
                         std::min(a, b), std::max(a, b));
    case Verdict::Kind::kUndecided:
      return fmt::format("no proven difference to {}: {:+.4f} ({:+.4f} to {:+.4f})", verdict.baseline, value, low,
                         high);
    case Verdict::Kind::kSame:
      return fmt::format("{} itself is served", verdict.baseline);
    case Verdict::Kind::kUnknown:
      break;
  }
  return verdict.baseline.empty() ? "nothing to compare with" : "too few tasks to tell";
}

namespace {

/// "5 known examples", "80 % of the known examples"
std::string amount(const std::string& k) {
  if (k.ends_with('%')) return fmt::format("{} % of the known examples", k.substr(0, k.size() - 1));
  return fmt::format("{} known example{}", k, k == "1" ? "" : "s");
}

}  // namespace

std::string headline(const json& split, const Metric& primary) {
  struct Point {
    std::string k;
    Verdict verdict;
  };
  std::vector<Point> points;
  for (const auto& shot : split.at("shots"))
    if (shot.value("tasks", 1) > 0) points.push_back({shot_name(shot), judge(shot, primary)});
  const Verdict whole = judge(split, primary);
  if (points.empty()) return fmt::format("With all known examples the served answers are {}.", describe(whole));

  using Kind = Verdict::Kind;
  size_t from = points.size();
  while (from > 0 && points[from - 1].verdict.kind == Kind::kBetter) --from;
  const auto list = [&](Kind kind, size_t end) {
    std::string text;
    for (size_t i = 0; i < end; ++i)
      if (points[i].verdict.kind == kind)
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", points[i].k, describe(points[i].verdict));
    return text;
  };
  const std::string better = list(Kind::kBetter, from), worse = list(Kind::kWorse, points.size());
  std::string text;
  if (from < points.size()) {
    const auto& [k, verdict] = points[from];
    text = fmt::format("{}, the served answers are better than the best simple method; at {} they are {} in {}.",
                       from == 0 ? "At every number of known examples" : "From " + amount(k) + " on", k,
                       describe(verdict), primary.name);
    if (!better.empty()) text += " Better as well at: " + better + ".";
  } else if (!better.empty()) {
    text = fmt::format("In {}, the served answers are better at: {}.", primary.name, better);
  } else {
    text = fmt::format(
        "Adapting is not proven to be better than the best simple method at any measured number of examples; with all "
        "known examples the served answers are: {}.",
        describe(whole));
  }
  std::string rest;
  for (size_t i = 0; i < from; ++i)
    if (const auto& [k, verdict] = points[i]; verdict.kind != Kind::kBetter && verdict.kind != Kind::kWorse)
      rest += fmt::format("{}{} ({})", rest.empty() ? "" : ", ", k, describe(verdict));
  if (!rest.empty() && (from < points.size() || !better.empty())) text += " Not proven at: " + rest + ".";
  if (!worse.empty()) text += " Worse at: " + worse + ".";
  return text;
}

}  // namespace fewshop
