#include "evaluate/text_report.h"

#include "evaluate/comparisons.h"
#include "evaluate/report.h"
#include "outcomes.h"

namespace fewshop {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(TextReportTest, ShowsEveryMethodShotAndGroup) {
  const std::string text = text_report(report(made_up_ratings(60, 0.5, 1)));
  for (const char* part :
       {"lower is better in mae", "test: 60 tasks, 360 query rows, 50.0 % answered by adapting", "served - bias",
        "bias *", "80%", "items new to the model", "95 % intervals", "At every number of known examples"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(TextReportTest, ColumnsOfATableEndInLine) {
  const std::string text = text_report(report(made_up_ranks(60)));
  const auto line_with = [&](const std::string& part) {
    const size_t at = text.find("\n  " + part);
    return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  };
  EXPECT_EQ(line_with("all known examples").size(), line_with("served ").size());
  EXPECT_EQ(line_with("adapted").size(), line_with("popularity *").size());
}

TEST(TextReportTest, ComparisonBeginsWithOneLineForEachLearner) {
  const json object = two_learners();
  const std::string text = text_report(object);
  EXPECT_THAT(text, HasSubstr("better than bias"));
  EXPECT_LT(text.find("maml"), text.find("== bayes =="));
  EXPECT_THAT(text, HasSubstr("== maml =="));
}

TEST(TextReportTest, SplitWithoutTasksIsShownAsEmpty) {
  Outcomes outcomes = made_up_ratings(5, 0.5, 1);
  outcomes.splits[0].headline.tasks.clear();
  for (auto& shot : outcomes.splits[0].shots) shot.tasks.clear();
  EXPECT_THAT(text_report(report(outcomes)), HasSubstr("test: 0 tasks"));
}

}  // namespace
}  // namespace fewshop
