#include "evaluate/worth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace fewshop {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

json interval(double value, double low, double high) { return {{"value", value}, {"low", low}, {"high", high}}; }

/// One point of a report on mae (lower is better) with the baselines item-mean (1.0) and als (0.9). `gain` is als minus
/// served; with adapted = 0 item-mean or als itself is served.
json point(double gain, double half_width, double adapted, const std::string& served = "") {
  json paired = {{"als", {{"mae", interval(-gain, -gain - half_width, -gain + half_width)}}},
                 {"item-mean", {{"mae", interval(-gain - 0.1, -gain - 0.1 - half_width, -gain - 0.1 + half_width)}}}};
  if (!served.empty()) paired[served]["mae"] = interval(0, 0, 0);
  return {
      {"tasks", 100},
      {"served", adapted},
      {"baselines", {{"item-mean", {{"mae", interval(1.0, 0.9, 1.1)}}}, {"als", {{"mae", interval(0.9, 0.8, 1.0)}}}}},
      {"paired", paired}};
}

json report(const std::vector<std::pair<int, json>>& shots, const json& whole) {
  json split = whole;
  split["shots"] = json::array();
  for (auto [k, shot] : shots) {
    shot["k"] = k;
    split["shots"].push_back(shot);
  }
  return {{"problem", "rating"}, {"metric_names", {"mae"}}, {"split_names", {"test"}}, {"splits", {{"test", split}}}};
}

TEST(WorthTest, TheSentenceNamesTheFirstNumberOfEventsFromWhichTheGainIsShown) {
  EXPECT_EQ(
      adapting_worth(report({{0, point(0, 0, 0, "als")},
                             {1, point(-0.1, 0.01, 0, "item-mean")},
                             {3, point(0.0125, 0.005, 1)},
                             {5, point(0.05, 0.01, 1)}},
                            point(0.05, 0.01, 1))),
      "From 3 events on, adapting is better than als by 0.0125 mae (0.0075 to 0.0175); below that, als and item-mean "
      "are served; at 1 what is served is worse than als by 0.1000 mae (0.0900 to 0.1100).");
}

TEST(WorthTest, AGainThatIsLostAgainDoesNotCount) {
  EXPECT_THAT(adapting_worth(report({{1, point(0.05, 0.01, 1)}, {3, point(0.01, 0.02, 1)}, {5, point(0.05, 0.01, 1)}},
                                    point(0.05, 0.01, 1))),
              StartsWith("From 5 events on"));
}

TEST(WorthTest, AdaptingThatIsServedWithoutProofIsSaidSo) {
  EXPECT_THAT(adapting_worth(report({{1, point(0.01, 0.02, 1)}, {3, point(0.05, 0.01, 1)}}, point(0.05, 0.01, 1))),
              HasSubstr("below that, at 1 adapting is served although these test tasks do not show its gain."));
}

TEST(WorthTest, AServedAnswerThatIsWorseThanABaselineIsSaidSo) {
  EXPECT_EQ(adapting_worth(report({{1, point(-0.02, 0.01, 1)}, {3, point(0.05, 0.01, 1)}}, point(0.05, 0.01, 1))),
            "From 3 events on, adapting is better than als by 0.0500 mae (0.0400 to 0.0600); below that, at 1 what is "
            "served is worse than als by 0.0200 mae (0.0100 to 0.0300).");
}

TEST(WorthTest, AFewAdaptedAnswersAreNotCalledAdapting) {
  json some = point(0.001, 0.002, 0.007);
  some["paired"]["als"]["mae"] = interval(-0.0001, -0.0002, 0.0001);
  EXPECT_EQ(
      adapting_worth(report({{0, point(0, 0, 0, "als")}, {1, some}, {3, some}}, some)),
      "Adapting is not shown to be better than als at any number of events; als is served (at 1 and 3 for all but "
      "0.7 % of the answers).");
  EXPECT_THAT(adapting_worth(report({{1, point(0.05, 0.01, 0.62)}}, point(0.05, 0.01, 0.62))),
              StartsWith("From 1 event on, adapting (in 62 % of the answers) is better than als"));
}

TEST(WorthTest, RoundingDoesNotHideWhichBaselineIsServed) {
  json rounded = point(-0.05, 0.06, 0, "item-mean");
  rounded["paired"]["item-mean"]["mae"] = interval(0, -3e-16, 2e-16);
  EXPECT_THAT(adapting_worth(report({{1, rounded}}, rounded)), HasSubstr("at 1 event; item-mean is served."));
}

TEST(WorthTest, WithoutAnyGainTheBaselineIsServedAndTheSentenceSaysSo) {
  EXPECT_EQ(adapting_worth(report({{0, point(0, 0, 0, "als")}, {1, point(0, 0, 0, "als")}}, point(0, 0, 0, "als"))),
            "Adapting is not shown to be better than als at any number of events; als is served.");
}

TEST(WorthTest, AGainFromTheStartNeedsNoBelow) {
  EXPECT_EQ(
      adapting_worth(report({{0, point(0.02, 0.01, 1)}, {1, point(0.03, 0.01, 1)}}, point(0.03, 0.01, 1))),
      "With and without events, adapting is better than als by 0.0200 mae (0.0100 to 0.0300) (without any events).");
}

TEST(WorthTest, TheBestBaselinesOfAllNumbersOfEventsAreNamed) {
  json other = point(0, 0.01, 0, "item-mean");
  std::swap(other["baselines"]["als"], other["baselines"]["item-mean"]);
  EXPECT_THAT(adapting_worth(report({{0, other}, {1, point(0, 0, 0, "als")}}, point(0, 0, 0, "als"))),
              StartsWith("Adapting is not shown to be better than the best baseline (item-mean or als) at any number"));
}

TEST(WorthTest, NumbersOfEventsThatHardlyAnyTaskHasAreLeftOut) {
  json empty = point(0, NAN, 0);
  empty["tasks"] = 0;
  EXPECT_THAT(adapting_worth(report({{1, point(0.05, 0.01, 1)}, {10, empty}}, point(0.05, 0.01, 1))),
              StartsWith("From 1 event on"));
  EXPECT_EQ(adapting_worth(report({{1, empty}}, point(0.01, 0.02, 1))),
            "Too few test tasks have enough events to say what adapting is worth.");
  json few = point(0.05, 0.001, 1);
  few["tasks"] = 9;
  EXPECT_THAT(adapting_worth(report({{1, point(0, 0, 0, "als")}, {10, few}}, point(0, 0, 0, "als"))),
              StartsWith("Adapting is not shown to be better than als at 1 event"));
}

}  // namespace
}  // namespace fewshop
