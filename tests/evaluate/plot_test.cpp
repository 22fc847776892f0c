#include "evaluate/plot.h"

#include <limits>

namespace fewshop {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(PlotTest, TextIsEscaped) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  EXPECT_THAT(curve_plot({"<0>"}, {{"<b>", "served", {{1, 0, 2}}}}, "<x>", "<y>"), Not(HasSubstr("<b>")));
  EXPECT_THAT(interval_plot({{"<b>", "served", {1, 0, 2}}}, 0.0, "<l>", "<r>"), Not(HasSubstr("<b>")));
}

TEST(PlotTest, PointsWithoutAValueAreLeftOut) {
  const std::string svg =
      curve_plot({"0", "1"}, {{"served", "served", {{kNaN, kNaN, kNaN}, {0.5, kNaN, kNaN}}}}, "k", "mae");
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, HasSubstr("served at 1: 0.5000"));
  EXPECT_THAT(svg, Not(HasSubstr("served at 0")));
}

TEST(PlotTest, NothingToDrawIsStillAPlot) {
  for (const auto& svg : {curve_plot({}, {}, "k", "mae"), interval_plot({}, 0.0, "", ""), calibration_plot({}),
                          interval_plot({{"a", "served", {2, 2, 2}}}, std::nullopt, "", "")}) {
    EXPECT_THAT(svg, HasSubstr("</svg>"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(PlotTest, SmallerValuesStandFurtherLeft) {
  const std::string svg = interval_plot({{"a", "served", {1, 1, 1}}, {"b", "served", {2, 2, 2}}}, std::nullopt, "", "");
  const auto x_of = [&](size_t from) {
    const size_t at = svg.find("<circle cx=\"", from) + 12;
    return std::pair{std::stod(svg.substr(at)), at};
  };
  const auto [first, at] = x_of(0);
  EXPECT_LT(first, x_of(at).first);
}

}  // namespace
}  // namespace fewshop
