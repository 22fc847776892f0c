#include "evaluate/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fewshop {
namespace {

/// Values of an axis mapped to pixels, with round ticks.
class Axis {
 public:
  Axis(double low, double high, double from, double to) : from_(from), to_(to) {
    if (!(low <= high)) low = 0, high = 1;
    const double pad = high > low ? 0.06 * (high - low) : std::max(1e-3, 0.05 * std::abs(high));
    low_ = low - pad;
    high_ = high + pad;
  }

  double at(double value) const { return from_ + (value - low_) / (high_ - low_) * (to_ - from_); }

  std::vector<double> ticks() const {
    const double raw = (high_ - low_) / 5, power = std::pow(10, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double nice : {1.0, 2.0, 5.0})
      if (nice * power >= raw) {
        step = nice * power;
        break;
      }
    std::vector<double> ticks;
    for (double i = std::ceil(low_ / step); i * step <= high_; ++i) ticks.push_back(i * step + 0.0);
    decimals_ = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 6);
    return ticks;
  }
  /// After ticks().
  std::string label(double tick) const {
    return fmt::format("{:.{}f}", std::abs(tick) < 1e-12 ? 0.0 : tick, decimals_);
  }

 private:
  double low_, high_, from_, to_;
  mutable int decimals_ = 2;
};

class Range {
 public:
  void include(const Interval& interval) {
    for (const double x : {interval.value, interval.low, interval.high}) include(x);
  }
  void include(double x) {
    if (std::isnan(x)) return;
    low_ = std::min(low_, x);
    high_ = std::max(high_, x);
  }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double low_ = std::numeric_limits<double>::infinity(), high_ = -low_;
};

std::string tooltip(const std::string& name, const Interval& interval) {
  std::string text = fmt::format("{}: {:.4f}", name, interval.value);
  if (!std::isnan(interval.low)) text += fmt::format(" (95 %: {:.4f} to {:.4f})", interval.low, interval.high);
  return "<title>" + escape_html(text) + "</title>";
}

std::string open_svg(double width, double height, const std::string& title) {
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", width, height,
                     escape_html(title));
}

std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2, y2,
                     style);
}

std::string text(double x, double y, const std::string& anchor, const std::string& content,
                 const std::string& style = "label") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", x, y, anchor, style,
                     escape_html(content));
}

}  // namespace

std::string escape_html(const std::string& raw) {
  std::string out;
  for (const char c : raw) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

std::string curve_plot(const std::vector<std::string>& positions, const std::vector<PlotSeries>& series,
                       const std::string& x_title, const std::string& y_title) {
  constexpr double kWidth = 720, kHeight = 360, kLeft = 64, kRight = 16, kTop = 16, kBottom = 52;
  Range range;
  for (const auto& one : series)
    for (const auto& point : one.points) range.include(point);
  const Axis axis(range.low(), range.high(), kHeight - kBottom, kTop);
  const double step = (kWidth - kLeft - kRight) / static_cast<double>(std::max<size_t>(1, positions.size()));
  const auto x_at = [&](size_t i, size_t s) {  // series stand side by side so that their intervals can be told apart
    const double spread = std::min(step * 0.5, 8.0 * static_cast<double>(series.size()));
    const double shift =
        series.size() > 1 ? (static_cast<double>(s) / static_cast<double>(series.size() - 1) - 0.5) * spread : 0;
    return kLeft + (static_cast<double>(i) + 0.5) * step + shift;
  };
  std::string svg = open_svg(kWidth, kHeight, y_title + " by " + x_title);
  for (const double tick : axis.ticks()) {
    svg += line(kLeft, axis.at(tick), kWidth - kRight, axis.at(tick), "grid");
    svg += text(kLeft - 8, axis.at(tick) + 4, "end", axis.label(tick));
  }
  for (size_t i = 0; i < positions.size(); ++i)
    svg += text(kLeft + (static_cast<double>(i) + 0.5) * step, kHeight - kBottom + 20, "middle", positions[i]);
  svg += text((kLeft + kWidth - kRight) / 2, kHeight - 8, "middle", x_title, "axis");
  svg += fmt::format(
      "<text transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\" class=\"axis\">{}</text>\n",
      (kTop + kHeight - kBottom) / 2, escape_html(y_title));
  for (size_t back = series.size(); back > 0; --back) {  // the first series is drawn last, on top
    const size_t s = back - 1;
    const auto& one = series[s];
    std::string path, marks;
    for (size_t i = 0; i < one.points.size(); ++i) {
      const Interval& point = one.points[i];
      if (std::isnan(point.value)) continue;
      const double x = x_at(i, s), y = axis.at(point.value);
      path += fmt::format("{}{:.1f} {:.1f} ", path.empty() ? "M" : "L", x, y);
      if (!std::isnan(point.low)) marks += line(x, axis.at(point.low), x, axis.at(point.high), "bar");
      marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\">{}</circle>\n", x, y, s == 0 ? "4.5" : "3",
                           tooltip(one.name + " at " + positions[i], point));
    }
    svg += fmt::format("<g class=\"series {}\"><path d=\"{}\"/>\n{}</g>\n", one.style, path, marks);
  }
  return svg + "</svg>\n";
}

std::string interval_plot(const std::vector<IntervalRow>& rows, std::optional<double> reference,
                          const std::string& left, const std::string& right) {
  constexpr double kWidth = 720, kLeft = 210, kRight = 16, kTop = 26, kRow = 26;
  const double height = kTop + kRow * static_cast<double>(rows.size()) + 30, bottom = height - 30;
  Range range;
  if (reference) range.include(*reference);
  for (const auto& row : rows) range.include(row.interval);
  const Axis axis(range.low(), range.high(), kLeft, kWidth - kRight);
  std::string svg = open_svg(kWidth, height, "intervals");
  for (const double tick : axis.ticks()) {
    svg += line(axis.at(tick), kTop, axis.at(tick), bottom, "grid");
    svg += text(axis.at(tick), bottom + 16, "middle", axis.label(tick));
  }
  if (reference) svg += line(axis.at(*reference), kTop - 4, axis.at(*reference), bottom, "reference");
  if (!left.empty()) svg += text(kLeft, kTop - 10, "start", "\u2190 " + left, "axis");
  if (!right.empty()) svg += text(kWidth - kRight, kTop - 10, "end", right + " \u2192", "axis");
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& [label, style, interval] = rows[i];
    const double y = kTop + (static_cast<double>(i) + 0.5) * kRow;
    svg += text(kLeft - 12, y + 4, "end", label);
    if (std::isnan(interval.value)) continue;
    svg += "<g class=\"series " + style + "\">\n";
    if (!std::isnan(interval.low)) svg += line(axis.at(interval.low), y, axis.at(interval.high), y, "bar");
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\">{}</circle>\n</g>\n", axis.at(interval.value), y,
                       tooltip(label, interval));
  }
  return svg + "</svg>\n";
}

std::string calibration_plot(const std::vector<Coverage>& coverage) {
  constexpr double kWidth = 360, kHeight = 320, kLeft = 56, kTop = 12, kSide = 260;
  const auto x_at = [](double p) { return kLeft + p * kSide; };
  const auto y_at = [](double p) { return kTop + (1 - p) * kSide; };
  std::string svg = open_svg(kWidth, kHeight, "calibration");
  for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    svg += line(x_at(0), y_at(tick), x_at(1), y_at(tick), "grid");
    svg += line(x_at(tick), y_at(0), x_at(tick), y_at(1), "grid");
    svg += text(x_at(0) - 8, y_at(tick) + 4, "end", fmt::format("{:.0f} %", 100 * tick));
    svg += text(x_at(tick), y_at(0) + 16, "middle", fmt::format("{:.0f} %", 100 * tick));
  }
  svg += line(x_at(0), y_at(0), x_at(1), y_at(1), "reference");
  svg += text(x_at(0.5), kHeight - 8, "middle", "stated probability", "axis");
  svg += fmt::format(
      "<text transform=\"translate(12 {:.1f}) rotate(-90)\" text-anchor=\"middle\" class=\"axis\">observed "
      "share</text>\n",
      y_at(0.5));
  std::string path, marks;
  for (const auto& [nominal, observed] : coverage) {
    path += fmt::format("{}{:.1f} {:.1f} ", path.empty() ? "M" : "L", x_at(nominal), y_at(observed));
    marks += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{:.0f} % intervals held for {:.1f} %</title></circle>\n",
        x_at(nominal), y_at(observed), 100 * nominal, 100 * observed);
  }
  svg += fmt::format("<g class=\"series served\"><path d=\"{}\"/>\n{}</g>\n", path, marks);
  return svg + "</svg>\n";
}

}  // namespace fewshop
