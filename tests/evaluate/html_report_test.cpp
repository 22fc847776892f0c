#include "evaluate/html_report.h"

#include <regex>

#include "evaluate/comparisons.h"
#include "evaluate/report.h"
#include "outcomes.h"

namespace fewshop {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

/// Every tag that is opened is closed in order. Void elements and self-closing SVG ones apart.
std::string first_unbalanced_tag(const std::string& html) {
  std::vector<std::string> open;
  static const std::regex tag("<(/?)([a-z][a-z0-9]*)[^>]*?(/?)>");
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2];
    if (!(*it)[3].str().empty() || name == "meta") continue;
    if ((*it)[1].str().empty()) {
      open.push_back(name);
    } else {
      if (open.empty() || open.back() != name) return name;
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back();
}

TEST(HtmlReportTest, IsOneFileWithTheVerdictBeforeTheFigures) {
  const json object = report(made_up_ratings(60, 0.5, 1));
  const std::string html = html_report(object, "Ratings of a new user");
  EXPECT_THAT(html, HasSubstr("<h1>Ratings of a new user</h1>"));
  EXPECT_LT(html.find("better than the best simple method"), html.find("What was measured"));
  for (const char* part : {"<svg", "How much a few examples", "Differences, task by task", "new ones",
                           "stated uncertainty", "All figures", "prefers-color-scheme: dark"})
    EXPECT_THAT(html, HasSubstr(part));
  for (const char* part : {"http://", "https://", "<script", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(part)));
  EXPECT_EQ(first_unbalanced_tag(html), "");
}

TEST(HtmlReportTest, NamesFromOutsideAreEscaped) {
  Outcomes outcomes = made_up_ratings(10, 0.5, 1);
  outcomes.scenario = "<script>alert(1)</script>";
  outcomes.methods[2] = "<img src=x>";
  outcomes.best_baseline = "<img src=x>";
  outcomes.splits[0].name = "\"><b>";
  outcomes.splits.push_back(outcomes.splits[0]);
  outcomes.splits[1].name = "other";
  const std::string html = html_report(report(outcomes), "");
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("\"><b>")));
  EXPECT_EQ(first_unbalanced_tag(html), "");
}

TEST(HtmlReportTest, RankingsHaveNoCalibration) {
  const std::string html = html_report(report(made_up_ranks(40)), "Next product");
  EXPECT_THAT(html, Not(HasSubstr("stated uncertainty")));
  EXPECT_THAT(html, HasSubstr("share of the right answers that are among the first 10"));
  EXPECT_EQ(first_unbalanced_tag(html), "");
}

TEST(HtmlReportTest, LearnersAreComparedFirst) {
  const json object = two_learners();
  const std::string html = html_report(object, "");
  EXPECT_LT(html.find("<td>maml</td>"), html.find("Learner bayes"));
  EXPECT_LT(html.find("<td>bayes</td>"), html.find("<td>maml</td>")) << "the better one stands first";
  EXPECT_EQ(first_unbalanced_tag(html), "");
}

TEST(HtmlReportTest, EmptySplitIsStillAPage) {
  Outcomes outcomes = made_up_ratings(1, 0.5, 1);
  outcomes.splits[0].headline.tasks.clear();
  for (auto& shot : outcomes.splits[0].shots) shot.tasks.clear();
  const std::string html = html_report(report(outcomes), "");
  EXPECT_EQ(first_unbalanced_tag(html), "");
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace fewshop
