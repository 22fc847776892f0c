// What protonet, ridge and bayes on rows have in common, for every family of targets they take.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/head_cases.h"
#include "learner/row_batches.h"

namespace fewshop::learning {
namespace {

using testing::BatchSizes;
using testing::flat;
using testing::HeadCase;
using testing::RowBatches;
using testing::select_rows;
using testing::select_tasks;
using testing::shake;

constexpr int64_t kClasses = testing::kHeadClasses;
const BatchSizes kSizes;

std::unique_ptr<EpisodicModel> make(const HeadCase& c, const EpisodicProblem& problem, uint64_t seed) {
  return testing::make_head(c, problem, {{"name", "mlp"}, {"hidden", "4"}, {"activation", "tanh"}}, seed);
}

class HeadsTest : public ::testing::TestWithParam<HeadCase> {
 protected:
  HeadsTest()
      : data_(GetParam().family, kClasses, kSizes.inputs),
        batch_(data_.batch(kSizes, 1)),
        model_(make(GetParam(), data_.problem, 2)) {}

  at::Tensor answers(const Batch& batch) const {
    at::NoGradGuard no_grad;
    return flat(model_->predict(model_->adapt(batch.support, batch.task), batch.query));
  }
  static void expect_close(const at::Tensor& a, const at::Tensor& b, double precision = 1e-10) {
    ASSERT_EQ(a.sizes(), b.sizes());
    EXPECT_LT((a - b).abs().max().item<double>(), precision);
  }

  RowBatches data_;
  Batch batch_;
  std::unique_ptr<EpisodicModel> model_;
};

TEST_P(HeadsTest, OuterGradientsMatchFiniteDifferences) {
  std::vector<at::Tensor> leaves;
  for (const auto& p : model_->parameters()) leaves.push_back(p.value);
  const auto gradients = torch::autograd::grad({model_->query_loss(batch_, Random(0))}, leaves, {}, false, false, true);
  at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (size_t a = 0; a < leaves.size(); ++a) {
    ASSERT_TRUE(gradients[a].defined()) << model_->parameters()[a].name << " has no influence";
    double* values = leaves[a].data_ptr<double>();
    const at::Tensor gradient = gradients[a].contiguous();
    for (int64_t i = 0; i < leaves[a].numel(); ++i) {
      const double kept = values[i];
      const auto loss_at = [&](double value) {
        values[i] = value;
        return model_->query_loss(batch_, Random(0)).item<double>();
      };
      const double slope = (loss_at(kept + kStep) - loss_at(kept - kStep)) / (2 * kStep);
      values[i] = kept;
      EXPECT_NEAR(gradient.data_ptr<double>()[i], slope, 1e-7 * (1 + std::abs(slope)))
          << model_->parameters()[a].name << " " << i;
    }
  }
}

TEST_P(HeadsTest, ABatchEqualsOneTaskAtATime) {
  const at::Tensor all = answers(batch_);
  for (int64_t t = 0; t < kSizes.tasks; ++t) {
    Batch one = select_tasks(batch_, {t});
    const auto used = one.support.mask.sum().item<double>();
    std::vector<int64_t> rows;
    for (int64_t s = 0; s < static_cast<int64_t>(used); ++s) rows.push_back(s);
    one.support = select_rows(one.support, rows);  // without its padding
    expect_close(answers(one)[0], all[t]);
  }
}

TEST_P(HeadsTest, PermutingTasksPermutesAnswers) {
  const std::vector<int64_t> order{2, 0, 3, 1};
  expect_close(answers(select_tasks(batch_, order)), answers(batch_).index_select(0, at::tensor(order, at::kLong)));
}

TEST_P(HeadsTest, TheOrderOfSupportRowsDoesNotMatter) {
  Batch permuted = batch_;
  permuted.support = select_rows(batch_.support, {4, 1, 3, 0, 2});
  expect_close(answers(permuted), answers(batch_));
}

TEST_P(HeadsTest, PaddingChangesNothing) {
  Batch padded = batch_;
  std::vector<int64_t> rows{0, 1, 2, 3, 4};
  for (int i = 0; i < 20; ++i) rows.push_back(i % 5);  // more rows than weights: the other form of the solve
  padded.support = select_rows(batch_.support, rows);
  padded.support.mask = padded.support.mask.clone();
  padded.support.mask.narrow(1, 5, 20).zero_();
  expect_close(answers(padded), answers(batch_));
}

TEST_P(HeadsTest, ARowThatCountsTwiceIsTwoRows) {
  Batch twice = batch_, heavy = batch_;
  twice.support = select_rows(batch_.support, {0, 1, 2, 3, 4, 0});
  heavy.support.weight = batch_.support.weight.clone();
  heavy.support.weight.select(1, 0).mul_(2);
  expect_close(answers(twice), answers(heavy));
}

TEST_P(HeadsTest, SavedNamedTensorsGiveTheSameAnswers) {
  TensorFile file;
  for (const auto& p : model_->parameters()) {
    const at::Tensor value = p.value.detach().contiguous();
    file.put(p.name, std::span<const double>(value.data_ptr<double>(), static_cast<size_t>(value.numel())),
             value.sizes().vec());
  }
  const TensorFile read = TensorFile::parse(file.serialize(), "test");
  const auto other = make(GetParam(), data_.problem, 77);
  at::NoGradGuard no_grad;
  const at::Tensor before = flat(other->predict(other->adapt(batch_.support, batch_.task), batch_.query));
  EXPECT_FALSE(at::equal(before, answers(batch_)));
  for (auto& p : other->parameters()) {
    const auto values = read.get<double>(p.name);
    ASSERT_EQ(static_cast<int64_t>(values.size()), p.value.numel()) << p.name;
    std::copy(values.begin(), values.end(), p.value.data_ptr<double>());
  }
  const at::Tensor after = flat(other->predict(other->adapt(batch_.support, batch_.task), batch_.query));
  EXPECT_TRUE(at::equal(after, answers(batch_)));
}

TEST_P(HeadsTest, TheSameSeedGivesTheSameModel) {
  const auto again = make(GetParam(), data_.problem, 2), other = make(GetParam(), data_.problem, 3);
  bool differs = false;
  for (size_t i = 0; i < model_->parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(model_->parameters()[i].value, again->parameters()[i].value));
    differs = differs || !at::equal(model_->parameters()[i].value, other->parameters()[i].value);
  }
  EXPECT_TRUE(differs);
}

TEST_P(HeadsTest, AnswersAreProbabilitiesAndFiniteWithoutAnySupport) {
  Batch none = batch_;
  none.support = select_rows(batch_.support, {});
  const Distribution d = model_->predict(model_->adapt(none.support, none.task), none.query);
  EXPECT_TRUE(d.log_prob(none.query.target).isfinite().all().item<bool>());
  EXPECT_TRUE(d.mean().isfinite().all().item<bool>());
  EXPECT_TRUE(d.variance().gt(0).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Learners, HeadsTest, ::testing::ValuesIn(testing::head_cases()), testing::head_case_name);

/// Relabels the classes of all rows.
Batch relabelled(Batch batch, const std::vector<int64_t>& new_class) {
  for (Rows* rows : {&batch.support, &batch.query})
    rows->target = at::tensor(new_class, at::kLong)
                       .index_select(0, rows->target.to(at::kLong).reshape(-1))
                       .view(rows->target.sizes())
                       .to(at::kDouble);
  return batch;
}

class OwnClassesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(OwnClassesTest, PermutingClassesPermutesAnswers) {
  const RowBatches data(Family::kCategorical, kClasses, kSizes.inputs);
  const Batch batch = data.batch(kSizes, 3);
  const auto model = make({GetParam(), Family::kCategorical, false}, data.problem, 4);
  at::NoGradGuard no_grad;
  const auto logits = [&](const Batch& b) {
    return model->predict(model->adapt(b.support, b.task), b.query).parameters.at("logits");
  };
  const at::Tensor before = logits(batch), after = logits(relabelled(batch, {2, 0, 1}));  // class 0 is now 2, ...
  const at::Tensor back = after.index_select(2, at::tensor(std::vector<int64_t>{2, 0, 1}, at::kLong));
  EXPECT_LT((back - before).abs().max().item<double>(), 1e-10);
  EXPECT_GT((after - before).abs().max().item<double>(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Learners, OwnClassesTest, ::testing::Values("protonet", "ridge", "bayes"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fewshop::learning
