#include "evaluate/verdict.h"

#include "evaluate/report.h"
#include "outcomes.h"

namespace fewshop {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const Metric kMae = parse_metric("mae", Problem::kRating);
const Metric kRecall = parse_metric("recall@10", Problem::kRanking);

json point(const Metric& metric, std::vector<std::tuple<std::string, double, Interval>> baselines) {
  json object{{"baselines", json::object()}, {"paired", json::object()}};
  for (const auto& [name, value, difference] : baselines) {
    object["baselines"][name][metric.name] = {{"value", value}, {"low", value - 0.1}, {"high", value + 0.1}};
    object["paired"][name][metric.name] = {
        {"value", difference.value}, {"low", difference.low}, {"high", difference.high}};
  }
  return object;
}

TEST(VerdictTest, OpponentIsTheBaselineThatDoesBestAtThatPoint) {
  const Verdict lower =
      judge(point(kMae, {{"als", 0.70, {-0.01, -0.02, -0.005}}, {"bias", 0.72, {-0.03, -0.04, -0.02}}}), kMae);
  EXPECT_EQ(lower.baseline, "als");
  EXPECT_EQ(lower.kind, Verdict::Kind::kBetter);
  EXPECT_EQ(describe(lower), "better than als by 0.0100 (0.0050 to 0.0200)");
  const Verdict higher = judge(point(kRecall, {{"als", 0.4, {0, 0, 0}}, {"ease", 0.5, {-0.1, -0.2, -0.05}}}), kRecall);
  EXPECT_EQ(higher.baseline, "ease");
  EXPECT_EQ(higher.kind, Verdict::Kind::kWorse);
  EXPECT_EQ(describe(higher), "worse than ease by 0.1000 (0.0500 to 0.2000)");
}

TEST(VerdictTest, IntervalsThatContainZeroProveNothing) {
  const Verdict verdict = judge(point(kMae, {{"als", 0.7, {-0.01, -0.02, 0.001}}}), kMae);
  EXPECT_EQ(verdict.kind, Verdict::Kind::kUndecided);
  EXPECT_THAT(describe(verdict), HasSubstr("no proven difference to als"));
}

TEST(VerdictTest, NoDifferenceAtAllMeansThatTheBaselineIsServed) {
  EXPECT_EQ(describe(judge(point(kMae, {{"als", 0.7, {0, 0, 0}}}), kMae)), "als itself is served");
}

TEST(VerdictTest, TooFewTasksOrNoBaselinesAreSaid) {
  json few = point(kMae, {{"als", 0.7, {-0.1, 0, 0}}});
  few["paired"]["als"]["mae"]["low"] = few["paired"]["als"]["mae"]["high"] = nullptr;
  EXPECT_EQ(describe(judge(few, kMae)), "too few tasks to tell");
  EXPECT_EQ(describe(judge(point(kMae, {}), kMae)), "nothing to compare with");
}

json with_k(json object, json k) {
  object["k"] = std::move(k);
  return object;
}

TEST(HeadlineTest, SaysFromWhichNumberOfExamplesOnAdaptingIsProven) {
  json split = point(kMae, {{"als", 0.70, {-0.02, -0.03, -0.01}}});
  split["shots"] = {with_k(point(kMae, {{"bias", 0.9, {0, 0, 0}}}), 0),
                    with_k(point(kMae, {{"als", 0.8, {0.02, 0.01, 0.03}}}), 1),
                    with_k(point(kMae, {{"als", 0.75, {-0.01, -0.02, -0.005}}}), 5),
                    with_k(point(kMae, {{"als", 0.7, {-0.02, -0.03, -0.01}}}), "80%")};
  EXPECT_EQ(headline(split, kMae),
            "From 5 known examples on, the served answers are better than the best simple method; at 5 they are better "
            "than als by 0.0100 "
            "(0.0050 to 0.0200) in mae. Not proven at: 0 (bias itself is served). Worse at: 1 (worse than als by "
            "0.0200 (0.0100 to 0.0300)).");
}

TEST(HeadlineTest, DoesNotCallAGainOnTheWayAGainFromThereOn) {
  json split = point(kMae, {{"als", 0.70, {-0.002, -0.03, 0.01}}});
  split["shots"] = {with_k(point(kMae, {{"als", 0.75, {-0.01, -0.02, -0.005}}}), 1), with_k(split, 5)};
  EXPECT_THAT(headline(split, kMae), testing::AllOf(HasSubstr("better at: 1 (better than als"),
                                                    HasSubstr("Not proven at: 5"), testing::Not(HasSubstr("From"))));
}

TEST(HeadlineTest, SharesOfTheExamplesAreCalledSo) {
  json split = point(kMae, {{"als", 0.70, {-0.02, -0.03, -0.01}}});
  split["shots"] = {with_k(point(kMae, {{"als", 0.7, {0, 0, 0}}}), 1), with_k(split, "80%")};
  EXPECT_THAT(headline(split, kMae), HasSubstr("From 80 % of the known examples on"));
}

TEST(HeadlineTest, PointsWithoutTasksDoNotCount) {
  json split = point(kMae, {{"als", 0.70, {-0.02, -0.03, -0.01}}}), empty = point(kMae, {});
  empty["tasks"] = 0;
  split["shots"] = {with_k(split, 5), with_k(empty, "80%")};
  EXPECT_THAT(headline(split, kMae), HasSubstr("At every number of known examples"));
}

TEST(HeadlineTest, DoesNotClaimWhatIsNotProven) {
  json split = point(kMae, {{"als", 0.70, {-0.002, -0.03, 0.01}}});
  split["shots"] = {with_k(split, 0), with_k(split, 5)};
  EXPECT_THAT(headline(split, kMae), HasSubstr("not proven to be better"));
}

}  // namespace
}  // namespace fewshop
