#include "evaluate/report.h"

#include "core/error.h"
#include "outcomes.h"

namespace fewshop {
namespace {

using nlohmann::json;

TEST(ReportTest, HoldsEveryKeyOfTheContract) {
  const json object = report(made_up_ratings(40, 0.5, 1));
  EXPECT_EQ(object.at("scenario"), "made-up");
  EXPECT_EQ(object.at("problem"), "rating");
  const json& test = object.at("splits").at("test");
  std::vector<json> points{test, test.at("groups").at("cold_items"), test.at("groups").at("warm_items")};
  for (const auto& shot : test.at("shots")) points.push_back(shot);
  ASSERT_EQ(points.size(), 6u);
  for (const auto& point : points) {
    EXPECT_EQ(point.at("tasks"), 40);
    EXPECT_EQ(point.at("best_baseline"), "bias");
    EXPECT_NEAR(point.at("served").get<double>(), 0.5, 0.01);
    for (const char* metric : {"mae", "rmse", "ndcg@3", "auc"})
      for (const json& of : {point.at("metrics"), point.at("adapted"), point.at("baselines").at("bias"),
                             point.at("paired").at("bias")}) {
        const json& interval = of.at(metric);
        EXPECT_LE(interval.at("low"), interval.at("value"));
        EXPECT_LE(interval.at("value"), interval.at("high"));
      }
    EXPECT_LT(point.at("paired").at("bias").at("mae").at("high"), 0);
    EXPECT_TRUE(point.at("calibration").at("coverage_50").is_number());
    EXPECT_TRUE(point.at("calibration").at("coverage_95").is_number());
  }
  EXPECT_EQ(test.at("shots")[0].at("k"), 0);
  EXPECT_EQ(test.at("shots")[1].at("k"), 5);
  EXPECT_EQ(test.at("shots")[2].at("k"), "80%");
  for (const char* key : {"train_seconds", "adapt_us", "predict_us"})
    EXPECT_TRUE(object.at("timing").contains(key)) << key;
}

TEST(ReportTest, ValueOfServedMinusBaselineIsTheDifferenceOfTheirValues) {
  const json object = report(made_up_ranks(50));
  const json& test = object.at("splits").at("test");
  for (const auto& [metric, interval] : test.at("paired").at("popularity").items())
    EXPECT_NEAR(interval.at("value").get<double>(),
                test.at("metrics").at(metric).at("value").get<double>() -
                    test.at("baselines").at("popularity").at(metric).at("value").get<double>(),
                1e-12);
}

TEST(ReportTest, UndefinedFiguresAreNull) {
  Outcomes outcomes = made_up_ratings(1, 0.5, 1);
  for (auto& task : outcomes.splits[0].headline.tasks) task.cold.assign(task.cold.size(), 0);
  const json object = report(outcomes);
  const json& test = object.at("splits").at("test");
  const json& cold = test.at("groups").at("cold_items");
  EXPECT_EQ(cold.at("tasks"), 0);
  EXPECT_TRUE(cold.at("metrics").at("mae").at("value").is_null());
  EXPECT_TRUE(cold.at("served").is_null());
  EXPECT_TRUE(test.at("metrics").at("mae").at("low").is_null()) << "one task alone has no interval";
  EXPECT_TRUE(test.at("metrics").at("mae").at("value").is_number());
}

TEST(ReportTest, IsTheSameEveryTime) {
  const Outcomes outcomes = made_up_ratings(30, 0.5, 1);
  EXPECT_EQ(report(outcomes, {.threads = 1}).dump(), report(outcomes, {.threads = 2}).dump());
}

TEST(ReportTest, UnknownMetricIsRefused) {
  Outcomes outcomes = made_up_ratings(3, 0.5, 1);
  outcomes.metrics.push_back("mea");
  EXPECT_THROW(report(outcomes), InvalidInput);
}

TEST(PoolTest, PutsTasksOfEqualSplitsAndShotsTogether) {
  Outcomes a = made_up_ratings(20, 0.5, 1, 1), b = made_up_ratings(30, 0.5, 1, 2);
  a.timing.train_seconds = 1;
  b.timing.train_seconds = 3;
  b.splits[0].shots.push_back({"90%", b.splits[0].headline.tasks});
  b.splits.push_back({"other", b.splits[0].headline, {}});
  const Outcomes pooled = pool({a, b});
  ASSERT_EQ(pooled.splits.size(), 2u);
  EXPECT_EQ(pooled.splits[0].headline.tasks.size(), 50u);
  ASSERT_EQ(pooled.splits[0].shots.size(), 4u);
  EXPECT_EQ(pooled.splits[0].shots[1].tasks.size(), 50u);
  EXPECT_EQ(pooled.splits[0].shots[3].label, "90%");
  EXPECT_EQ(pooled.splits[1].name, "other");
  EXPECT_EQ(pooled.timing.train_seconds, 2);
}

TEST(PoolTest, BestBaselineIsTheOneChosenMostOften) {
  Outcomes a = made_up_ratings(3, 0.5, 1), b = a, c = a;
  a.best_baseline = "als";
  EXPECT_EQ(pool({a, b, c}).best_baseline, "bias");
}

TEST(PoolTest, RefusesRunsOfOtherMethods) {
  Outcomes a = made_up_ratings(3, 0.5, 1), b = a;
  b.methods.back() = "als";
  EXPECT_THROW(pool({a, b}), InvalidInput);
}

}  // namespace
}  // namespace fewshop
