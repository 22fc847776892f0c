#include "runtime/candidate_depth.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "evaluate/small_problem.h"
#include "runtime/small_model.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

constexpr int kLateItems = 3000;

/// Scores items by their number. Names the ten best, 2999 to 2990, behind so many others (low numbers) as the target of
/// its first support row says; the second row's: the same for 2990 alone.
class NamesLate : public PlainMember {
 public:
  NamesLate() : PlainMember("late", 0, 0, 1) {}
  struct Places : Mean {
    int most = 0, last = 0;
  };
  std::unique_ptr<Workspace> workspace() const override { return std::make_unique<Places>(); }
  void adapt(const TaskView& task, Workspace& workspace) const override {
    auto& places = static_cast<Places&>(workspace);
    places.most = static_cast<int>(task.support[0].target);
    places.last = static_cast<int>(task.support[1].target);
  }
  void candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                  std::vector<int32_t>& items) const override {
    const auto& places = static_cast<const Places&>(workspace);
    int32_t other = 1000;
    for (int place = 0; place < n; ++place) {
      int32_t item = other++;
      if (place >= places.most && place < places.most + 9) item = kLateItems - 1 - (place - places.most);
      if (place == places.last) item = kLateItems - 10;
      if (!excluded.contains(item)) items.push_back(item);
    }
  }
};

Model late_model(int items = kLateItems) {
  Model::Parts parts;
  parts.scenario.problem = Problem::kRanking;
  for (int i = 0; i < items; ++i) parts.item_ids.push_back("item-" + std::to_string(i));
  parts.kinds = {""};
  for (int i = 0; i < items; ++i) parts.item_counts.push_back(items - i);  // the best are the least frequent
  parts.members.push_back(std::make_unique<NamesLate>());
  parts.learner = "late";
  parts.best_baseline = "late";
  parts.gate.sizes = {0};
  parts.gate.baseline = {0};
  parts.gate.open.assign(kItemCells, 1);
  return Model(std::move(parts));
}

/// Adds `lists` tasks whose best stand behind `most` others, the last of the ten behind `last`.
void count(const Model& model, int lists, int most, int last, DepthCounts& counts, const ItemSet& excluded = {}) {
  const auto session = model.session();
  const std::vector<SupportRow> support{{.item = 0, .target = static_cast<float>(most)},
                                        {.item = 0, .target = static_cast<float>(last)}};
  for (int i = 0; i < lists; ++i) {
    model.adapt({support, {}}, *session);
    counts.add(model, *session, excluded);
  }
}

TEST(CandidateDepthTest, IsTheSmallestThatFindsTheBest) {
  const Model model = late_model();
  for (const auto& [behind, depth] : {std::pair{40, 50}, {41, 100}, {150, 200}, {450, 500}, {495, 1000}, {900, 1000}}) {
    DepthCounts counts;
    count(model, 100, behind, behind + 9, counts);
    EXPECT_EQ(counts.choose(), depth) << behind;
    EXPECT_EQ(counts.recall(depth), 1);
    EXPECT_EQ(counts.wanted(), 1000);
  }
}

TEST(CandidateDepthTest, MissesTwoInAThousandAtMost) {
  const Model model = late_model();
  DepthCounts counts;
  count(model, 98, 60, 80, counts);
  count(model, 2, 60, 100, counts);
  EXPECT_EQ(counts.recall(100), 0.998);
  EXPECT_EQ(counts.choose(), 100);
  DepthCounts further;
  count(model, 1, 60, 100, further);
  counts.add(further);
  EXPECT_EQ(counts.wanted(), 1010);
  EXPECT_EQ(counts.recall(100), 1007.0 / 1010);
  EXPECT_EQ(counts.choose(), 200);
}

TEST(CandidateDepthTest, IsTheLargestWhereNoneFindsTheBest) {
  const Model model = late_model();
  DepthCounts counts;
  count(model, 100, 1500, 1600, counts);
  EXPECT_EQ(counts.recall(1000), 0);
  EXPECT_EQ(counts.choose(), 1000);
}

TEST(CandidateDepthTest, IsTheDefaultWhereTooLittleIsKnown) {
  DepthCounts counts;
  EXPECT_EQ(counts.choose(), 500);
  const Model model = late_model();
  count(model, 99, 10, 20, counts);
  EXPECT_EQ(counts.choose(), 500);
  count(model, 1, 10, 20, counts);
  EXPECT_EQ(counts.choose(), 50);
  // Where everything is a candidate, nothing is learnt of the time when the shop will have grown.
  DepthCounts small;
  count(late_model(700), 200, 10, 20, small);
  EXPECT_EQ(small.recall(100), 1);
  EXPECT_EQ(small.choose(), 500);
  EXPECT_THROW(small.recall(123), InvalidInput);
}

TEST(CandidateDepthTest, WhatIsExcludedTakesNobodysPlace) {
  const Model model = late_model();
  ItemSet excluded;
  for (int32_t item = 2990; item < kLateItems; ++item) excluded.set(item, true);
  DepthCounts counts;
  count(model, 100, 10, 20, counts, excluded);
  EXPECT_EQ(counts.wanted(), 1000);
  EXPECT_EQ(counts.recall(1000), 0) << "the best are now 2989 to 2980, which nobody names";
}

TEST(CandidateDepthTest, LongerListsAskInProportionUpToTheDefault) {
  Model model = late_model();
  EXPECT_EQ(model.depth_for(1), 500);
  EXPECT_EQ(model.depth_for(10), 500);
  EXPECT_EQ(model.depth_for(100), 500);
  EXPECT_EQ(model.depth_for(600), 600);
  model.set_candidate_depth(150);
  EXPECT_EQ(model.depth_for(1), 150);
  EXPECT_EQ(model.depth_for(10), 150);
  EXPECT_EQ(model.depth_for(11), 165);
  EXPECT_EQ(model.depth_for(30), 450);
  EXPECT_EQ(model.depth_for(50), 500);
  EXPECT_EQ(model.depth_for(1'000'000'000), 1'000'000'000);
  model.set_candidate_depth(1000);
  EXPECT_EQ(model.depth_for(100), 1000);
  EXPECT_THROW(model.set_candidate_depth(0), InvalidInput);
}

TEST(CandidateDepthTest, StandsInTheBundle) {
  const testing::TempDir folder;
  const auto model = testing::small_model();
  model->save(folder / "default", {}, {});
  EXPECT_EQ(Model::load(folder / "default")->candidate_depth(), 500);
  model->set_candidate_depth(150);
  model->save(folder / "chosen", {}, {});
  EXPECT_EQ(Model::load(folder / "chosen")->candidate_depth(), 150);
  for (const nlohmann::json& wrong : {nlohmann::json(0), nlohmann::json(-5), nlohmann::json("many"),
                                      nlohmann::json(1.5), nlohmann::json(10'000'000'000)}) {
    model->set_fact("candidate_depth", wrong);
    model->save(folder / "wrong", {}, {});
    try {
      Model::load(folder / "wrong");
      FAIL() << wrong;
    } catch (const InvalidInput& e) {
      EXPECT_NE(std::string(e.what()).find("candidate_depth is " + wrong.dump() + ", expected 1 to"), std::string::npos)
          << e.what();
    }
    std::filesystem::remove_all(folder / "wrong");
  }
}

}  // namespace
}  // namespace fewshop
