// The form that answers at serving time is the torch form: every head, every family, few rows and many.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/head_cases.h"
#include "learner/row_batches.h"
#include "runtime/predictive.h"

namespace fewshop::learning {
namespace {

using testing::BatchSizes;
using testing::HeadCase;
using testing::kHeadClasses;
using testing::RowBatches;

constexpr double kPrecision = 1e-5;

/// One task as the runtime sees it.
struct RuntimeTask {
  std::vector<float> x, target, weight, offset;
  std::vector<ColumnView> description;

  HeadSupport support() const { return {x, target, weight, offset}; }
};

class HeadFormsTest : public ::testing::TestWithParam<HeadCase> {
 protected:
  static constexpr int64_t kInputs = 4;

  /// Features are the numbers themselves, all in float: both forms see the same.
  HeadFormsTest() : data_(GetParam().family, kHeadClasses, kInputs), model_(make(7)) {}

  std::unique_ptr<EpisodicModel> make(uint64_t seed) const {
    auto model = testing::make_head(GetParam(), data_.problem, {{"name", "linear"}}, seed);
    at::NoGradGuard no_grad;
    for (auto& p : model->parameters()) p.value.copy_(p.value.to(at::kFloat).to(at::kDouble));
    return model;
  }

  RuntimeTask task(const Batch& batch, int64_t t) const {
    RuntimeTask task;
    const auto used = static_cast<int64_t>(batch.support.mask[t].sum().item<double>());
    for (int64_t s = 0; s < used; ++s) {
      for (int64_t i = 0; i < kInputs; ++i) task.x.push_back(batch.support.x.numbers[t][s][i].item<float>());
      task.target.push_back(batch.support.target[t][s].item<float>());
      task.weight.push_back(batch.support.weight[t][s].item<float>());
      task.offset.push_back(batch.support.offset[t][s].item<float>());
    }
    const int64_t row = batch.task.description[t].item<int64_t>();
    if (row >= 0) task.description = data_.descriptions->columns->row(row);
    return task;
  }

  Batch batch(int64_t rows, uint64_t seed) const {
    BatchSizes sizes;
    sizes.inputs = kInputs;
    sizes.support = rows;
    return data_.batch(sizes, seed);
  }

  RowBatches data_;
  std::unique_ptr<EpisodicModel> model_;
};

/// Numbers of a prediction side by side: of the torch form, for task t and query row q.
std::vector<double> numbers(const Distribution& d, int64_t t, int64_t q) {
  if (d.family == Family::kCategorical || d.family == Family::kOrdinal || d.family == Family::kBernoulli) {
    const at::Tensor p = d.probabilities()[t][q].contiguous();
    return {p.data_ptr<double>(), p.data_ptr<double>() + p.numel()};
  }
  return {d.mean()[t][q].item<double>(), d.variance()[t][q].item<double>()};
}

std::vector<double> numbers(const Predictive& p) {
  if (p.family == Family::kCategorical || p.family == Family::kOrdinal) return p.probability;
  if (p.family == Family::kBernoulli) return {1 - p.mean, p.mean};
  return {mean(p), variance(p)};
}

TEST_P(HeadFormsTest, AgreeOverRandomTasks) {
  at::NoGradGuard no_grad;
  const auto head = dynamic_cast<const HasTaskHead&>(*model_).task_head();
  ASSERT_EQ(head->feature_size(), kInputs);
  const auto workspace = head->workspace();
  int compared = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const Batch batch = this->batch(seed % 2 == 0 ? 4 : 15, seed);  // fewer and more rows than weights
    const Adapted adapted = model_->adapt(batch.support, batch.task);
    const Distribution expected = model_->predict(adapted, batch.query);
    for (int64_t t = 0; t < batch.query.mask.size(0); ++t) {
      const RuntimeTask task = this->task(batch, t);
      head->adapt(task.support(), task.description, *workspace);
      for (int64_t q = 0; q < batch.query.mask.size(1); ++q) {
        std::vector<float> x;
        for (int64_t i = 0; i < kInputs; ++i) x.push_back(batch.query.x.numbers[t][q][i].item<float>());
        Predictive out;
        head->predict(*workspace, x, batch.query.offset[t][q].item<float>(), out);
        EXPECT_EQ(out.family, expected.family);
        const auto ours = numbers(out), theirs = numbers(expected, t, q);
        ASSERT_EQ(ours.size(), theirs.size());
        for (size_t i = 0; i < ours.size(); ++i)
          EXPECT_NEAR(ours[i], theirs[i], kPrecision * (1 + std::abs(theirs[i]))) << "task " << t << ", row " << q;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 6 * 4 * 3);
}

TEST_P(HeadFormsTest, ExplainAlikeAndAddUp) {
  at::NoGradGuard no_grad;
  const auto head = dynamic_cast<const HasTaskHead&>(*model_).task_head();
  const auto workspace = head->workspace();
  const Batch batch = this->batch(9, 11);
  const auto expected =
      dynamic_cast<const Explains&>(*model_).explain(model_->adapt(batch.support, batch.task), batch.query);
  for (int64_t t = 0; t < batch.query.mask.size(0); ++t) {
    const RuntimeTask task = this->task(batch, t);
    head->adapt(task.support(), task.description, *workspace);
    for (int64_t q = 0; q < batch.query.mask.size(1); ++q) {
      std::vector<float> x;
      for (int64_t i = 0; i < kInputs; ++i) x.push_back(batch.query.x.numbers[t][q][i].item<float>());
      const float offset = batch.query.offset[t][q].item<float>();
      // The torch form explains the likeliest output.
      const int outputs = GetParam().family == Family::kCategorical ? static_cast<int>(kHeadClasses) : 1;
      std::vector<double> best_terms;
      double best = -INFINITY, best_prior = 0;
      for (int o = 0; o < outputs; ++o) {
        std::vector<double> terms(task.target.size());
        const double prior = head->explain(*workspace, x, offset, o, terms);
        double sum = prior;
        for (const double term : terms) sum += term;
        if (sum > best) best = sum, best_prior = prior, best_terms = terms;
      }
      EXPECT_NEAR(best_prior, expected.prior[t][q].item<double>(), kPrecision * (1 + std::abs(best_prior)));
      for (size_t s = 0; s < best_terms.size(); ++s)
        EXPECT_NEAR(best_terms[s], expected.evidence[t][q][static_cast<int64_t>(s)].item<double>(),
                    kPrecision * (1 + std::abs(best_terms[s])));
    }
  }
}

TEST_P(HeadFormsTest, SavedHeadsAnswerAlikeAndDamagedOnesAreRefused) {
  const auto head = dynamic_cast<const HasTaskHead&>(*model_).task_head();
  TensorFile file;
  head->save(file, "head.");
  const std::string bytes = file.serialize();
  const auto loaded = load_task_head(TensorFile::parse(bytes, "test"), "head.");
  TensorFile again;
  loaded->save(again, "head.");
  EXPECT_EQ(again.serialize(), bytes);
  const auto a = head->workspace(), b = loaded->workspace();
  const Batch batch = this->batch(6, 3);
  const RuntimeTask task = this->task(batch, 0);
  head->adapt(task.support(), task.description, *a);
  loaded->adapt(task.support(), task.description, *b);
  Predictive one, two;
  const std::vector<float> x{0.3F, -1, 0.5F, 2};
  head->predict(*a, x, 0.1F, one);
  loaded->predict(*b, x, 0.1F, two);
  EXPECT_EQ(numbers(one), numbers(two));
  file.put_text("head.kind", "no-such-head");
  EXPECT_THROW(load_task_head(file, "head."), InvalidInput);
  TensorFile nothing;
  EXPECT_THROW(load_task_head(nothing, "head."), InvalidInput);
}

INSTANTIATE_TEST_SUITE_P(Learners, HeadFormsTest, ::testing::ValuesIn(testing::head_cases()), testing::head_case_name);

}  // namespace
}  // namespace fewshop::learning
