#include "evaluate/html_report.h"

#include <fmt/format.h>

#include <cmath>

#include "evaluate/comparison.h"
#include "evaluate/plot.h"
#include "evaluate/verdict.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --panel: #f5f7fa;
  --served: #0b62c4; --adapted: #0e8f86; --good: #1a7f37; --bad: #b42318;
  --b0: #c2571a; --b1: #8a4fb5; --b2: #a88500; --b3: #c23b72; --b4: #6b7280; --b5: #4d7c0f; --b6: #7a4a2b; --b7: #3f6fa8; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --ink: #e6eaf0; --soft: #9aa6b5; --line: #2c3541; --panel: #1a2028;
    --served: #5aa9ff; --adapted: #3cc9bd; --good: #56d364; --bad: #ff7b72;
    --b0: #ff9e64; --b1: #c792ea; --b2: #e5c453; --b3: #ff80ab; --b4: #a3adba; --b5: #a3d463; --b6: #cfa078; --b7: #8fb7ea; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .4rem 0; } .soft, figcaption { color: var(--soft); font-size: .92rem; }
.verdict { background: var(--panel); border-left: 4px solid var(--served); padding: .8rem 1rem; margin: 1rem 0; border-radius: 0 6px 6px 0; }
.better { color: var(--good); } .worse { color: var(--bad); }
figure { margin: .75rem 0 1.25rem; } svg { width: 100%; height: auto; display: block; } .small svg { max-width: 24rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; padding: 0; margin: .4rem 0 0; font-size: .9rem; }
.legend li::before { content: ""; display: inline-block; width: 1.3em; height: 0; border-top: 3px solid var(--c); vertical-align: middle; margin-right: .4em; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { color: var(--soft); font-weight: 600; }
td.wide { white-space: normal; text-align: left; } summary { cursor: pointer; color: var(--soft); margin: .75rem 0; }
text { fill: var(--soft); font-size: 12px; } text.axis { fill: var(--ink); }
line.grid { stroke: var(--line); } line.reference { stroke: var(--soft); stroke-dasharray: 4 3; }
.series path { fill: none; stroke: var(--c); stroke-width: 1.5; } .series circle { fill: var(--c); }
.series .bar { stroke: var(--c); stroke-width: 1.5; opacity: .55; } .served.series path { stroke-width: 3; } .served.series .bar { stroke-width: 2.5; opacity: .8; }
.adapted.series path { stroke-dasharray: 6 4; stroke-width: 2; }
.served { --c: var(--served); } .adapted { --c: var(--adapted); }
.b0 { --c: var(--b0); } .b1 { --c: var(--b1); } .b2 { --c: var(--b2); } .b3 { --c: var(--b3); }
.b4 { --c: var(--b4); } .b5 { --c: var(--b5); } .b6 { --c: var(--b6); } .b7 { --c: var(--b7); }
)css";

std::string paragraph(const std::string& text, const char* style = "") {
  return fmt::format("<p{}>{}</p>\n", *style ? fmt::format(" class=\"{}\"", style) : "", escape_html(text));
}

std::string share(const json& value) {
  return value.is_number() ? fmt::format("{:.1f} %", 100 * value.get<double>()) : "-";
}

std::string cell(const json& interval, bool signs = false) {
  const auto [value, low, high] = read_interval(interval);
  if (std::isnan(value)) return "<td>-</td>";
  const auto number = [&](double x) { return signs ? fmt::format("{:+.4f}", x) : fmt::format("{:.4f}", x); };
  if (std::isnan(low)) return "<td>" + number(value) + "</td>";
  return fmt::format("<td>{} <span class=\"soft\">[{}, {}]</span></td>", number(value), number(low), number(high));
}

const char* verdict_style(const Verdict& verdict) {
  return verdict.kind == Verdict::Kind::kBetter ? "better" : verdict.kind == Verdict::Kind::kWorse ? "worse" : "";
}

class HtmlReport {
 public:
  explicit HtmlReport(const json& report)
      : report_(report),
        primary_(primary_metric(report)),
        metrics_(report.at("metric_names")),
        baselines_(report.at("baseline_names")),
        served_(report.value("method", "served")) {}

  std::string verdicts() const {
    std::string out;
    for (const auto& [name, split] : splits())
      out += fmt::format("<div class=\"verdict\">{}{}</div>\n",
                         many() ? "<strong>" + escape_html(name) + "</strong>" : std::string(),
                         paragraph(headline(*split, primary_)));
    return out;
  }

  std::string what_was_measured() const {
    std::string out =
        paragraph(fmt::format("Every task (one user, item or campaign of the test set) was held back from training. "
                              "The model was shown a few of its "
                              "examples, adapted to them, and was then asked about other examples of the same task. "
                              "\"{}\" is what a user would get; "
                              "\"adapted\" is the model without the gate that falls back on a simple method where "
                              "adapting is not proven to help; "
                              "the others are simple methods trained on the same data.",
                              served_));
    out += paragraph(fmt::format(
        "Main figure: {}, the {}; {} is better. Intervals are 95 % bootstrap intervals over tasks: differences "
        "whose interval contains 0 are not proven.",
        primary_.name, plain_words(primary_), primary_.lower_is_better() ? "lower" : "higher"));
    return out;
  }

  std::string sections() const {
    std::string out;
    for (const auto& [name, split] : splits()) {
      out += fmt::format("<h2>{}</h2>\n", escape_html(many() ? "Split " + name : "Results"));
      out += paragraph(fmt::format("{} tasks, {} answers, {} of them by adapting.", split->at("tasks").dump(),
                                   split->at("rows").dump(), share(split->at("served"))),
                       "soft");
      out += curve(*split) + differences(*split) + groups(*split) + calibration(*split) + tables(*split);
    }
    return out + timing();
  }

 private:
  std::vector<std::pair<std::string, const json*>> splits() const {
    std::vector<std::pair<std::string, const json*>> list;
    for (const auto& name : report_.at("split_names"))
      list.emplace_back(name.get<std::string>(), &report_.at("splits").at(name.get<std::string>()));
    return list;
  }
  bool many() const { return report_.at("split_names").size() > 1; }

  struct Method {
    std::string name, style;
  };
  /// served, adapted, baselines, with their colours. Predictions from elsewhere have no adapted form of their own.
  std::vector<Method> methods() const {
    std::vector<Method> list{{served_, "served"}};
    if (served_ == "served") list.push_back({"adapted", "adapted"});
    for (size_t b = 0; b < baselines_.size(); ++b) list.push_back({baselines_[b], fmt::format("b{}", b % 8)});
    return list;
  }
  static const json& figures(const json& point, const Method& method) {
    if (method.style == "served") return point.at("metrics");
    if (method.style == "adapted") return point.at("adapted");
    return point.at("baselines").at(method.name);
  }

  std::string legend() const {
    std::string out = "<ul class=\"legend\">";
    for (const auto& method : methods())
      out += fmt::format("<li class=\"{}\">{}</li>", method.style, escape_html(method.name));
    return out + "</ul>\n";
  }

  std::string curve_of(const json& split, const std::string& metric) const {
    std::vector<std::string> positions;
    for (const auto& shot : split.at("shots")) positions.push_back(shot_name(shot));
    std::vector<PlotSeries> series;
    for (const auto& method : methods()) {
      PlotSeries one{method.name, method.style, {}};
      for (const auto& shot : split.at("shots")) one.points.push_back(read_interval(figures(shot, method).at(metric)));
      series.push_back(std::move(one));
    }
    return "<figure>\n" + curve_plot(positions, series, "known examples of the task", metric) + legend() +
           "</figure>\n";
  }

  std::string curve(const json& split) const {
    if (split.at("shots").empty()) return "";
    std::string out = "<h3>How much a few examples are worth</h3>\n" + curve_of(split, primary_.name);
    out += "<div class=\"scroll\"><table><tr><th>known examples</th><th>tasks</th><th>adapted</th><th>" +
           escape_html(primary_.name) + "</th><th>against the best simple method there</th></tr>\n";
    for (const auto& shot : split.at("shots")) {
      const Verdict verdict = judge(shot, primary_);
      out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td>{}<td class=\"wide {}\">{}</td></tr>\n",
                         escape_html(shot_name(shot)), shot.at("tasks").dump(), share(shot.at("served")),
                         cell(shot.at("metrics").at(primary_.name)), verdict_style(verdict),
                         escape_html(describe(verdict)));
    }
    out += "</table></div>\n";
    if (metrics_.size() > 1) {
      out += "<details><summary>The same curve in the other metrics</summary>\n";
      for (size_t j = 1; j < metrics_.size(); ++j) out += curve_of(split, metrics_[j]);
      out += "</details>\n";
    }
    return out;
  }

  std::string differences(const json& split) const {
    if (baselines_.empty()) return "";
    std::vector<IntervalRow> whole, shots;
    for (size_t b = 0; b < baselines_.size(); ++b)
      whole.push_back({served_ + " \u2212 " + baselines_[b], fmt::format("b{}", b % 8),
                       read_interval(split.at("paired").at(baselines_[b]).at(primary_.name))});
    for (const auto& shot : split.at("shots")) {
      const Verdict verdict = judge(shot, primary_);
      if (!verdict.baseline.empty())
        shots.push_back(
            {fmt::format("{} known: \u2212 {}", shot_name(shot), verdict.baseline), "served", verdict.difference});
    }
    return "<h3>Differences, task by task</h3>\n" +
           paragraph(primary_.name + " of the served answers minus that of a simple method, on the same tasks.") +
           difference_plot(whole, "With all known examples, against each simple method") +
           (shots.empty()
                ? ""
                : difference_plot(shots, "At each number of known examples, against the best simple method there"));
  }

  std::string difference_plot(const std::vector<IntervalRow>& rows, const std::string& caption) const {
    const std::string good = served_ + " is better", bad = "the simple method is better";
    const bool lower = primary_.lower_is_better();
    return "<figure>\n" + interval_plot(rows, 0.0, lower ? good : bad, lower ? bad : good) + "<figcaption>" +
           escape_html(caption) + "</figcaption></figure>\n";
  }

  std::string groups(const json& split) const {
    std::vector<IntervalRow> rows;
    std::string words;
    for (const auto& [key, name] : {std::pair{"warm_items", "known items"}, {"cold_items", "new items"}}) {
      if (!split.at("groups").contains(key)) continue;
      const json& group = split.at("groups").at(key);
      if (group.at("tasks") == 0) continue;
      for (const auto& method : methods())
        rows.push_back({std::string(name) + ": " + method.name, method.style,
                        read_interval(figures(group, method).at(primary_.name))});
      words += paragraph(
          fmt::format("{} ({} answers): {}.",
                      key == std::string("cold_items") ? "Items that training never saw" : "Items seen in training",
                      group.at("rows").dump(), describe(judge(group, primary_))));
    }
    if (rows.empty()) return "";
    return "<h3>Items seen in training, and new ones</h3>\n" + words + "<figure>\n" +
           interval_plot(rows, std::nullopt, "", primary_.name) + "</figure>\n";
  }

  std::string calibration(const json& split) const {
    const json& calibration = split.at("calibration");
    if (!calibration.at("coverage_95").is_number()) return "";
    std::vector<Coverage> coverage;
    for (const auto& point : calibration.at("curve")) coverage.push_back({point.at(0), point.at(1)});
    return "<h3>Can the stated uncertainty be trusted?</h3>\n" +
           paragraph(fmt::format("Intervals stated with 50 % held for {}, those with 95 % for {} of the answers. "
                                 "Points on the dashed line are "
                                 "perfectly calibrated; below it the model is too sure of itself.",
                                 share(calibration.at("coverage_50")), share(calibration.at("coverage_95")))) +
           "<figure class=\"small\">\n" + calibration_plot(coverage) + "</figure>\n";
  }

  std::string tables(const json& split) const {
    std::string out = "<details><summary>All figures</summary>\n";
    out += table(split, "all known examples");
    for (const auto& shot : split.at("shots")) out += table(shot, shot_name(shot) + " known examples");
    return out + "</details>\n";
  }

  std::string table(const json& point, const std::string& title) const {
    std::string out = "<div class=\"scroll\"><table><tr><th>" + escape_html(title) + "</th>";
    for (const auto& metric : metrics_) out += "<th>" + escape_html(metric) + "</th>";
    out += "</tr>\n";
    const std::string chosen = point.at("best_baseline");
    const auto row = [&](const std::string& name, const json& values, bool signs) {
      out += "<tr><td>" + escape_html(name) + "</td>";
      for (const auto& metric : metrics_) out += cell(values.at(metric), signs);
      out += "</tr>\n";
    };
    for (const auto& method : methods())
      row(method.name + (method.name == chosen ? " (chosen by validation)" : ""), figures(point, method), false);
    for (const auto& name : baselines_) row(served_ + " \u2212 " + name, point.at("paired").at(name), true);
    return out + "</table></div>\n";
  }

  std::string timing() const {
    const auto found = report_.find("timing");
    if (found == report_.end() || !found->at("adapt_us").at("p50").is_number() || found->at("adapt_us").at("p50") == 0)
      return "";
    return "<h2>Time</h2>\n" +
           paragraph(fmt::format(
               "Training took {:.1f} s. Adapting to one task takes {:.1f} microseconds (99 % of tasks: below {:.1f}), "
               "one prediction {:.2f}; one thread, after warm-up, on the machine that wrote this report.",
               found->at("train_seconds").get<double>(), found->at("adapt_us").at("p50").get<double>(),
               found->at("adapt_us").at("p99").get<double>(), found->at("predict_us").get<double>()));
  }

  const json& report_;
  Metric primary_;
  std::vector<std::string> metrics_, baselines_;
  std::string served_;
};

/// Learners side by side, before each one's own sections.
std::string comparison(const json& object) {
  std::string out;
  const auto add = [&](const ComparisonTable& table, const std::string& title) {
    out += "<h3>" + escape_html(title) + "</h3>\n<div class=\"scroll\"><table><tr>";
    for (const auto& cell : table.head) out += "<th>" + escape_html(cell) + "</th>";
    out += "</tr>\n";
    for (const auto& row : table.rows) {
      out += "<tr>";
      for (const auto& cell : row) out += "<td>" + escape_html(cell) + "</td>";
      out += "</tr>\n";
    }
    out += "</table></div>\n";
  };
  for (const auto& table : comparison_tables(object)) add(table, table.split + ", all known examples");
  for (const auto& table : comparison_curves(object)) add(table, table.split + ", by number of known examples");
  return out;
}

}  // namespace

std::string html_report(const json& object, const std::string& title) {
  const std::string scenario = object.at("scenario");
  std::string body = "<h1>" + escape_html(title.empty() ? scenario : title) + "</h1>\n";
  body += paragraph("Scenario " + scenario + ": is learning from a few examples worth it here?", "soft");
  if (object.contains("learners")) {
    body += comparison(object);
    bool first = true;
    for (const auto& [learner, report] : object.at("learners").items()) {
      const HtmlReport page(report);
      if (first) body += page.what_was_measured();
      first = false;
      body += "<h2>Learner " + escape_html(learner) + "</h2>\n" + page.verdicts() + page.sections();
    }
  } else {
    const HtmlReport page(object);
    body += page.verdicts() + "<h2>What was measured</h2>\n" + page.what_was_measured() + page.sections();
  }
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escape_html(title.empty() ? scenario : title) + "</title>\n<style>" + kStyle +
         "</style>\n</head>\n<body>\n<main>\n" + body + "</main>\n</body>\n</html>\n";
}

}  // namespace fewshop
