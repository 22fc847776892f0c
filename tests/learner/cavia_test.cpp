#include "learner/cavia.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "learner/episodic_support.h"

namespace fewshop::learning {
namespace {

using testing::gradient_error;
using testing::problem_of;
using testing::random_batch;
using testing::some_tasks;

const nlohmann::json kSmooth = {{"name", "mlp"}, {"hidden", "4-3"}, {"activation", "tanh"}};
constexpr const char* kPlaces[] = {"concatenated", "multiplicative"};
constexpr Family kFamilies[] = {Family::kGaussian, Family::kScores,  Family::kBernoulli,       Family::kCategorical,
                                Family::kOrdinal,  Family::kPoisson, Family::kNegativeBinomial};

Cavia make(nlohmann::json values, Family family = Family::kGaussian) {
  if (!values.contains("context")) values["context"] = 3;
  CaviaOptions o;
  set_fields(o, values, "learner");
  return Cavia(o, kSmooth, problem_of(family, {}), Random(2));
}

double largest(const Tensor& t) { return t.numel() ? t.abs().max().item<double>() : 0; }

TEST(CaviaTest, OuterGradientsAreThoseOfFiniteDifferences) {
  for (const char* place : kPlaces) {
    for (const char* step_sizes : {"fixed", "tensor", "step", "coordinate"}) {
      const Cavia model = make({{"context_in", place}, {"step_sizes", step_sizes}});
      EXPECT_LT(gradient_error(model, random_batch(Family::kGaussian, {}, Random(1))), 1e-7) << place << step_sizes;
    }
    for (const Family family : kFamilies) {
      const Cavia model = make({{"context_in", place}}, family);
      EXPECT_LT(gradient_error(model, random_batch(family, {}, Random(4))), 1e-7) << place << family_name(family);
    }
  }
}

TEST(CaviaTest, ABatchIsOneTaskAtATimeAndPaddingMeansNothing) {
  for (const Family family : kFamilies)
    for (const char* place : kPlaces) {
      const Cavia model = make({{"context_in", place}}, family);
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
          EXPECT_LT(largest(value - all.parameters.at(name).narrow(0, t, 1)), 1e-10) << family_name(family) << name;
      }
    }
}

TEST(CaviaTest, OnlyTheContextAdapts) {
  for (const char* place : kPlaces) {
    const Cavia model = make({{"context_in", place}, {"context", 50}});
    const Batch batch = random_batch(Family::kGaussian, {}, Random(6));
    at::NoGradGuard no_grad;
    const Adapted adapted = model.adapt(batch.support, batch.task);
    EXPECT_EQ(adapted.at("context").sizes().vec(), (std::vector<int64_t>{3, 50}));
    EXPECT_EQ(model.state_size(), 50);
    EXPECT_GT(largest(adapted.at("context")), 1e-3);
    // Without steps, or without rows, the context stays 0.
    const Cavia still = make({{"context_in", place}, {"context", 50}, {"steps", 0}});
    Rows empty = batch.support;
    empty.mask = at::zeros_like(empty.mask);
    EXPECT_EQ(largest(still.adapt(batch.support, batch.task).at("context")), 0);
    EXPECT_EQ(largest(model.adapt(empty, batch.task).at("context")), 0);
  }
  CaviaOptions o;
  EXPECT_THROW(set_fields(o, {{"context", 51}}, "learner"), InvalidInput);
}

TEST(CaviaTest, ExplanationsAddUp) {
  for (const Family family : kFamilies)
    for (const char* place : kPlaces) {
      const Cavia model = make({{"context_in", place}, {"step_sizes", "coordinate"}}, family);
      const Batch batch = random_batch(family, {}, Random(12));
      at::NoGradGuard no_grad;
      const Adapted adapted = model.adapt(batch.support, batch.task);
      EXPECT_LT(largest(adapted.at("contribution").sum(1) - adapted.at("context")), 1e-12);
      const auto explanation = model.explain(adapted, batch.query);
      const Tensor sum = explanation.prior + explanation.evidence.sum(2);
      const Distribution answer = model.predict(adapted, batch.query);
      if (family == Family::kGaussian) {
        EXPECT_LT(largest(sum - answer.mean()), 1e-12);
      }
      if (family == Family::kPoisson) {
        EXPECT_LT(largest(sum - answer.parameters.at("log_rate")), 1e-12);
      }
      EXPECT_EQ(largest(explanation.evidence.select(0, 1).select(1, 3)), 0) << "a padded row";
      EXPECT_GT(largest(explanation.evidence.select(0, 1).select(1, 2)), 1e-5);
      if (std::string(place) == "multiplicative" && family == Family::kGaussian) {
        Rows empty = batch.support;
        empty.mask = at::zeros_like(empty.mask);
        const Tensor prior = model.predict(model.adapt(empty, batch.task), batch.query).mean();
        EXPECT_LT(largest(explanation.prior - prior), 1e-12);
      }
    }
}

TEST(CaviaTest, WhatCannotBeIsRefused) {
  const auto with = [](const nlohmann::json& values, const nlohmann::json& encoder) {
    CaviaOptions o;
    set_fields(o, values, "learner");
    Cavia(o, encoder, problem_of(Family::kGaussian, {}), Random(1));
  };
  EXPECT_THROW(with({{"context_in", "added"}}, kSmooth), InvalidInput);
  EXPECT_THROW(with({{"context_in", "concatenated"}}, {{"name", "linear"}}), InvalidInput);
  EXPECT_NO_THROW(with({{"context_in", "multiplicative"}}, {{"name", "linear"}}));
}

}  // namespace
}  // namespace fewshop::learning
