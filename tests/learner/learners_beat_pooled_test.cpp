// Learners against the plain method on tasks whose truth is simple: features that all tasks share, a head for each.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "learner/episodic_support.h"

namespace fewshop::learning {
namespace {

constexpr int64_t kInputs = 3, kFeatures = 6, kKinds = 2, kSupport = 10, kQuery = 10, kTasksAtOnce = 32;
constexpr int64_t kKnown = 256, kTestTasks = 400;

/// y = w_t . tanh(A x) + noise, or a coin with that logit (four times as large). w_t = centre of the task's kind + N(0,
/// I / 2); every row tells the kind in two numbers behind x, so that `pooled` knows it as well.
struct World {
  Family family;
  Tensor mixing, centres;  // [kFeatures, kInputs], [kKinds, kFeatures]
  std::vector<float> kinds{1, 0, 0, 1};
  Columns columns;
  std::shared_ptr<const nn::InputTable> descriptions;

  static Tensor normal(at::IntArrayRef shape, Random random) {
    Tensor t = at::empty(shape, at::kFloat);
    for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = static_cast<float>(random.normal());
    return t;
  }

  explicit World(Family f) : family(f) {
    mixing = normal({kFeatures, kInputs}, Random(1));
    centres = normal({kKinds, kFeatures}, Random(2));
    columns.rows = kKinds;
    columns.columns.push_back({"tasks.kind", kKinds, 0, kinds, {}, {}});
    descriptions = std::make_shared<nn::InputTable>(nn::input_table(columns));
  }

  EpisodicProblem problem() const {
    EpisodicProblem p;
    p.family = family;
    p.fields = {{"numbers", nn::Field::Kind::kNumbers, kInputs + kKinds, 0}};
    p.target_variance = 5;
    p.known_tasks = kKnown;
    p.description = descriptions->fields;
    return p;
  }

  /// Rows of the tasks numbered `tasks`, in [0, kKnown) those of training; `draw` gives their rows.
  Batch batch(const std::vector<int64_t>& tasks, Random draw) const {
    const auto count = static_cast<int64_t>(tasks.size());
    Tensor head = at::empty({count, kFeatures}, at::kFloat), kind = at::empty({count}, at::kLong);
    for (int64_t t = 0; t < count; ++t) {
      const int64_t k = tasks[t] % kKinds;
      kind[t] = k;
      head[t] = centres[k] + std::sqrt(0.5) * normal({kFeatures}, Random(3).fork(static_cast<uint64_t>(tasks[t])));
    }
    Batch b;
    for (const bool query : {false, true}) {
      Random random = draw.fork(query ? "query" : "support");
      const int64_t size = query ? kQuery : kSupport;
      const Tensor x = normal({count, size, kInputs}, random.fork("x"));
      const Tensor f = (at::matmul(x, mixing.t()).tanh() * head.unsqueeze(1)).sum(2);
      const Tensor told = centres.new_zeros({count, kKinds}).scatter_(1, kind.unsqueeze(1), 1);
      Rows rows;
      rows.x = nn::numbers_only(at::cat({x, told.unsqueeze(1).expand({count, size, kKinds})}, 2));
      Tensor coin = at::empty({count, size}, at::kFloat);
      for (int64_t i = 0; i < coin.numel(); ++i) coin.data_ptr<float>()[i] = static_cast<float>(random.uniform());
      rows.target = family == Family::kGaussian ? f + 0.3 * normal({count, size}, random.fork("noise"))
                                                : (4 * f).sigmoid().gt(coin).to(at::kFloat);
      rows.mask = rows.weight = at::ones({count, size}, at::kFloat);
      (query ? b.query : b.support) = rows;
    }
    b.task.description = kind;
    b.task.descriptions = descriptions;
    b.task.known = at::tensor(tasks);
    return b;
  }

  Batch training(int step) const {
    Random random = Random(4).fork(static_cast<uint64_t>(step));
    std::vector<int64_t> tasks;
    for (int64_t t = 0; t < kTasksAtOnce; ++t) tasks.push_back(static_cast<int64_t>(random.below(kKnown)));
    return batch(tasks, random.fork("rows"));
  }

  /// New tasks: `first` keeps those that choose apart from those that judge.
  Batch fresh(int64_t first, int64_t count) const {
    std::vector<int64_t> tasks;
    for (int64_t t = 0; t < count; ++t) tasks.push_back(kKnown + first + t);
    Batch b = batch(tasks, Random(5).fork(static_cast<uint64_t>(first)));
    b.task.known.fill_(-1);
    return b;
  }
};

/// Mean query loss of each task [T].
Tensor losses(const EpisodicModel& model, const Batch& b) {
  at::NoGradGuard no_grad;
  return -model.predict(model.adapt(b.support, b.task), b.query).log_prob(b.query.target).mean(1);
}

std::unique_ptr<EpisodicModel> trained(const World& world, const std::string& name, const nlohmann::json& options,
                                       const testing::PlainTraining& training) {
  const nlohmann::json encoder{{"name", "mlp"}, {"hidden", "24-12"}, {"activation", "tanh"}};
  auto model = make_episodic(name, options, encoder, world.problem(), Random(7));
  testing::train(
      *model, [&](int step) { return world.training(step); }, training);
  // What is left open is chosen on tasks that nothing else sees.
  const Batch validation = world.fresh(100'000, kTestTasks);
  double best = std::numeric_limits<double>::infinity();
  nlohmann::json chosen;
  for (const auto& candidate : model->candidates()) {
    model->choose(candidate);
    const double loss = losses(*model, validation).mean().item<double>();
    if (loss < best) {
      best = loss;
      chosen = candidate;
    }
  }
  if (!chosen.is_null()) model->choose(chosen);
  return model;
}

/// Paired gain over pooled on new tasks, in nats a row, and its standard error.
std::pair<double, double> gain(const World& world, const EpisodicModel& pooled, const EpisodicModel& model) {
  const Batch test = world.fresh(0, kTestTasks);
  const Tensor difference = losses(pooled, test) - losses(model, test);
  return {difference.mean().item<double>(),
          difference.std().item<double>() / std::sqrt(static_cast<double>(kTestTasks))};
}

struct Contender {
  std::string name;
  nlohmann::json options;
  testing::PlainTraining training;
  double at_least;  // nats a row
};

void expect_gains(Family family, const testing::PlainTraining& plain, const std::vector<Contender>& contenders) {
  const World world(family);
  const auto pooled = trained(world, "pooled", nlohmann::json::object(), plain);
  for (const auto& c : contenders) {
    const auto [mean, error] = gain(world, *pooled, *trained(world, c.name, c.options, c.training));
    std::printf("%s: %.3f +- %.3f nats a row better than pooled\n", c.name.c_str(), mean, error);
    EXPECT_GT(mean, c.at_least) << c.name;
    EXPECT_GT(mean, 4 * error) << c.name;
  }
}

TEST(LearnersBeatPooled, WhereTasksHaveHeadsOfTheirOwn) {
  const testing::PlainTraining plain{300, 0.01};
  expect_gains(Family::kGaussian, plain,
               {{"finetune", nlohmann::json::object(), plain, 0.05},
                {"multitask", nlohmann::json::object(), {300, 0.02}, 0.05},
                {"learned-optimizer", {{"steps", 8}, {"truncation", 4}}, plain, 0.05},
                {"mamo", {{"memories", 2}}, plain, 0.05},
                {"lwa", nlohmann::json::object(), plain, 0.05},
                {"nlba", nlohmann::json::object(), plain, 0.05}});
}

TEST(LearnersBeatPooled, OnClicks) {
  const testing::PlainTraining plain{200, 0.01};
  expect_gains(Family::kBernoulli, plain,
               {{"lwa", nlohmann::json::object(), plain, 0.02}, {"nlba", nlohmann::json::object(), plain, 0.02}});
}

}  // namespace
}  // namespace fewshop::learning
