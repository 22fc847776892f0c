#include "evaluate/predictions.h"

#include <fstream>

#include "core/error.h"
#include "evaluate/run_model.h"
#include "small_problem.h"

namespace fewshop {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Judges a file with these lines (and a header) against the small problem.
Outcomes judge(Problem kind, const std::string& lines, bool all_used = true) {
  const std::string path = testing::TempDir() + "predictions.csv";
  std::ofstream(path) << (kind == Problem::kRating ? "split,task,k,row,prediction\n" : "split,task,k,item,score\n")
                      << lines;
  const LoadedProblem problem = small_problem(kind);
  Model model = small_model(kind, problem.data.item_ids, 1, true);
  Outcomes outcomes = run_model(model, problem, {.threads = 1, .timing = false});
  PredictionFile file(path, kind);
  replace_answers(file, problem, outcomes);
  if (all_used) file.require_all_used();
  return outcomes;
}

std::string message(Problem kind, const std::string& lines) {
  try {
    judge(kind, lines);
  } catch (const InvalidInput& e) {
    return e.what();
  }
  return "accepted";
}

/// Rows 2 and 3 are the query of user9, 5 and 6 of user8, 9 and 10 of user7, at every k.
std::string all_rows(const std::string& without = "") {
  std::string lines;
  for (const char* k : {"headline", "0", "1"})
    for (const auto& [task, rows] : std::vector<std::pair<std::string, std::vector<int>>>{
             {"user9", {2, 3}}, {"user8", {5, 6}}, {"user7", {9, 10}}})
      for (const int row : rows) {
        const std::string line = "test," + task + "," + k + "," + std::to_string(row);
        if (line != without) lines += line + "," + std::to_string(row) + ".5\n";
      }
  return lines;
}

std::string all_lists() {
  std::string lines;
  for (const char* k : {"headline", "0", "1"})
    for (const auto& [task, item] : {std::pair{"user9", "e"}, {"user8", "d"}, {"user7", "c"}})
      lines += std::string("test,") + task + "," + k + "," + item + ",1\n";
  return lines;
}

TEST(PredictionsTest, StandWhereServedAndAdaptedAnswersAre) {
  const Outcomes outcomes = judge(Problem::kRating, all_rows());
  const TaskOutcome& first = outcomes.splits[0].headline.tasks.at(0);
  EXPECT_EQ(first.answers[0].score, (std::vector<float>{2.5, 3.5}));
  EXPECT_EQ(first.answers[1].score, first.answers[0].score);
  EXPECT_TRUE(first.answers[0].variance.empty());
  EXPECT_EQ(first.answers[2].score, (std::vector<float>{5, 5})) << "baselines stay";
  EXPECT_EQ(outcomes.splits[0].shots[1].tasks.at(2).answers[0].score, (std::vector<float>{9.5, 10.5}));
}

TEST(PredictionsTest, MissingRowsAreNamed) {
  EXPECT_THAT(message(Problem::kRating, all_rows("test,user8,1,6")),
              AllOf(HasSubstr("row 6"), HasSubstr("user8"), HasSubstr("k '1'")));
  EXPECT_THAT(message(Problem::kRating, ""),
              AllOf(HasSubstr("no predictions"), HasSubstr("user9"), HasSubstr("--export")));
}

TEST(PredictionsTest, RowsThatWereNotAskedForAreNamed) {
  EXPECT_THAT(message(Problem::kRating, all_rows() + "test,user9,1,7,3\n"),
              AllOf(HasSubstr(":20: "), HasSubstr("row '7'"), HasSubstr("not asked for")));
  EXPECT_THAT(message(Problem::kRating, all_rows() + "test,user9,25,2,3\n"),
              AllOf(HasSubstr("k '25'"), HasSubstr("not asked for")));
  EXPECT_THAT(message(Problem::kRating, all_rows() + "test,user9,1,2,3\n"),
              HasSubstr("row '2' of split 'test', task 'user9', k '1' is there twice"));
}

TEST(PredictionsTest, ValuesThatAreNoNumbersAreNamed) {
  for (const char* value : {"", "abc", "nan", "1e999", "1.5x"})
    EXPECT_THAT(message(Problem::kRating, std::string("test,user9,1,2,") + value + "\n"),
                AllOf(HasSubstr(":2: "), HasSubstr("expected a number")))
        << value;
  EXPECT_THAT(message(Problem::kRating, "test,user9,1,2\n"), HasSubstr(":2: "));
}

TEST(PredictionsTest, MissingColumnsAreNamed) {
  const std::string path = testing::TempDir() + "columns.csv";
  std::ofstream(path) << "split,task,k,row,value\n";
  try {
    PredictionFile file(path, Problem::kRating);
    FAIL();
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("'prediction'"), HasSubstr("split, task, k, row, value")));
  }
}

TEST(PredictionsTest, ListedItemsAreRankedAboveTheOthers) {
  // The headline of user9 has a and b as support; asked are c and d; candidates c, d, e.
  std::string lines = all_lists();
  lines += "test,user9,headline,d,3\n";
  const Outcomes outcomes = judge(Problem::kRanking, lines);
  const TaskOutcome& first = outcomes.splits[0].headline.tasks.at(0);
  EXPECT_EQ(first.answers[0].rank, (std::vector<int32_t>{2, 0}));
}

TEST(PredictionsTest, ListsMayNotNameWhatIsNoCandidate) {
  EXPECT_THAT(message(Problem::kRanking, all_lists() + "test,user9,headline,a,3\n"),
              HasSubstr("item 'a' of split 'test', task 'user9', k 'headline' is no candidate"));
  EXPECT_THAT(message(Problem::kRanking, all_lists() + "test,user9,headline,zzz,3\n"),
              HasSubstr("is no item of the data"));
  EXPECT_THAT(message(Problem::kRanking, all_lists() + "test,user9,headline,e,3\n"), HasSubstr("is there twice"));
}

}  // namespace
}  // namespace fewshop
