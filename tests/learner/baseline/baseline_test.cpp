#include "learner/baseline/baseline.h"

#include "bundle/tensor_file.h"
#include "learner/baseline/row_baseline.h"
#include "learner/baseline/synthetic.h"
#include "learner/catalogue.h"
#include "runtime/member_contract.h"

namespace fewshop {
namespace {

using testing::synthetic;
using testing::Synthetic;

std::string bytes_of(const Member& member) {
  TensorFile file;
  member.save(file);
  return file.serialize();
}

class EveryBaseline : public ::testing::TestWithParam<std::pair<const char*, Problem>> {
 protected:
  const Baseline& baseline() const { return *find_baseline(GetParam().first); }
  Problem problem() const { return GetParam().second; }
  std::vector<std::string> fitted(const Synthetic& s, int threads = 1) const {
    std::vector<std::string> bytes;
    for (const auto& member : baseline().fit(s.input(threads), baseline().grid(s.input(threads))))
      bytes.push_back(bytes_of(*member));
    return bytes;
  }
};

INSTANTIATE_TEST_SUITE_P(
    Baselines, EveryBaseline,
    ::testing::Values(std::pair{"global-mean", Problem::kRating}, std::pair{"item-mean", Problem::kRating},
                      std::pair{"bias", Problem::kRating}, std::pair{"item-knn", Problem::kRating},
                      std::pair{"als", Problem::kRating}, std::pair{"popularity", Problem::kRanking},
                      std::pair{"item-knn", Problem::kRanking}, std::pair{"als", Problem::kRanking},
                      std::pair{"ease", Problem::kRanking}, std::pair{"session-knn", Problem::kRanking}),
    [](const auto& info) {
      std::string name =
          std::string(info.param.first) + (info.param.second == Problem::kRating ? "_rating" : "_ranking");
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST_P(EveryBaseline, GivesMembersThatKeepTheirPromises) {
  for (const bool exclude_seen : {true, false}) {
    Synthetic s = synthetic(problem());
    s.scenario.exclude_seen = exclude_seen;
    const auto members = baseline().fit(s.input(), baseline().grid(s.input()));
    ASSERT_EQ(members.size(), baseline().grid(s.input()).size());
    for (const auto& member : members) {
      EXPECT_EQ(member->name(), baseline().name());
      testing::expect_member_contract(*member, static_cast<int32_t>(s.data.items()), problem() == Problem::kRanking);
    }
  }
}

TEST_P(EveryBaseline, FitsTheSameBytesOnAnyNumberOfThreads) {
  const Synthetic s = synthetic(problem(), 300, 90);
  EXPECT_EQ(fitted(s, 1), fitted(s, 3));
}

TEST_P(EveryBaseline, FittingTogetherIsFittingOneByOne) {
  const Synthetic s = synthetic(problem());
  const auto grid = baseline().grid(s.input());
  const auto together = fitted(s);
  for (size_t i = 0; i < grid.size(); ++i)
    EXPECT_EQ(bytes_of(*testing::fit_one(std::string(baseline().name()), s.input(), grid[i])), together[i]);
}

TEST_P(EveryBaseline, RowsOfOtherTasksAndOfHiddenItemsChangeNothing) {
  Synthetic s = synthetic(problem());
  s.train.resize(40);
  for (int item = 0; item < 30; item += 4) s.hidden[item] = 1;
  const auto before = fitted(s);
  for (int64_t row = 0; row < s.data.rows(); ++row) {
    const bool trained = row < s.data.task_begin[40];
    if (!trained || s.hidden[s.data.item[row]]) s.data.target[row] = 100;
    if (!trained) s.data.item[row] = 1;
  }
  EXPECT_EQ(fitted(s), before);
}

TEST_P(EveryBaseline, HiddenItemsAreAsIfTheirRowsDidNotExist) {
  Synthetic s = synthetic(problem());
  for (int item = 0; item < 30; item += 4) s.hidden[item] = 1;
  const auto hidden = fitted(s);
  for (auto& task : s.train) std::erase_if(task.rows, [&](int32_t row) { return s.hidden[s.data.item[row]]; });
  s.hidden.assign(30, 0);
  EXPECT_EQ(fitted(s), hidden);
}

TEST_P(EveryBaseline, FitsDegenerateDataWithoutFailing) {
  Synthetic nothing = synthetic(problem());
  nothing.train.clear();
  Synthetic empty_tasks = synthetic(problem());
  for (auto& task : empty_tasks.train) task.rows.clear();
  Synthetic one = synthetic(problem());
  one.train.resize(1);
  Synthetic equal = synthetic(problem());
  for (auto& target : equal.data.target) target = 3;
  Synthetic no_features = synthetic(problem());
  no_features.data.item_features = {};
  for (const auto* s : {&nothing, &empty_tasks, &one, &equal, &no_features}) {
    for (const auto& member : baseline().fit(s->input(), baseline().grid(s->input()))) {
      for (float score : testing::scores(*member, {{0, 3}, {5, 1}}, s->data.items() + 1))
        EXPECT_TRUE(std::isfinite(score));
    }
  }
}

TEST_P(EveryBaseline, RefusesConstantsItDoesNotKnow) {
  const Synthetic s = synthetic(problem());
  EXPECT_THROW(baseline().fit(s.input(), {{{"no_such", 1}}}), InvalidInput);
}

TEST(BaselineTest, CatalogueAndBaselinesListTheSameNamesAndProblems) {
  int listed = 0;
  for (const auto& learner : learners()) {
    const auto learns = [&](auto&& wanted) {
      return std::any_of(learner.problems.begin(), learner.problems.end(), wanted);
    };
    const bool of_items = learns([](Problem problem) { return !is_row_problem(problem); });
    const Baseline* baseline = find_baseline(learner.name);
    EXPECT_EQ(baseline != nullptr, learner.baseline && of_items) << learner.name;
    // Trees are fitted by the library that trains.
    if (learner.baseline && learns(is_row_problem) && !learner.name.starts_with("xgboost")) {
      EXPECT_NE(find_row_baseline(learner.name), nullptr) << learner.name;
    }
    if (!baseline) continue;
    ++listed;
    for (const Problem problem : {Problem::kRating, Problem::kRanking})
      EXPECT_EQ(baseline->fits(problem),
                std::find(learner.problems.begin(), learner.problems.end(), problem) != learner.problems.end())
          << learner.name;
  }
  EXPECT_EQ(listed, 8);
  EXPECT_EQ(find_baseline("oracle"), nullptr);
}

}  // namespace
}  // namespace fewshop
