// What every learner that trains by episodes promises, checked for all of them in double precision.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <set>

#include "learner/episodic_support.h"

namespace fewshop {
namespace {

using at::Tensor;
using learning::Adapted;
using learning::Batch;
using learning::Distribution;
using learning::EpisodicModel;
using learning::Rows;
using nlohmann::json;

constexpr double kSame = 1e-10;  // what order and padding may change

struct Case {
  std::string name;
  json options;
  Family family;
  bool known = false;  // trains on known tasks only (multitask)

  friend void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name << " " << c.options.dump() << " " << family_name(c.family);
  }
};

std::vector<Case> cases() {
  const std::vector<Family> all{Family::kGaussian, Family::kScores,  Family::kBernoulli,       Family::kCategorical,
                                Family::kOrdinal,  Family::kPoisson, Family::kNegativeBinomial};
  std::vector<Case> list;
  const auto add = [&](const std::string& name, const json& options, const std::vector<Family>& families) {
    for (const Family family : families) list.push_back({name, options, family, name == "multitask"});
  };
  add("pooled", json::object(), all);
  add("finetune", {{"adapts", "decision"}, {"steps", 3}, {"rate", 0.1}}, all);
  add("finetune", {{"adapts", "all"}, {"steps", 2}, {"rate", 0.1}}, {Family::kGaussian});
  add("multitask", json::object(), all);
  add("learned-optimizer", {{"steps", 4}, {"truncation", 4}, {"hidden", 3}, {"order", 2}}, all);
  add("learned-optimizer", {{"steps", 2}, {"truncation", 2}, {"hidden", 3}, {"order", 2}, {"adapts", "decision"}},
      {Family::kGaussian});
  add("mamo", {{"memories", 3}, {"profile", 4}, {"steps", 2}}, all);
  add("mamo", {{"memories", 3}, {"profile", 4}, {"steps", 2}, {"adapts", "all"}}, {Family::kBernoulli});
  const std::vector<Family> classes{Family::kGaussian, Family::kScores, Family::kBernoulli, Family::kCategorical,
                                    Family::kOrdinal};
  add("lwa", {{"d", 4}}, classes);
  add("lwa", {{"d", 4}, {"map", "scalar"}}, {Family::kBernoulli, Family::kCategorical});
  add("nlba", {{"d", 4}, {"hidden", 5}}, classes);
  return list;
}

/// Features of four tasks for learners that look at what describes a task.
std::shared_ptr<const nn::InputTable> descriptions() {
  static const std::vector<float> numbers{0.3F, -1.2F, 1.5F, 0.4F, -0.7F, 0.9F, 0.1F, 0.2F};
  static const Columns columns = [] {
    Columns c;
    c.rows = 4;
    c.columns.push_back({"tasks.profile", 2, 0, numbers, {}, {}});
    return c;
  }();
  return std::make_shared<nn::InputTable>(nn::input_table(columns));
}

std::vector<Tensor> values(const EpisodicModel& model) {
  std::vector<Tensor> all;
  for (const auto& p : model.parameters()) all.push_back(p.value);
  return all;
}

/// rows[task[t], row[s]] of every tensor; undefined index = all.
Rows rearranged(const Rows& rows, const Tensor& task, const Tensor& row) {
  Rows out = rows;
  for (Tensor* t : {&out.x.numbers, &out.item, &out.target, &out.mask, &out.kind, &out.age, &out.weight, &out.offset}) {
    if (!t->defined()) continue;
    if (task.defined()) *t = t->index_select(0, task);
    if (row.defined()) *t = t->index_select(1, row);
  }
  return out;
}

Batch rearranged(const Batch& batch, const Tensor& task) {
  Batch out{rearranged(batch.support, task, {}), rearranged(batch.query, task, {}), batch.task};
  out.task.description = batch.task.description.index_select(0, task);
  out.task.known = batch.task.known.index_select(0, task);
  return out;
}

/// Two more rows a task behind the others that do not count, with numbers that would matter if they did.
Rows padded(const Rows& rows) {
  const Tensor index = at::cat({at::arange(rows.mask.size(1)), at::zeros({2}, at::kLong)});
  Rows out = rearranged(rows, {}, index);
  out.mask = out.mask.clone();
  out.mask.narrow(1, rows.mask.size(1), 2).zero_();
  out.x.numbers = out.x.numbers.clone();
  out.x.numbers.narrow(1, rows.mask.size(1), 2).mul_(-3).add_(1);
  return out;
}

void expect_same(const Distribution& a, const Distribution& b, double tolerance) {
  ASSERT_EQ(a.parameters.size(), b.parameters.size());
  for (const auto& named : a.parameters) {
    const Tensor& other = b.parameters.at(named.first);
    ASSERT_EQ(named.second.sizes(), other.sizes()) << named.first;
    if (named.second.numel() == 0) continue;
    EXPECT_LE((named.second - other).abs().max().item<double>(), tolerance) << named.first;
  }
}

class EpisodicContract : public ::testing::TestWithParam<Case> {
 protected:
  EpisodicContract() {
    problem_ = testing::problem_of(GetParam().family, shape_);
    problem_.description = descriptions()->fields;
    problem_.known_tasks = 6;
    model_ = make(1);
    // Away from the start, where much is zero and some orders cannot be told apart.
    Random random(11);
    at::NoGradGuard no_grad;
    for (const auto& p : model_->parameters()) {
      if (p.name.starts_with("inner.") || p.name == "spread") continue;
      double* x = p.value.data_ptr<double>();
      for (int64_t i = 0; i < p.value.numel(); ++i) x[i] += 0.3 * random.normal();
    }
  }

  std::unique_ptr<EpisodicModel> make(uint64_t seed) const {
    const json encoder{{"name", "mlp"}, {"hidden", "4-3"}, {"activation", "tanh"}};
    return make_episodic(GetParam().name, GetParam().options, encoder, problem_, Random(seed));
  }

  Batch batch(uint64_t seed) const {
    Batch b = testing::random_batch(GetParam().family, shape_, Random(seed));
    b.task.descriptions = descriptions();
    b.task.description = at::arange(shape_.tasks);
    return b;
  }
  /// As training sees it.
  Batch training_batch(uint64_t seed) const {
    Batch b = batch(seed);
    if (GetParam().known) b.task.known = at::arange(shape_.tasks) + 1;
    return b;
  }

  Distribution answers(const Batch& b) const { return model_->predict(model_->adapt(b.support, b.task), b.query); }

  testing::EpisodeShape shape_{.tasks = 4, .support = 5, .query = 3, .numbers = 2};
  learning::EpisodicProblem problem_;
  std::unique_ptr<EpisodicModel> model_;
};

TEST_P(EpisodicContract, OuterGradientIsThatOfFiniteDifferences) {
  EXPECT_LT(testing::gradient_error(*model_, training_batch(2), 12, 1e-6), 1e-6);
}

TEST_P(EpisodicContract, ABatchEqualsOneTaskAtATime) {
  const Batch all = batch(3);
  const Distribution together = answers(all);
  for (int64_t t = 0; t < shape_.tasks; ++t) {
    Distribution alone = together;
    for (auto& named : alone.parameters) named.second = named.second.narrow(0, t, 1);
    expect_same(answers(rearranged(all, at::tensor(std::vector<int64_t>{t}))), alone, kSame);
  }
}

TEST_P(EpisodicContract, PermutedTasksArePermutedAnswers) {
  const Batch all = batch(4);
  const Tensor order = at::tensor(std::vector<int64_t>{2, 0, 3, 1});
  Distribution permuted = answers(all);
  for (auto& named : permuted.parameters) named.second = named.second.index_select(0, order);
  expect_same(answers(rearranged(all, order)), permuted, kSame);
}

TEST_P(EpisodicContract, TheOrderOfSupportRowsDoesNotMatter) {
  Batch b = batch(5);
  const Distribution before = answers(b);
  b.support = rearranged(b.support, {}, at::tensor(std::vector<int64_t>{4, 2, 0, 1, 3}));
  expect_same(answers(b), before, kSame);
}

TEST_P(EpisodicContract, PaddingChangesNothing) {
  const Batch plain = training_batch(6);
  Batch more = plain;
  more.support = padded(plain.support);
  more.query = padded(plain.query);
  const Random random(1);
  EXPECT_NEAR(model_->query_loss(more, random).item<double>(), model_->query_loss(plain, random).item<double>(), kSame);
  Batch fresh = batch(6);
  const Distribution before = answers(fresh);
  fresh.support = padded(fresh.support);
  expect_same(answers(fresh), before, kSame);
}

TEST_P(EpisodicContract, ARowOfWeightTwoIsTwoRows) {
  Batch b = batch(7);
  b.support.weight = at::ones_like(b.support.weight);
  Batch twice = b;
  twice.support = rearranged(b.support, {}, at::tensor(std::vector<int64_t>{0, 0, 1, 2, 3, 4}));
  b.support.weight.select(1, 0).fill_(2);
  expect_same(answers(b), answers(twice), kSame);
}

TEST_P(EpisodicContract, NoSupportAndOnlyPaddingAreTheSame) {
  Batch b = batch(8);
  Batch none = b;
  b.support.mask = at::zeros_like(b.support.mask);
  none.support = rearranged(b.support, {}, at::empty({0}, at::kLong));
  const Distribution answer = answers(none);
  expect_same(answer, answers(b), kSame);
  for (const auto& named : answer.parameters) EXPECT_TRUE(at::isfinite(named.second).all().item<bool>()) << named.first;
}

TEST_P(EpisodicContract, AnOffsetMovesTheAnswerAndIsNotLearned) {
  if (GetParam().family != Family::kGaussian) GTEST_SKIP() << "seen in the mean of numbers";
  Batch b = batch(9);
  const Tensor before = answers(b).mean();
  for (Rows* rows : {&b.support, &b.query}) {
    rows->offset = rows->offset + 7;
    rows->target = rows->target + 7;
  }
  EXPECT_LE((answers(b).mean() - before - 7).abs().max().item<double>(), 1e-9);
}

TEST_P(EpisodicContract, AnswersWithoutGradientsAreTheSameAndHaveNoGraph) {
  const Batch b = batch(10);
  const Distribution with = answers(b);
  at::NoGradGuard no_grad;
  const Adapted state = model_->adapt(b.support, b.task);
  for (const auto& named : state) EXPECT_FALSE(named.second.requires_grad()) << named.first;
  expect_same(model_->predict(state, b.query), with, 1e-12);
}

TEST_P(EpisodicContract, NamedTensorsAreTheWholeModel) {
  const auto other = make(2);
  std::set<std::string> names;
  {
    at::NoGradGuard no_grad;
    const auto from = model_->parameters(), to = other->parameters();
    ASSERT_EQ(from.size(), to.size());
    for (size_t i = 0; i < from.size(); ++i) {
      EXPECT_EQ(from[i].name, to[i].name);
      EXPECT_TRUE(names.insert(from[i].name).second) << from[i].name << " twice";
      to[i].value.copy_(from[i].value);
    }
  }
  const Batch b = batch(12);
  expect_same(other->predict(other->adapt(b.support, b.task), b.query), answers(b), 0);
}

TEST_P(EpisodicContract, TheSameSeedGivesTheSameBits) {
  const auto a = make(5), b = make(5);
  const Batch episodes = training_batch(13);
  EXPECT_EQ(a->query_loss(episodes, Random(1)).item<double>(), b->query_loss(episodes, Random(1)).item<double>());
  const auto left = values(*a), right = values(*b);
  for (size_t i = 0; i < left.size(); ++i) EXPECT_TRUE(at::equal(left[i], right[i]));
  for (const Tensor& value : left) EXPECT_TRUE(value.requires_grad());
}

TEST_P(EpisodicContract, TheStateHasTheSizeThatIsReported) {
  const Batch b = batch(14);
  int64_t numbers = 0;
  for (const auto& named : model_->adapt(b.support, b.task)) numbers += named.second.numel();
  EXPECT_EQ(numbers, shape_.tasks * model_->state_size());
}

INSTANTIATE_TEST_SUITE_P(Learners, EpisodicContract, ::testing::ValuesIn(cases()));

}  // namespace
}  // namespace fewshop
