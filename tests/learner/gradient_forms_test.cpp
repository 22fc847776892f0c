// The form of maml's head and of cavia that answers at serving time is the torch form.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bundle/tensor_file.h"
#include "learner/episodic_support.h"
#include "runtime/predictive.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

struct Case {
  std::string name;
  json options, encoder;
};

const json kDense = {{"name", "mlp"}, {"hidden", "6-5"}},
           kSmooth = {{"name", "mlp"}, {"hidden", "6-5"}, {"activation", "tanh"}};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const char* step_sizes : {"fixed", "step", "coordinate"}) {
    list.push_back({"maml", {{"adapts", "head"}, {"step_sizes", step_sizes}, {"steps", 3}}, kDense});
    list.push_back({"cavia", {{"context", 4}, {"step_sizes", step_sizes}}, kDense});
    list.push_back({"cavia", {{"context", 4}, {"step_sizes", step_sizes}, {"context_in", "multiplicative"}}, kSmooth});
  }
  list.push_back({"cavia", {{"context", 4}}, kSmooth});
  return list;
}

std::vector<float> numbers(const Tensor& t) {
  const Tensor f = t.to(at::kFloat).contiguous();
  return {f.data_ptr<float>(), f.data_ptr<float>() + f.numel()};
}

/// The numbers of a prediction, in the order of a Distribution's parameters: [n].
std::vector<double> values(const Predictive& p) {
  switch (p.family) {
    case Family::kGaussian:
      return {p.mean, p.variance};
    case Family::kScores:
    case Family::kBernoulli:
    case Family::kPoisson:
      return {p.mean};
    case Family::kNegativeBinomial:
      return {p.mean, p.size};
    default:
      return p.probability;
  }
}

std::vector<double> values(const Distribution& d, int64_t t, int64_t q) {
  const auto at = [&](const Tensor& x) { return x[t][q].item<double>(); };
  std::vector<double> list;
  if (d.family == Family::kCategorical || d.family == Family::kOrdinal) {
    const Tensor p = d.probabilities();
    for (int64_t c = 0; c < p.size(2); ++c) list.push_back(p[t][q][c].item<double>());
    return list;
  }
  list.push_back(at(d.mean()));
  if (d.family == Family::kGaussian) list.push_back(at(d.variance()));
  if (d.family == Family::kNegativeBinomial) list.push_back(at(d.parameters.at("log_dispersion").exp()));
  return list;
}

TEST(GradientFormsTest, TheRuntimeFormIsTheTorchForm) {
  for (const Family family : {Family::kGaussian, Family::kScores, Family::kBernoulli, Family::kCategorical,
                              Family::kOrdinal, Family::kPoisson, Family::kNegativeBinomial})
    for (const Case& c : cases()) {
      testing::EpisodeShape shape;
      shape.support = 7;
      const auto model = make_episodic(c.name, c.options, c.encoder, testing::problem_of(family, shape), Random(2));
      {
        at::NoGradGuard no_grad;  // away from the starts, and what a float can hold
        Random random(11);
        for (auto& p : model->parameters()) {
          Tensor flat = p.value.view(-1);
          if (p.name != "inner_steps")
            for (int64_t i = 0; i < flat.numel(); ++i) flat[i] += 0.1 * random.normal();
          p.value.copy_(p.value.to(at::kFloat).to(at::kDouble));
        }
      }
      const auto& form = dynamic_cast<const HasTaskHead&>(*model);
      TensorFile file;
      form.task_head()->save(file, "head.");
      const auto head = load_task_head(TensorFile::parse(file.serialize(), "test"), "head.");
      const auto p = form.encoder_parameters();
      const auto encode = [&](const Rows& rows) {
        at::NoGradGuard no_grad;
        return form.encoder().features(p, form.encoder().embed(p, rows.x));
      };
      const Batch batch = testing::random_batch(family, shape, Random(3));
      const Tensor support = encode(batch.support), query = encode(batch.query);
      at::NoGradGuard no_grad;
      const Adapted adapted = model->adapt(batch.support, batch.task);
      const Distribution expected = model->predict(adapted, batch.query);
      const auto explained = dynamic_cast<const Explains&>(*model).explain(adapted, batch.query);
      const auto workspace = head->workspace();
      for (int64_t t = 0; t < shape.tasks; ++t) {
        const auto rows = static_cast<int64_t>(batch.support.mask[t].sum().item<double>());
        const auto used = [&](const Tensor& x) { return numbers(x[t].narrow(0, 0, rows)); };
        const std::vector<float> x = used(support), target = used(batch.support.target),
                                 weight = used(batch.support.weight),
                                 offset =
                                     batch.support.offset.defined() ? used(batch.support.offset) : std::vector<float>();
        head->adapt({x, target, weight, offset}, {}, *workspace);
        for (int64_t q = 0; q < shape.query; ++q) {
          const std::vector<float> of_query = numbers(query[t][q]);
          const float here = batch.query.offset.defined() ? batch.query.offset[t][q].item<float>() : 0;
          Predictive out;
          head->predict(*workspace, of_query, here, out);
          const auto got = values(out), wanted = values(expected, t, q);
          ASSERT_EQ(got.size(), wanted.size());
          for (size_t i = 0; i < got.size(); ++i)
            EXPECT_NEAR(got[i], wanted[i], 1e-5 * (1 + std::abs(wanted[i])))
                << family_name(family) << " " << c.name << " " << c.options.dump();
          std::vector<double> contribution(rows);
          const int output = static_cast<int>(std::max_element(wanted.begin(), wanted.end()) - wanted.begin());
          const double prior =
              head->explain(*workspace, of_query, here, family == Family::kCategorical ? output : 0, contribution);
          EXPECT_NEAR(prior, explained.prior[t][q].item<double>(), 2e-5 * (1 + std::abs(prior))) << c.options.dump();
          for (int64_t s = 0; s < rows; ++s)
            EXPECT_NEAR(contribution[s], explained.evidence[t][q][s].item<double>(), 2e-5 * (1 + std::abs(prior)))
                << family_name(family) << " " << c.name << " " << c.options.dump();
        }
      }
    }
}

}  // namespace
}  // namespace fewshop::learning
