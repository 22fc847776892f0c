#include "runtime/c_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "runtime/model.h"
#include "runtime/small_model.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using testing::small_model;

/// A model, a session and what both need to be destroyed.
class CApi : public ::testing::TestWithParam<Problem> {
 protected:
  void SetUp() override {
    plain_ = small_model({.problem = GetParam()});
    model_ = to_c(plain_);
    ASSERT_EQ(fewshop_session_create(model_, &session_), FEWSHOP_OK);
  }
  void TearDown() override {
    fewshop_session_destroy(session_);
    fewshop_close(model_);
  }

  /// Five events of a customer, the last one a product that nobody knows.
  static std::vector<fewshop_row> rows() {
    std::vector<fewshop_row> rows = {fewshop_row_of("item-3", 4), fewshop_row_of("item-700", 2),
                                     fewshop_row_of("item-701", 5), fewshop_row_of(nullptr, 3),
                                     fewshop_row_of("unheard of", 1)};
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].group = static_cast<int32_t>(i);
      rows[i].age_seconds = 86400.0f * (5 - i);
      rows[i].kind = i % 2;
    }
    rows[3].item = 42;
    return rows;
  }

  std::shared_ptr<Model> plain_;
  fewshop_model* model_ = nullptr;
  fewshop_session* session_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Problems, CApi, ::testing::Values(Problem::kRating, Problem::kRanking),
                         [](const auto& info) { return info.param == Problem::kRating ? "Rating" : "Ranking"; });

TEST_P(CApi, DescribesTheModel) {
  fewshop_info info;
  ASSERT_EQ(fewshop_describe(model_, &info), FEWSHOP_OK);
  EXPECT_EQ(info.items, 1500);
  EXPECT_EQ(info.kinds, 2);
  EXPECT_EQ(info.ranking, GetParam() == Problem::kRanking);
  EXPECT_STREQ(info.learner, "bayes");
  EXPECT_STREQ(info.scenario, GetParam() == Problem::kRanking ? "small-ranking" : "small-rating");
  EXPECT_EQ(nlohmann::json::parse(info.manifest).at("seed"), 7);
  EXPECT_EQ(fewshop_find_item(model_, "item-12"), 12);
  EXPECT_EQ(fewshop_find_item(model_, "none"), -1);
  EXPECT_STREQ(fewshop_item_id(model_, 12), "item-12");
  EXPECT_EQ(fewshop_item_id(model_, 1500), nullptr);
  EXPECT_EQ(fewshop_item_id(model_, -1), nullptr);
  EXPECT_EQ(fewshop_find_kind(model_, "view_item"), 1);
  EXPECT_EQ(fewshop_find_kind(model_, "other"), -1);
  EXPECT_STREQ(fewshop_kind_name(model_, 0), "purchase");
  EXPECT_EQ(fewshop_kind_name(model_, 2), nullptr);
  EXPECT_STREQ(fewshop_version(), FEWSHOP_VERSION);
}

TEST_P(CApi, AnswersAsTheModelDoes) {
  const auto support = rows();
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_OK) << fewshop_error_text();

  std::vector<SupportRow> expected_rows;
  for (size_t i = 0; i < support.size(); ++i) {
    const int32_t item = std::vector<int32_t>{3, 700, 701, 42, -1}[i];
    expected_rows.push_back(
        {item, support[i].target, 1, support[i].age_seconds, support[i].group, static_cast<uint8_t>(support[i].kind)});
  }
  const auto session = plain_->session();
  plain_->adapt_served({expected_rows, {}}, *session);

  std::vector<fewshop_item> items(50);
  std::vector<int32_t> numbers(50);
  for (int i = 0; i < 50; ++i) numbers[i] = items[i].item = i == 49 ? -1 : i * 30;
  std::vector<float> score(50), variance(50);
  plain_->score(*session, Model::kServed, numbers, score, variance);
  ASSERT_EQ(fewshop_predict(session_, items.data(), items.size()), FEWSHOP_OK) << fewshop_error_text();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(items[i].item, numbers[i]);
    EXPECT_EQ(items[i].score, score[i]);
    EXPECT_LE(items[i].low, items[i].score);
    EXPECT_GE(items[i].high, items[i].score);
    EXPECT_EQ(items[i].adapted, 1);
  }

  std::vector<Model::Scored> best;
  plain_->recommend(*session, 10, ItemSet::of(std::vector<int32_t>{3, 42, 100, 700, 701}), best);
  std::vector<fewshop_item> found(10);
  size_t count = found.size();
  const int32_t exclude[] = {100};
  ASSERT_EQ(fewshop_recommend(session_, exclude, 1, found.data(), &count), FEWSHOP_OK) << fewshop_error_text();
  ASSERT_EQ(count, best.size());
  for (size_t i = 0; i < count; ++i) {
    EXPECT_EQ(found[i].item, best[i].item);
    EXPECT_EQ(found[i].score, best[i].score);
    EXPECT_EQ(found[i].low, best[i].low);
    EXPECT_EQ(found[i].high, best[i].high);
  }
}

TEST_P(CApi, AScoreIsThePriorPlusOneContributionPerRow) {
  const auto support = rows();
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_OK);
  for (int32_t item : {0, 42, 701, 1499}) {
    std::vector<double> contributions(support.size());
    double prior;
    ASSERT_EQ(fewshop_explain(session_, item, &prior, contributions.data(), contributions.size()), FEWSHOP_OK)
        << fewshop_error_text();
    double sum = prior, magnitude = std::abs(prior);
    for (double c : contributions) sum += c, magnitude += std::abs(c);
    fewshop_item predicted = {item, 0, 0, 0, 0};
    ASSERT_EQ(fewshop_predict(session_, &predicted, 1), FEWSHOP_OK);
    const double cut = GetParam() == Problem::kRating ? std::clamp(sum, 1.0, 5.0) : sum;
    EXPECT_NEAR(predicted.score, cut, 2e-6 * magnitude);
    if (GetParam() == Problem::kRanking) {
      EXPECT_EQ(contributions.back(), 0) << "the item that nobody knows";
    }
  }
}

TEST_P(CApi, WithoutEventsTheBaselineIsServed) {
  ASSERT_EQ(fewshop_adapt(session_, nullptr, 0, nullptr), FEWSHOP_OK) << fewshop_error_text();
  fewshop_item item = {5, -1, 0, 0, 0};
  ASSERT_EQ(fewshop_predict(session_, &item, 1), FEWSHOP_OK);
  EXPECT_EQ(item.adapted, 0);
  double prior;
  ASSERT_EQ(fewshop_explain(session_, 5, &prior, nullptr, 0), FEWSHOP_OK);
  EXPECT_NEAR(prior, item.score, 1e-5);
}

TEST_P(CApi, ADescriptionMovesTheAdaptedScore) {
  const fewshop_text old[] = {{"age", "old"}, {"something else", "x"}}, missing[] = {{"age", nullptr}};
  fewshop_description *of_old, *of_missing;
  ASSERT_EQ(fewshop_description_create(model_, old, 2, &of_old), FEWSHOP_OK) << fewshop_error_text();
  ASSERT_EQ(fewshop_description_create(model_, missing, 1, &of_missing), FEWSHOP_OK) << fewshop_error_text();
  const auto support = rows();
  fewshop_item with = {9, 0, 0, 0, 0}, without = with, none = with;
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), of_old), FEWSHOP_OK) << fewshop_error_text();
  fewshop_description_destroy(of_old);  // allowed while it is in use
  ASSERT_EQ(fewshop_predict(session_, &with, 1), FEWSHOP_OK);
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), of_missing), FEWSHOP_OK);
  ASSERT_EQ(fewshop_predict(session_, &without, 1), FEWSHOP_OK);
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_OK);
  ASSERT_EQ(fewshop_predict(session_, &none, 1), FEWSHOP_OK);
  EXPECT_NE(with.score, none.score);
  EXPECT_EQ(without.score, none.score);
  fewshop_description_destroy(of_missing);
}

TEST_P(CApi, AnItemThatCameLaterIsScoredAndSessionsGoOn) {
  const auto support = rows();
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_OK);
  const char* before = fewshop_item_id(model_, 0);
  const fewshop_text red[] = {{"colour", "red"}};
  int32_t first = -1, last = -1;
  ASSERT_EQ(fewshop_add_item(model_, "new-red", red, 1, &first), FEWSHOP_OK) << fewshop_error_text();
  EXPECT_EQ(first, 1500);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(fewshop_add_item(model_, ("more-" + std::to_string(i)).c_str(), nullptr, 0, &last), FEWSHOP_OK);
  }
  EXPECT_EQ(last, 1600);
  EXPECT_EQ(fewshop_find_item(model_, "new-red"), 1500);
  EXPECT_STREQ(fewshop_item_id(model_, 1500), "new-red");
  EXPECT_EQ(fewshop_item_id(model_, 0), before);  // pointers handed out stay valid
  fewshop_item items[2] = {{1500, 0, 0, 0, 0}, {1600, 0, 0, 0, 0}};
  ASSERT_EQ(fewshop_predict(session_, items, 2), FEWSHOP_OK) << fewshop_error_text();
  EXPECT_TRUE(std::isfinite(items[0].score));
  EXPECT_NE(items[0].score, items[1].score);  // one is red, of the other nothing is known
  std::vector<fewshop_item> all(2000);
  size_t count = all.size();
  ASSERT_EQ(fewshop_recommend(session_, nullptr, 0, all.data(), &count), FEWSHOP_OK) << fewshop_error_text();
  EXPECT_LE(count, 1601u);
  EXPECT_EQ(fewshop_add_item(model_, "new-red", red, 1, nullptr), FEWSHOP_INVALID);
  EXPECT_THAT(fewshop_error_text(), HasSubstr("new-red is known already"));
}

TEST_P(CApi, WrongCallsAreRefusedWithAReason) {
  double number;
  fewshop_item item = {1, 0, 0, 0, 0};
  size_t count = 1;
  EXPECT_EQ(fewshop_predict(session_, &item, 1), FEWSHOP_INVALID);
  EXPECT_THAT(fewshop_error_text(), HasSubstr("call fewshop_adapt first"));
  EXPECT_EQ(fewshop_recommend(session_, nullptr, 0, &item, &count), FEWSHOP_INVALID);
  EXPECT_EQ(fewshop_explain(session_, 1, &number, nullptr, 0), FEWSHOP_INVALID);

  auto support = rows();
  support[2].kind = 2;
  EXPECT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_INVALID);
  EXPECT_THAT(fewshop_error_text(), HasSubstr("row 2: kind 2 is unknown"));
  for (float bad : {NAN, INFINITY}) {
    support = rows();
    support[1].target = bad;
    EXPECT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_INVALID);
    EXPECT_THAT(fewshop_error_text(), HasSubstr("row 1: target"));
  }
  support = rows();
  support[0].weight = -1;
  EXPECT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_INVALID);
  EXPECT_EQ(fewshop_adapt(session_, nullptr, 3, nullptr), FEWSHOP_INVALID);
  EXPECT_EQ(fewshop_predict(session_, &item, 1), FEWSHOP_INVALID) << "a failed adapt leaves no task behind";

  support = rows();
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_OK);
  EXPECT_EQ(fewshop_explain(session_, 1, &number, nullptr, 0), FEWSHOP_INVALID);
  EXPECT_THAT(fewshop_error_text(), HasSubstr("expected room for 5, got 0"));
  EXPECT_EQ(fewshop_predict(session_, &item, 1), FEWSHOP_OK) << "other failures leave it";

  EXPECT_EQ(fewshop_open(nullptr, nullptr), FEWSHOP_INVALID);
  EXPECT_EQ(fewshop_describe(nullptr, nullptr), FEWSHOP_INVALID);
  EXPECT_EQ(fewshop_session_create(nullptr, nullptr), FEWSHOP_INVALID);
  EXPECT_EQ(fewshop_adapt(nullptr, nullptr, 0, nullptr), FEWSHOP_INVALID);
  EXPECT_EQ(fewshop_add_item(model_, nullptr, nullptr, 0, nullptr), FEWSHOP_INVALID);
  const fewshop_text nameless = {nullptr, "x"};
  EXPECT_EQ(fewshop_add_item(model_, "x", &nameless, 1, nullptr), FEWSHOP_INVALID);
  fewshop_close(nullptr);
  fewshop_session_destroy(nullptr);
  fewshop_description_destroy(nullptr);
}

TEST_P(CApi, ABundleOnDiskAnswersAsTheModelThatWroteIt) {
  const testing::TempDir dir;
  const std::string folder = (dir.path() / "model").string();
  plain_->save(folder, nlohmann::json::object(), nlohmann::json::object());
  fewshop_model* opened = nullptr;
  ASSERT_EQ(fewshop_open(folder.c_str(), &opened), FEWSHOP_OK) << fewshop_error_text();
  fewshop_session* session = nullptr;
  ASSERT_EQ(fewshop_session_create(opened, &session), FEWSHOP_OK);
  const auto support = rows();
  std::vector<fewshop_item> expected(20), found(20);
  size_t expected_count = 20, count = 20;
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_OK);
  ASSERT_EQ(fewshop_recommend(session_, nullptr, 0, expected.data(), &expected_count), FEWSHOP_OK);
  ASSERT_EQ(fewshop_adapt(session, support.data(), support.size(), nullptr), FEWSHOP_OK);
  ASSERT_EQ(fewshop_recommend(session, nullptr, 0, found.data(), &count), FEWSHOP_OK);
  ASSERT_EQ(count, expected_count);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_EQ(found[i].item, expected[i].item);
    EXPECT_EQ(found[i].score, expected[i].score);
  }
  fewshop_session_destroy(session);
  fewshop_close(opened);

  std::fstream weights(folder + "/weights.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  weights.seekp(200);
  weights.put('\x7f');
  weights.close();
  opened = reinterpret_cast<fewshop_model*>(1);
  EXPECT_EQ(fewshop_open(folder.c_str(), &opened), FEWSHOP_INVALID);
  EXPECT_EQ(opened, nullptr);
  EXPECT_THAT(fewshop_error_text(), HasSubstr("weights.safetensors"));
  EXPECT_EQ(fewshop_open((folder + "-absent").c_str(), &opened), FEWSHOP_INVALID);
}

TEST_P(CApi, ThreadsWithTheirOwnSessionsGetTheSameAnswersWhileItemsAreAdded) {
  const auto support = rows();
  ASSERT_EQ(fewshop_adapt(session_, support.data(), support.size(), nullptr), FEWSHOP_OK);
  fewshop_item expected = {77, 0, 0, 0, 0};
  ASSERT_EQ(fewshop_predict(session_, &expected, 1), FEWSHOP_OK);
  std::vector<int> wrong(3, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      fewshop_session* session = nullptr;
      wrong[t] += fewshop_session_create(model_, &session) != FEWSHOP_OK;
      for (int i = 0; i < 200; ++i) {
        fewshop_item item = {77, 0, 0, 0, 0}, best[5];
        size_t count = 5;
        wrong[t] += fewshop_adapt(session, support.data(), support.size(), nullptr) != FEWSHOP_OK;
        wrong[t] += fewshop_predict(session, &item, 1) != FEWSHOP_OK || item.score != expected.score;
        if (i % 20 == 0) wrong[t] += fewshop_recommend(session, nullptr, 0, best, &count) != FEWSHOP_OK || count != 5;
      }
      fewshop_session_destroy(session);
    });
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(fewshop_add_item(model_, ("late-" + std::to_string(i)).c_str(), nullptr, 0, nullptr), FEWSHOP_OK);
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, (std::vector<int>{0, 0, 0}));
}

}  // namespace
}  // namespace fewshop
