#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evaluate/summary.h"

namespace fewshop {

// Plots as inline SVG. Colours come from the page's style sheet by class: "served", "adapted", "b0" to "b7" for
// baselines, so that light and dark pages share one drawing. Every point carries its figures as a tooltip.

/// Text that is safe inside HTML and SVG, attributes included.
std::string escape_html(const std::string& text);

struct PlotSeries {
  std::string name, style;
  std::vector<Interval> points;  // one per position; NaN = no point
};

/// Lines over evenly spaced positions, with intervals as vertical bars.
///   positions [n] labels of the horizontal axis; every series has n points
std::string curve_plot(const std::vector<std::string>& positions, const std::vector<PlotSeries>& series,
                       const std::string& x_title, const std::string& y_title);

struct IntervalRow {
  std::string label, style;
  Interval interval;
};

/// One horizontal interval per row; with a reference (0 for differences) a line to read them against, and what lies to
/// its left and right in words.
std::string interval_plot(const std::vector<IntervalRow>& rows, std::optional<double> reference,
                          const std::string& left, const std::string& right);

/// Observed against stated probability, with the diagonal of perfect calibration.
std::string calibration_plot(const std::vector<Coverage>& coverage);

}  // namespace fewshop
