#include "learner/maml.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "core/error.h"
#include "learner/episodic_support.h"

namespace fewshop::learning {
namespace {

using testing::EpisodeShape;
using testing::gradient_error;
using ::testing::HasSubstr;
using testing::problem_of;
using testing::random_batch;
using testing::some_tasks;

const nlohmann::json kSmooth = {{"name", "mlp"}, {"hidden", "4-3"}, {"activation", "tanh"}};

MamlOptions options(const nlohmann::json& values) {
  MamlOptions o;
  o.steps = 3;
  set_fields(o, values, "learner");
  return o;
}

Maml make(const nlohmann::json& values, Family family = Family::kGaussian, const EpisodeShape& shape = {},
          const nlohmann::json& encoder = kSmooth) {
  return Maml(options(values), encoder, problem_of(family, shape), Random(2));
}

/// Records the graph of its steps also where dense layers have an inner loop of their own.
class Recorded final : public Maml {
 public:
  using Maml::Maml;

 protected:
  bool is_dense() const override { return false; }
};

Recorded recorded(const nlohmann::json& values, Family family = Family::kGaussian) {
  return Recorded(options(values), kSmooth, problem_of(family, {}), Random(2));
}

double largest(const Tensor& t) { return t.numel() ? t.abs().max().item<double>() : 0; }

/// Parameters away from their starts, so that step sizes and biases differ from one another.
void shake(const EpisodicModel& model, double by = 0.2) {
  at::NoGradGuard no_grad;
  Random random(11);
  for (auto& p : model.parameters()) {
    if (p.name == "inner_steps") continue;
    Tensor flat = p.value.view(-1);
    for (int64_t i = 0; i < flat.numel(); ++i) flat[i] += by * random.normal();
  }
}

constexpr Family kFamilies[] = {Family::kGaussian, Family::kScores,  Family::kBernoulli,       Family::kCategorical,
                                Family::kOrdinal,  Family::kPoisson, Family::kNegativeBinomial};

TEST(MamlTest, OuterGradientsAreThoseOfFiniteDifferencesWhateverAdapts) {
  for (const char* adapts : {"head", "body", "decision", "all"})
    for (const char* step_sizes : {"fixed", "tensor", "step", "coordinate"}) {
      const Recorded slow = recorded({{"adapts", adapts}, {"step_sizes", step_sizes}});
      shake(slow);
      EXPECT_LT(gradient_error(slow, random_batch(Family::kGaussian, {}, Random(1))), 1e-7) << adapts << step_sizes;
      const Maml model = make({{"adapts", adapts}, {"step_sizes", step_sizes}});
      shake(model);
      EXPECT_LT(gradient_error(model, random_batch(Family::kGaussian, {}, Random(1))), 1e-7) << adapts << step_sizes;
    }
}

TEST(MamlTest, OuterGradientsAreThoseOfFiniteDifferencesInEveryFamily) {
  for (const Family family : kFamilies)
    for (const char* adapts : {"head", "decision"}) {
      const Recorded model = recorded({{"adapts", adapts}}, family);
      shake(model);
      EXPECT_LT(gradient_error(model, random_batch(family, {}, Random(4))), 1e-7) << family_name(family) << adapts;
    }
  for (const Family family : kFamilies)
    for (const char* adapts : {"head", "body", "decision", "all"}) {
      const Maml model = make({{"adapts", adapts}}, family);
      shake(model);
      EXPECT_LT(gradient_error(model, random_batch(family, {}, Random(4))), 1e-7) << family_name(family) << adapts;
    }
  const Maml shared = make({{"adapts", "decision"}, {"shared_head_row", true}}, Family::kCategorical);
  shake(shared);
  EXPECT_LT(gradient_error(shared, random_batch(Family::kCategorical, {}, Random(4))), 1e-7);
  const Maml squared = make({{"loss", "squared"}});
  shake(squared);
  const Batch batch = random_batch(Family::kGaussian, {}, Random(4));
  // The noise is fitted beside the squared error, whose value says nothing of it.
  for (const auto& p : squared.parameters()) {
    const Tensor gradient =
        torch::autograd::grad({squared.query_loss(batch, Random(1))}, {p.value}, {}, false, false, true)[0];
    if (p.name == "likelihood.log_noise") {
      EXPECT_GT(largest(gradient), 0.01);
    }
  }
}

TEST(MamlTest, TheInnerLoopOfDenseLayersGivesTheLossAndGradientsOfARecordedGraph) {
  for (const Family family : kFamilies)
    for (const char* adapts : {"head", "body", "decision", "all"})
      for (const char* step_sizes : {"step", "coordinate"})
        for (const int order : {1, 2}) {
          const nlohmann::json values = {{"adapts", adapts}, {"step_sizes", step_sizes}, {"order", order}};
          const Recorded general = recorded(values, family);
          const Maml dense = make(values, family);
          shake(general);
          shake(dense);
          const Batch batch = random_batch(family, {}, Random(4));
          const auto gradients = [&](const Maml& model) {
            std::map<std::string, Tensor> by_name;
            std::vector<Tensor> values_of;
            for (const auto& p : model.parameters()) values_of.push_back(p.value);
            const Tensor loss = model.query_loss(batch, Random(1));
            const auto list = torch::autograd::grad({loss}, values_of, {}, false, false, true);
            for (size_t i = 0; i < list.size(); ++i) by_name[model.parameters()[i].name] = list[i];
            by_name["loss"] = loss.detach();
            return by_name;
          };
          const auto one = gradients(general), other = gradients(dense);
          for (const auto& [name, gradient] : one) {
            if (name == "inner_steps") continue;
            ASSERT_EQ(gradient.defined(), other.at(name).defined()) << name;
            if (gradient.defined()) {
              EXPECT_LT(largest(gradient - other.at(name)), 1e-11)
                  << family_name(family) << " " << adapts << " " << step_sizes << " " << order << " " << name;
            }
          }
        }
}

// theta_{j+1} = theta_j - alpha grad L(theta_j) with constant gradients: d loss / d theta is the query gradient at
// theta_J, and d loss / d alpha_j is minus its product with the j-th inner gradient.
TEST(MamlTest, FirstOrderFollowsItsFormula) {
  const nlohmann::json values = {{"adapts", "all"}, {"step_sizes", "step"}, {"by_size", false}, {"step_size", 0.2}};
  nlohmann::json first = values;
  first["order"] = 1;
  const Maml model = make(first);
  const Batch batch = random_batch(Family::kGaussian, {}, Random(7));
  const std::vector<Parameter> list = model.parameters();
  std::vector<Tensor> parameters;
  for (const auto& p : list) parameters.push_back(p.value);
  const auto gradient = torch::autograd::grad({model.query_loss(batch, Random(1))}, parameters, {}, false, false, true);

  // By hand, one task at a time, through another model of the same weights whose steps are taken by hand.
  const Maml plain = make({{"adapts", "all"}, {"steps", 0}, {"step_sizes", "fixed"}});
  const auto network = [&] {  // tensors of the network
    std::vector<Parameter> tensors;
    for (const auto& p : plain.parameters())
      if (p.name.rfind("network.", 0) == 0) tensors.push_back(p);
    return tensors;
  }();
  std::vector<Tensor> expected(network.size());
  Tensor step_gradient = at::zeros({3, static_cast<int64_t>(network.size())}, at::kDouble);
  const double variance = 1.5;  // of targets: standardised inner loss, starting noise
  for (int64_t t = 0; t < 3; ++t) {
    const Batch one = some_tasks(batch, t, 1);
    std::vector<Tensor> start;
    for (const auto& p : network) start.push_back(p.value.detach().clone());
    std::vector<std::vector<Tensor>> inner;
    const auto squared_error = [&](const Rows& rows) {
      const Tensor mean = plain.predict(plain.adapt(one.support, one.task), rows).mean();
      return ((mean - rows.target).square() * rows.mask * rows.weight).sum() / (rows.mask * rows.weight).sum();
    };
    std::vector<Tensor> values_of;
    for (const auto& p : network) values_of.push_back(p.value);
    for (int step = 0; step < 3; ++step) {
      inner.push_back(torch::autograd::grad({squared_error(one.support) / variance}, values_of));
      at::NoGradGuard no_grad;
      for (size_t i = 0; i < network.size(); ++i) values_of[i].sub_(0.2 * inner.back()[i]);
    }
    const auto outer = torch::autograd::grad({0.5 * squared_error(one.query) / variance / 3}, values_of);
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < network.size(); ++i) {
      values_of[i].copy_(start[i]);
      expected[i] = expected[i].defined() ? expected[i] + outer[i] : outer[i];
      for (int step = 0; step < 3; ++step)  // alpha = 0.2 exp(log_step)
        step_gradient[step][static_cast<int64_t>(i)] -= 0.2 * (outer[i] * inner[step][i]).sum();
    }
  }
  for (size_t i = 0; i < network.size(); ++i) EXPECT_LT(largest(gradient[i] - expected[i]), 1e-12) << network[i].name;
  for (size_t i = 0; i < list.size(); ++i)
    if (list[i].name == "step_size.log") {
      EXPECT_LT(largest(gradient[i].squeeze(2) - step_gradient), 1e-12);
    }
  const Maml second = make(values);
  EXPECT_GT(largest(torch::autograd::grad({second.query_loss(batch, Random(1))}, {second.parameters()[0].value})[0] -
                    gradient[0]),
            1e-4)
      << "second order must differ";
}

TEST(MamlTest, ABatchIsOneTaskAtATimeAndPaddingMeansNothing) {
  for (const Family family : kFamilies)
    for (const char* adapts : {"head", "body", "decision", "all"}) {
      const Maml model = make({{"adapts", adapts}}, family);
      const Batch batch = random_batch(family, {}, Random(5));
      const Distribution all = model.predict(model.adapt(batch.support, batch.task), batch.query);
      for (int64_t t = 0; t < 3; ++t) {
        Batch one = some_tasks(batch, t, 1);
        const auto rows = static_cast<int64_t>(one.support.mask.sum().item<double>());
        for (const auto field : {&Rows::target, &Rows::mask, &Rows::weight, &Rows::offset})
          if ((one.support.*field).defined()) one.support.*field = (one.support.*field).narrow(1, 0, rows);
        one.support.x.numbers = one.support.x.numbers.narrow(1, 0, rows);
        const Distribution single = model.predict(model.adapt(one.support, one.task), one.query);
        for (const auto& [name, value] : single.parameters)
          EXPECT_LT(largest(value - all.parameters.at(name).narrow(0, t, 1)), 1e-10)
              << family_name(family) << " " << adapts << " " << name;
      }
    }
}

Rows with_order(const Rows& rows, const Tensor& order) {
  Rows out = rows;
  out.x.numbers = rows.x.numbers.index_select(1, order);
  for (const auto field : {&Rows::target, &Rows::mask, &Rows::weight, &Rows::offset})
    if ((rows.*field).defined()) out.*field = (rows.*field).index_select(1, order);
  return out;
}

TEST(MamlTest, TheOrderOfSupportRowsMeansNothing) {
  const Tensor order = at::tensor({2, 0, 3, 1}, at::kLong);
  for (const char* adapts : {"head", "decision"}) {
    const Maml model = make({{"adapts", adapts}});
    const Batch batch = random_batch(Family::kGaussian, {}, Random(6));
    const auto mean = [&](const Rows& support) {
      return model.predict(model.adapt(support, batch.task), batch.query).mean();
    };
    EXPECT_LT(largest(mean(batch.support) - mean(with_order(batch.support, order))), 1e-12) << adapts;
  }
}

TEST(MamlTest, PermutingClassesPermutesAnswersWithOneSharedHeadRow) {
  const Tensor to = at::tensor({2, 0, 1}, at::kLong);  // class c is called to[c]
  const Batch batch = random_batch(Family::kCategorical, {}, Random(8));
  Batch renamed = batch;
  renamed.support.target = to.index_select(0, batch.support.target.to(at::kLong).view(-1))
                               .view(batch.support.target.sizes())
                               .to(at::kDouble);
  const auto difference = [&](bool shared, const char* adapts) {
    const Maml model = make({{"shared_head_row", shared}, {"adapts", adapts}}, Family::kCategorical);
    const auto probabilities = [&](const Batch& b) {
      return model.predict(model.adapt(b.support, b.task), b.query).probabilities();
    };
    return largest(probabilities(renamed).index_select(2, to) - probabilities(batch));
  };
  EXPECT_LT(difference(true, "head"), 1e-12);
  EXPECT_LT(difference(true, "decision"), 1e-12);
  EXPECT_GT(difference(false, "head"), 1e-3);
}

TEST(MamlTest, WithoutStepsOrWithoutSupportNothingChanges) {
  for (const char* adapts : {"head", "body", "decision", "all"}) {
    const Maml still = make({{"adapts", adapts}, {"steps", 0}}), moving = make({{"adapts", adapts}});
    const Batch batch = random_batch(Family::kGaussian, {}, Random(9));
    const auto mean = [&](const Maml& model, const Rows& support) {
      return model.predict(model.adapt(support, batch.task), batch.query).mean();
    };
    Rows empty = batch.support;
    empty.mask = at::zeros_like(empty.mask);
    Rows none = some_tasks(batch, 0, 3).support;
    none.x.numbers = none.x.numbers.narrow(1, 0, 0);
    for (const auto field : {&Rows::target, &Rows::mask, &Rows::weight, &Rows::offset})
      none.*field = (none.*field).narrow(1, 0, 0);
    const Tensor start = mean(still, batch.support);
    EXPECT_EQ(largest(start - mean(moving, empty)), 0) << adapts;
    EXPECT_EQ(largest(start - mean(moving, none)), 0) << adapts;
    EXPECT_GT(largest(start - mean(moving, batch.support)), 1e-3) << adapts;
  }
}

TEST(MamlTest, AdaptedStatesAreTheSameWithoutAGraph) {
  for (const Family family : kFamilies)
    for (const char* adapts : {"head", "body", "decision", "all"})
      for (const char* step_sizes : {"fixed", "step", "coordinate"}) {
        const Maml model = make({{"adapts", adapts}, {"step_sizes", step_sizes}}, family);
        shake(model);
        const Batch batch = random_batch(family, {}, Random(9));
        const Adapted with = model.adapt(batch.support, batch.task);
        at::NoGradGuard no_grad;
        const Adapted without = model.adapt(batch.support, batch.task);
        ASSERT_EQ(with.size(), without.size());
        for (const auto& [name, value] : without) {
          EXPECT_FALSE(value.requires_grad()) << name;
          EXPECT_LT(largest(with.at(name) - value), 1e-12) << name << " " << adapts << " " << step_sizes;
        }
      }
}

TEST(MamlTest, ExplanationsAddUp) {
  for (const Family family : kFamilies)
    for (const char* adapts : {"head", "body", "decision", "all"})
      for (const char* step_sizes : {"step", "coordinate"}) {
        const Maml model = make({{"adapts", adapts}, {"step_sizes", step_sizes}}, family);
        shake(model);
        const Batch batch = random_batch(family, {}, Random(12));
        at::NoGradGuard no_grad;
        const Adapted adapted = model.adapt(batch.support, batch.task);
        const auto explanation = model.explain(adapted, batch.query);
        const Distribution answer = model.predict(adapted, batch.query);
        const Tensor sum = explanation.prior + explanation.evidence.sum(2);
        if (family == Family::kGaussian) {
          EXPECT_LT(largest(sum - answer.mean()), 1e-10) << adapts;
        }
        if (family == Family::kBernoulli) {
          EXPECT_LT(largest(sum - answer.parameters.at("logit")), 1e-10) << adapts;
        }
        EXPECT_EQ(largest(explanation.evidence.select(0, 1).select(1, 3)), 0) << "a padded row";
        EXPECT_GT(largest(explanation.evidence.select(0, 1).select(1, 2)), 1e-4);
        if (std::string(adapts) != "head") continue;
        // The prior of a head is what it says without support.
        Rows empty = batch.support;
        empty.mask = at::zeros_like(empty.mask);
        const auto before = model.explain(model.adapt(empty, batch.task), batch.query);
        if (family != Family::kCategorical) {  // there another class may be the most likely one
          EXPECT_LT(largest(before.prior - explanation.prior), 1e-10) << family_name(family);
        }
      }
}

TEST(MamlTest, TheEvidenceOfAHeadIsLinearInTheResidualsOfNumbers) {
  const Maml model = make(nlohmann::json::object());
  const Batch batch = random_batch(Family::kGaussian, {}, Random(13));
  const auto evidence = [&](const Batch& b) { return model.explain(model.adapt(b.support, b.task), b.query).evidence; };
  Batch moved = batch;
  moved.support.target = batch.support.target.clone();
  moved.support.target.select(1, 0) += 1;
  const Tensor change = evidence(moved) - evidence(batch);
  EXPECT_GT(largest(change.select(2, 0)), 1e-3);
  EXPECT_LT(largest(change.narrow(2, 1, 3)), 1e-12) << "rows whose target stayed";
}

TEST(MamlTest, StepSizesMayDependOnTheNumberOfSupportRows) {
  EpisodeShape shape;
  shape.support = 12;
  const Maml model = make({{"by_size", true}, {"steps", 1}}, Family::kGaussian, shape);
  Tensor log;
  for (const auto& p : model.parameters())
    if (p.name == "step_size.log") log = p.value.detach();
  ASSERT_EQ(log.sizes().vec(), (std::vector<int64_t>{1, 2, 6}));
  log.select(2, 1).fill_(std::log(3.0));  // at 3 rows
  const Batch batch = random_batch(Family::kGaussian, shape, Random(3));
  const auto change_at = [&](int64_t rows) {
    Rows support = batch.support;
    support.mask = at::zeros_like(support.mask);
    support.mask.narrow(1, 0, rows).fill_(1);
    const Adapted adapted = model.adapt(support, batch.task);
    at::NoGradGuard no_grad;
    log.zero_();
    const Adapted plain = model.adapt(support, batch.task);
    log.select(2, 1).fill_(std::log(3.0));
    const Tensor start = model.adapt(batch.support, batch.task).at("fast.1") * 0 + model.parameters()[5].value;
    return ((adapted.at("fast.1") - start) / (plain.at("fast.1") - start)).mean().item<double>();
  };
  EXPECT_NEAR(change_at(1), 1, 1e-9);
  EXPECT_NEAR(change_at(3), 3, 1e-9);
  EXPECT_NEAR(change_at(10), 1, 1e-9);
  // Half way between 3 and 10 on the logarithm's scale would be 5.48; at 5: 1 - log(5 / 3) / log(10 / 3) = 0.5757.
  EXPECT_NEAR(change_at(5), std::pow(3, 0.57572), 1e-4);
}

TEST(MamlTest, TheNumberOfStepsCanBeChosenAfterTraining) {
  Maml model = make({{"choose_steps", true}});
  EXPECT_EQ(nlohmann::json(model.candidates()).dump(), R"([{"steps":3},{"steps":2},{"steps":1}])");
  EXPECT_TRUE(make(nlohmann::json::object()).candidates().empty());
  const Batch batch = random_batch(Family::kGaussian, {}, Random(9));
  model.choose({{"steps", 1}});
  EXPECT_EQ(model.steps(), 1);
  const Tensor one = model.predict(model.adapt(batch.support, batch.task), batch.query).mean();
  const Maml short_one = make({{"steps", 1}});
  EXPECT_EQ(largest(one - short_one.predict(short_one.adapt(batch.support, batch.task), batch.query).mean()), 0);
  bool saved = false;
  for (const auto& p : model.parameters()) saved |= p.name == "inner_steps" && p.value.item<double>() == 1;
  EXPECT_TRUE(saved);
}

TEST(MamlTest, ParametersWithTheSameValuesAnswerAlike) {
  EpisodeShape shape;
  shape.type = at::kFloat;
  const Maml one(options(nlohmann::json::object()), kSmooth, problem_of(Family::kGaussian, shape), Random(1));
  const Maml other(options(nlohmann::json::object()), kSmooth, problem_of(Family::kGaussian, shape), Random(2));
  const Batch batch = random_batch(Family::kGaussian, shape, Random(3));
  const auto mean = [&](const Maml& model) {
    return model.predict(model.adapt(batch.support, batch.task), batch.query).mean();
  };
  EXPECT_GT(largest(mean(one) - mean(other)), 1e-3);
  const auto from = one.parameters(), to = other.parameters();
  for (size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(from[i].name, to[i].name);
    at::NoGradGuard no_grad;
    Tensor(to[i].value).copy_(from[i].value);
  }
  EXPECT_EQ(largest(mean(one) - mean(other)), 0);
}

TEST(MamlTest, WrongOptionsAreRefusedWithTheirName) {
  const auto refused = [](const nlohmann::json& values, Family family, const char* said) {
    try {
      make(values, family);
    } catch (const InvalidInput& e) {
      EXPECT_THAT(e.what(), HasSubstr(said));
      return;
    }
    ADD_FAILURE() << values.dump();
  };
  refused({{"adapts", "tail"}}, Family::kGaussian, "learner.adapts");
  refused({{"step_sizes", "huge"}}, Family::kGaussian, "learner.step_sizes");
  refused({{"order", 3}}, Family::kGaussian, "learner.order");
  refused({{"loss", "hinge"}}, Family::kGaussian, "learner.loss");
  refused({{"loss", "squared"}}, Family::kPoisson, "learner.loss");
  refused({{"shared_head_row", true}}, Family::kGaussian, "learner.shared_head_row");
  refused({{"shared_head_row", true}, {"adapts", "body"}}, Family::kCategorical, "learner.shared_head_row");
}

}  // namespace
}  // namespace fewshop::learning
