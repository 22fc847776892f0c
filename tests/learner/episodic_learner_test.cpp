#include "learner/episodic_learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/catalogue.h"
#include "learner/episodic_member.h"
#include "learner/held_out.h"
#include "learner/synthetic.h"
#include "runtime/members.h"
#include "task/support_rows.h"

// What holds for every learner that trains by episodes, whatever it does inside.

namespace fewshop::learning {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::synthetic_shop;
using testing::SyntheticShop;

struct Case {
  std::string learner;
  Problem problem;
};

/// Every episodic learner of the catalogue with every problem of a recommender that it is for.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& info : learners())
    for (const Problem problem : info.episodic)
      if (!is_row_problem(problem)) all.push_back({info.name, problem});
  return all;
}

json quick_options(int epochs) { return {{"epochs", epochs}, {"batch_tasks", 16}}; }

std::unique_ptr<Member> fitted(const Case& c, const SyntheticShop& shop, const json& options, uint64_t seed,
                               int threads, json chosen = {{"epochs", 2}, {"schedule", 2}}) {
  const Run run{seed, threads, "", c.learner};
  const FitInput input{shop.data, shop.scenario, shop.tasks, nullptr, threads, seed};
  // Constants that a fit chooses: by the loss on two tasks, so that the choice itself is quick.
  const MemberLoss loss = [&](const Member& member) {
    auto workspace = member.workspace();
    const auto support = support_rows(shop.data, std::vector<int32_t>{0, 1, 2}, 0);
    const auto description = shop.data.task_features.row(0);
    member.adapt({support, description}, *workspace);
    const std::vector<int32_t> item{shop.data.item[4]};
    std::vector<float> score(1);
    member.score(*workspace, item, score, {});
    return std::abs(score[0] - shop.data.target[4]);
  };
  return make_episodic_learner(c.learner, options, json::object())->fit(input, loss, chosen, run);
}

/// Scores of all items for one task with some support.
std::vector<float> answers(const Member& member, const SyntheticShop& shop, int32_t task, int64_t support_rows_used) {
  auto workspace = member.workspace();
  std::vector<int32_t> rows;
  for (int64_t r = 0; r < support_rows_used; ++r) rows.push_back(static_cast<int32_t>(shop.data.task_begin[task] + r));
  const auto support = support_rows(shop.data, rows, 0);
  const auto description = shop.data.task_features.row(task);
  member.adapt({support, description}, *workspace);
  std::vector<float> score(shop.data.items());
  member.score_all(*workspace, score);
  return score;
}

/// A ridge head on a network that reads the genres of items in their order: what it takes to answer with it.
struct SequenceLearner {
  EpisodicRecipe recipe{"ridge", json::object(), {{"name", "gru"}, {"state", 8}, {"hidden", "8"}}, {}};
  std::shared_ptr<EpisodicModel> model;
  ItemInputs inputs;

  static ItemInputs::Parts parts(const SyntheticShop& shop) {
    ItemInputs::Parts p;
    p.items = std::make_shared<EntityColumns>(shop.data.item_features);
    p.sequences = {"items.genre"};
    p.known.assign(shop.data.items(), 1);
    p.known[3] = 0;  // seen in no training task
    p.offset.assign(shop.data.items(), 3.5F);
    p.unknown_offset = 3;
    return p;
  }
  explicit SequenceLearner(const SyntheticShop& shop) : inputs(parts(shop)) {
    recipe.problem.fields = inputs.fields();
    recipe.problem.family = Family::kGaussian;
    model = make_episodic(recipe.learner, recipe.options, recipe.encoder, recipe.problem, Random(2));
  }
};

TEST(SequenceNetworkTest, IsServedByStoredVectorsOfItems) {
  const SyntheticShop shop = synthetic_shop(Problem::kRating, 10, 5);
  const SequenceLearner learner(shop);
  const EpisodicMember trained(learner.recipe, learner.model, learner.inputs, false, 0);
  const auto form = runtime_form(learner.recipe, *learner.model, learner.inputs, false, 0);
  ASSERT_TRUE(form);
  TensorFile file;
  form->save(file);
  EXPECT_EQ(file.text("kind"), "encoded") << "it is loaded without libtorch";
  const auto loaded = load_member(TensorFile::parse(file.serialize(), "memory"));
  for (const int64_t support : {0, 1, 6}) {
    const auto expected = answers(trained, shop, 1, support), got = answers(*loaded, shop, 1, support);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4) << i << " " << support;
    if (support > 0) {
      EXPECT_NE(got[0], answers(*loaded, shop, 1, 0)[0]) << "the support changes the answer";
    }
  }
  // One that comes later has no features: the offset of new items and the head's constant alone.
  loaded->add_item(shop.data.item_features.row(0));
  auto workspace = loaded->workspace();
  loaded->adapt({{}, {}}, *workspace);
  std::vector<float> score(1);
  loaded->score(*workspace, std::vector<int32_t>{static_cast<int32_t>(shop.data.items())}, score, {});
  EXPECT_TRUE(std::isfinite(score[0]));
}

TEST(SequenceNetworkTest, IsNotServedWhereFeaturesDependOnTheTask) {
  const SyntheticShop shop = synthetic_shop(Problem::kRating, 10, 5);
  SequenceLearner learner(shop);
  learner.recipe.problem.description = nn::input_table(shop.data.task_features, {}).fields;
  EXPECT_FALSE(runtime_form(learner.recipe, *learner.model, learner.inputs, false, 0));
}

class EpisodicLearnerTest : public ::testing::TestWithParam<Case> {};

TEST_P(EpisodicLearnerTest, SavedAndLoadedItAnswersToTheBit) {
  set_training_loader(EpisodicMember::load);
  const SyntheticShop shop = synthetic_shop(GetParam().problem, 60, 5);
  const auto member = fitted(GetParam(), shop, quick_options(1), 3, 1);
  TensorFile file;
  member->save(file);
  const auto loaded = load_member(TensorFile::parse(file.serialize(), "memory"));
  EXPECT_EQ(loaded->name(), GetParam().learner);
  for (const int32_t task : {0, 7})
    for (const int64_t support : {0, 1, 6})
      EXPECT_EQ(answers(*loaded, shop, task, support), answers(*member, shop, task, support)) << task << " " << support;
}

TEST_P(EpisodicLearnerTest, TheSameSeedGivesTheSameBytesWhateverTheNumberOfThreads) {
  const SyntheticShop shop = synthetic_shop(GetParam().problem, 40, 5);
  const auto bytes = [&](uint64_t seed, int threads) {
    TensorFile file;
    fitted(GetParam(), shop, quick_options(1), seed, threads)->save(file);
    return file.serialize();
  };
  const std::string once = bytes(3, 1);
  EXPECT_EQ(once, bytes(3, 2));
  EXPECT_NE(once, bytes(4, 1));
}

TEST_P(EpisodicLearnerTest, ExplanationsAddUpToTheScore) {
  const SyntheticShop shop = synthetic_shop(GetParam().problem, 40, 5);
  const auto member = fitted(GetParam(), shop, quick_options(1), 3, 1);
  auto workspace = member->workspace();
  const auto support = support_rows(shop.data, std::vector<int32_t>{0, 1, 2, 3}, 0);
  const auto description = shop.data.task_features.row(0);
  member->adapt({support, description}, *workspace);
  for (const int32_t item : {0, 9, 33}) {
    std::vector<double> terms(support.size());
    const double prior = member->explain(*workspace, item, terms);
    double sum = prior, magnitude = std::abs(prior);
    for (const double t : terms) sum += t, magnitude += std::abs(t);
    std::vector<float> score(1);
    member->score(*workspace, std::vector<int32_t>{item}, score, {});
    EXPECT_NEAR(sum, score[0], 1e-5 * (1 + magnitude)) << item;
  }
}

TEST_P(EpisodicLearnerTest, AnItemAddedLaterIsAnsweredForByItsFeatures) {
  const SyntheticShop shop = synthetic_shop(GetParam().problem, 40, 5);
  const auto member = fitted(GetParam(), shop, quick_options(1), 3, 1);
  member->add_item(shop.data.item_features.row(0));
  auto workspace = member->workspace();
  const auto support = support_rows(shop.data, std::vector<int32_t>{0, 1, 2, 3}, 0);
  const auto description = shop.data.task_features.row(0);
  member->adapt({support, description}, *workspace);
  std::vector<float> score(2);
  const std::vector<int32_t> items{static_cast<int32_t>(shop.data.items()), -1};
  member->score(*workspace, items, score, {});
  EXPECT_TRUE(std::isfinite(score[0]) && std::isfinite(score[1]));
}

TEST_P(EpisodicLearnerTest, ALossThatIsNotFiniteStopsTheTrainingWithAdvice) {
  SyntheticShop shop = synthetic_shop(GetParam().problem, 40, 5);
  for (auto& weight : shop.data.weight) weight = std::numeric_limits<float>::infinity();
  try {
    fitted(GetParam(), shop, quick_options(2), 3, 1);
    FAIL() << "training went on";
  } catch (const Failure& e) {
    EXPECT_THAT(std::string(e.what()), HasSubstr("diverged"));
    EXPECT_THAT(std::string(e.what()), HasSubstr("lower learner.lr"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, EpisodicLearnerTest, ::testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.learner + (info.param.problem == Problem::kRating ? "_rating" : "_ranking");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(EpisodicMemberTest, WithoutTheTrainingLibraryItIsRefusedByName) {
  set_training_loader(nullptr);
  TensorFile file;
  file.put_text("kind", kTrainingKind);
  file.put_text("recipe", R"({"learner": "maml"})");
  try {
    load_member(file);
    FAIL() << "it was loaded";
  } catch (const InvalidInput& e) {
    EXPECT_THAT(std::string(e.what()), HasSubstr("'maml' has no runtime form"));
  }
}

}  // namespace
}  // namespace fewshop::learning
