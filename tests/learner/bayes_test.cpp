#include "learner/bayes.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/als_start.h"
#include "learner/held_out.h"
#include "learner/synthetic.h"
#include "runtime/members.h"
#include "task/support_rows.h"

namespace fewshop::learning {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::synthetic_shop;
using testing::SyntheticShop;

BayesFit quick_fit(const SyntheticShop& shop, const learning::Run& run, int epochs = 3,
                   const std::string& start = "random") {
  BayesOptions options;
  options.start = start;
  options.d = 8;
  options.epochs = epochs;
  options.batch_tasks = 16;
  const FitInput input{shop.data, shop.scenario, shop.tasks, nullptr, run.threads, run.seed};
  return fit_bayes(input, options, epochs, nullptr, run);
}

class BayesTest : public ::testing::TestWithParam<Problem> {};

TEST(BayesRepeatTest, AnItemThatWasBoughtIsLearntToBeBoughtAgain) {
  SyntheticShop shop = synthetic_shop(Problem::kRanking, 120, 12);
  shop.scenario.exclude_seen = false;
  for (size_t r = 0; r < shop.data.item.size(); ++r)  // every second purchase is one made before
    if (r % 24 >= 12) shop.data.item[r] = shop.data.item[r - 12];
  const BayesFit fit = quick_fit(shop, {}, 10);
  EXPECT_GT(fit.member->arrays().repeat[0], 0.1F);
  const Episode episode{0, {0, 1, 2, 0}, {12}};
  const Batch batch = make_batch(shop.data, std::vector<Episode>{episode});
  const Adapted adapted = fit.model->adapt(batch.support, batch.task);
  const auto workspace = fit.member->workspace();
  const auto support = support_rows(shop.data, episode.support, 0);
  const auto description = shop.data.task_features.row(0);
  fit.member->adapt({support, description}, *workspace);
  const std::vector<int32_t> item{shop.data.item[12]};
  std::vector<float> score(1), all(shop.data.items());
  fit.member->score(*workspace, item, score, {});
  fit.member->score_all(*workspace, all);
  EXPECT_EQ(score[0], all[item[0]]);
  EXPECT_NEAR(score[0], fit.model->predict(adapted, batch.query).mean()[0][0].item<float>(),
              1e-5 * (1 + std::abs(score[0])));
  std::vector<double> terms(4);
  double sum = fit.member->explain(*workspace, item[0], terms);
  for (const double t : terms) sum += t;
  EXPECT_NEAR(sum, score[0], 1e-5);
  EXPECT_GT(terms[0], terms[1]);
}

TEST_P(BayesTest, ReadsBackWhatItSaved) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 40, 2);
  const BayesFit fit = quick_fit(shop, {}, 1);
  TensorFile file;
  fit.member->save(file);
  const std::string bytes = file.serialize();
  const auto loaded = load_member(TensorFile::parse(bytes, "test"));
  TensorFile again;
  loaded->save(again);
  EXPECT_EQ(again.serialize(), bytes);
}

TEST_P(BayesTest, SameSeedGivesTheSameBytesForAnyNumberOfThreads) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 60, 3);
  const auto bytes = [&](int threads, uint64_t seed) {
    TensorFile file;
    learning::Run run;
    run.threads = threads;
    run.seed = seed;
    quick_fit(shop, run, 2).member->save(file);
    return file.serialize();
  };
  const std::string one = bytes(1, 7);
  EXPECT_EQ(one, bytes(2, 7));
  EXPECT_NE(one, bytes(1, 8));
}

TEST_P(BayesTest, TrainingLowersTheLossOfNewTasks) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 300, 4), fresh = synthetic_shop(GetParam(), 300, 4);
  SyntheticShop train = shop;
  const TaskSet held_out(train.tasks.end() - 100, train.tasks.end());
  train.tasks.resize(200);
  const Metric metric = parse_metric(train.scenario.metrics.front(), GetParam());
  const auto episodes = held_out_episodes(train.data, train.scenario, held_out, {0, 1, 3, 5, 10}, nullptr);
  const double before =
      member_loss(train.data, train.scenario, *quick_fit(train, {}, 1).member, metric, 3, episodes, 2);
  const double after =
      member_loss(train.data, train.scenario, *quick_fit(train, {}, 25).member, metric, 3, episodes, 2);
  EXPECT_LT(after, before);
}

TEST_P(BayesTest, AnItemAddedLaterIsScoredByItsContent) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 80, 9);
  const BayesFit fit = quick_fit(shop, {}, 3);
  const int32_t before = fit.member->items();
  const auto views = shop.data.item_features.row(0);
  fit.member->add_item(views);
  fit.member->add_item(views);
  const auto workspace = fit.member->workspace();
  fit.member->adapt({{}, {}}, *workspace);
  const std::vector<int32_t> items{before, before + 1};
  std::vector<float> score(2), variance(2);
  fit.member->score(*workspace, items, score, variance);
  EXPECT_EQ(score[0], score[1]);
  EXPECT_TRUE(std::isfinite(score[0]));
  EXPECT_THROW(fit.member->add_item({}), InvalidInput);
}

TEST_P(BayesTest, ContinuesFromItsCheckpointToTheSameBytes) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 40, 10);
  const std::string path =
      ::testing::TempDir() + "fewshop_bayes_checkpoint_" + std::to_string(static_cast<int>(GetParam()));
  std::filesystem::remove(path);
  const auto bytes = [](const BayesFit& fit) {
    TensorFile file;
    fit.member->save(file);
    return file.serialize();
  };
  BayesOptions options;
  options.d = 8;
  options.batch_tasks = 16;
  const FitInput input{shop.data, shop.scenario, shop.tasks, nullptr, 1, 0};
  learning::Run plain, kept;
  kept.checkpoint = path;
  options.epochs = 4;
  const std::string whole = bytes(fit_bayes(input, options, 4, nullptr, plain));
  options.epochs = 2;
  fit_bayes(input, options, 4, nullptr, kept);  // as if killed after two of four epochs
  options.epochs = 4;
  EXPECT_EQ(bytes(fit_bayes(input, options, 4, nullptr, kept)), whole);
  std::filesystem::remove(path);
}

/// What a fit that must diverge says.
std::string divergence(const SyntheticShop& shop, const BayesOptions& options) {
  const FitInput input{shop.data, shop.scenario, shop.tasks, nullptr, 1, 0};
  try {
    fit_bayes(input, options, options.epochs, nullptr, {});
  } catch (const Failure& e) {
    return e.what();
  }
  return "training did not diverge";
}

/// Scores of some items for a task with a support, by any member.
std::vector<float> scores_of(const Member& member, std::span<const SupportRow> support) {
  std::vector<int32_t> items(12);
  std::iota(items.begin(), items.end(), 0);
  std::vector<float> score(items.size());
  const auto workspace = member.workspace();
  member.adapt({support, {}}, *workspace);
  member.score(*workspace, items, score, {});
  return score;
}

TEST_P(BayesTest, FromAlsItStartsAsAls) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 200, 5);
  const bool ranking = GetParam() == Problem::kRanking;
  const BayesFit fit = quick_fit(shop, {}, 0, "als");  // before any training
  const FitInput input{shop.data, shop.scenario, shop.tasks, nullptr, 1, 0};
  const AlsMember als(als_of(input, 8));
  std::vector<SupportRow> support;
  for (const int32_t item : {1, 4, 7, 9}) support.push_back({.item = item, .target = ranking ? 1.0F : 4.0F});
  const std::vector<float> own = scores_of(*fit.member, support), expected = scores_of(als, support);
  const float spread = ranking ? 10 : 1;  // for the softmax
  for (size_t i = 0; i < own.size(); ++i)
    EXPECT_NEAR(own[i], spread * expected[i], 2e-3F * spread * (1 + std::abs(expected[i]))) << "item " << i;
}

TEST_P(BayesTest, TheStartIsChosenOnMetaValidationTasks) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 120, 5);
  const auto learner = make_bayes({{"d", 8}, {"epochs", 2}});
  const FitInput input{shop.data, shop.scenario, shop.tasks, nullptr, 1, 0};
  for (const std::string preferred : {"als", "random"}) {
    // The fits of one start are judged first, then those of the other: every judgement of the second counts as worse.
    std::string fitting = "als";
    int judged = 0;
    const MemberLoss loss = [&](const Member&) {
      ++judged;
      fitting = judged <= 2 ? "als" : "random";  // als: before training as well, and at the end
      return fitting == preferred ? 1.0 : 2.0;
    };
    nlohmann::json chosen;
    learner->fit(input, loss, chosen, {});
    EXPECT_EQ(judged, 3);
    EXPECT_EQ(chosen["start"], preferred);
    EXPECT_EQ(chosen["epochs"], preferred == "als" ? 0 : 2);
    // What was chosen is what the fits to come do; versions of before had no start but the random one.
    nlohmann::json again = chosen, old = chosen;
    old.erase("start");
    old["epochs"] = again["epochs"] = 2;
    const auto of_chosen = learner->fit(input, nullptr, again, {}), of_old = learner->fit(input, nullptr, old, {});
    const std::vector<SupportRow> support{{.item = 1, .target = 1}};
    EXPECT_EQ(scores_of(*of_chosen, support) == scores_of(*of_old, support), preferred == "random");
  }
}

TEST_P(BayesTest, DivergenceSaysWhatToChange) {
  const SyntheticShop shop = synthetic_shop(GetParam(), 40, 11);
  BayesOptions options;
  options.start = "random";  // ALS would refuse the weights before
  options.d = 8;
  options.epochs = 3;
  const auto expect_said = [&](const SyntheticShop& s, const BayesOptions& o, const char* what) {
    EXPECT_THAT(divergence(s, o), AllOf(HasSubstr("training diverged"), HasSubstr("learner.lr"))) << what;
  };
  SyntheticShop weights = shop;
  for (auto& weight : weights.data.weight) weight *= 1e30F;
  expect_said(weights, options, "precisions that no solve can bear");
  if (GetParam() == Problem::kRating) {
    SyntheticShop targets = shop;
    for (auto& target : targets.data.target) target *= 1e30F;
    expect_said(targets, options, "an infinite loss");
  }
  options.lr = 1e6;
  expect_said(shop, options, "steps that are far too long");
  options.epochs = 1;
  options.batch_tasks = 4096;  // one step, whose parameters no loss sees
  expect_said(shop, options, "one step that is far too long");
}

INSTANTIATE_TEST_SUITE_P(Problems, BayesTest, ::testing::Values(Problem::kRating, Problem::kRanking),
                         [](const auto& info) { return info.param == Problem::kRating ? "rating" : "ranking"; });

}  // namespace
}  // namespace fewshop::learning
