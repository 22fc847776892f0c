#include "runtime/row_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/model.h"
#include "runtime/small_row_model.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::small_row_model;
using testing::TempDir;

std::vector<Example> support_of(const std::vector<float>& targets) {
  std::vector<Example> support;
  for (size_t i = 0; i < targets.size(); ++i) support.push_back({{}, targets[i], 1, 0, static_cast<int32_t>(i), 0});
  return support;
}

TEST(RowMixTest, WeightsFollowTheSupportAndAddUpToOne) {
  RowMix mix;
  mix.members = {0, 1};
  mix.coefficient = {0, 0, 0, 0, 4, 0};  // the second gains 4 k / (k + 3)
  std::vector<double> w(2);
  mix.weights(0, w);
  EXPECT_THAT(w, ElementsAre(0.5, 0.5));
  mix.weights(3, w);
  EXPECT_NEAR(w[1] / w[0], std::exp(2.0), 1e-9);
  EXPECT_NEAR(w[0] + w[1], 1, 1e-12);
}

TEST(RowModelTest, TheGateServesABaselineBelowItsSizeAndTheMixAbove) {
  const RowModel model(small_row_model());
  const auto session = model.session();
  Predictive served, other;
  const auto one = support_of({1});
  model.adapt({one, {}}, *session);
  EXPECT_EQ(model.served_name(*session), "majority");
  model.predict(*session, RowModel::kServed, {}, served);
  EXPECT_EQ(served.mean, 0.25);
  const auto two = support_of({1, 1});
  model.adapt({two, {}}, *session);
  EXPECT_EQ(model.served_name(*session), "adapted");
  model.predict(*session, RowModel::kServed, {}, served);
  // slow (8 x 0.25 + 2) / 10, fast (0.25 + 2) / 3, in equal parts
  EXPECT_NEAR(served.mean, (0.4 + 0.75) / 2, 1e-12);
  model.predict(*session, RowModel::kFirstMember + 1, {}, other);
  EXPECT_NEAR(other.mean, 0.4, 1e-12);
}

TEST(RowModelTest, GroupsCountOnce) {
  const RowModel model(small_row_model());
  const auto session = model.session();
  auto support = support_of({1, 1});
  support[1].group = 0;
  model.adapt({support, {}}, *session);
  EXPECT_EQ(session->support, 1);
  EXPECT_FALSE(model.served_adapted(*session));
}

TEST(RowModelTest, ExplanationsOfTheMixAddUp) {
  for (const Problem problem :
       {Problem::kBinary, Problem::kMulticlass, Problem::kOrdinal, Problem::kRegression, Problem::kCount}) {
    const RowModel model(small_row_model(problem));
    const auto session = model.session();
    const float top = problem == Problem::kBinary ? 1 : 2;
    for (const auto& support : {support_of({}), support_of({0, top}), support_of({0, 0, top, 1, 1})}) {
      model.adapt({support, {}}, *session);
      for (int method = 0; method < model.methods(); ++method) {
        Predictive p;
        model.predict(*session, method, {}, p);
        std::vector<double> contribution(support.size());
        double sum = model.explain(*session, method, {}, 1, contribution);
        for (const double c : contribution) sum += c;
        EXPECT_NEAR(sum, link(p.family, level(p, 1)), 1e-9) << method;
      }
    }
  }
}

TEST(RowModelTest, SavedAndLoadedItAnswersAlike) {
  const TempDir folder;
  const RowModel model(small_row_model(Problem::kOrdinal));
  model.save(folder / "model", {{"scenario", "small-rows"}}, {});
  const auto back = RowModel::load(folder / "model");
  EXPECT_THAT(back->classes(), ElementsAre("low", "middle", "high"));
  const auto support = support_of({2, 2, 1});
  Predictive a, b;
  for (auto [one, out] : {std::pair<const RowModel*, Predictive*>{&model, &a}, {back.get(), &b}}) {
    const auto session = one->session();
    one->adapt({support, {}}, *session);
    one->predict(*session, RowModel::kServed, {}, *out);
  }
  EXPECT_EQ(a.probability, b.probability);
  EXPECT_EQ(bundle_problem(read_bundle(folder / "model"), "model"), Problem::kOrdinal);
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(RowModelTest, IsNoModelOfItems) {
  const TempDir folder;
  RowModel(small_row_model()).save(folder / "model", nullptr, {});
  EXPECT_THAT(refusal([&] { Model::load(folder / "model"); }), HasSubstr("a binary model predicts rows"));
}

/// A member that only a library of training could read.
class Strange final : public RowMember {
 public:
  std::string_view name() const override { return "strange"; }
  std::unique_ptr<Workspace> workspace() const override { return std::make_unique<Workspace>(); }
  void adapt(const RowTask&, Workspace&) const override {}
  void predict(const Workspace&, const RowInput&, Predictive& out) const override { out = Predictive::bernoulli(0.5); }
  double explain(const Workspace&, const RowInput&, int32_t, std::span<double>) const override { return 0; }
  void save(TensorFile& file) const override { file.put_text("kind", "strange"); }
};

TEST(RowModelTest, MembersWithoutARuntimeFormAreLeftOutWhereNoAnswerNeedsThem) {
  const TempDir folder;
  auto parts = small_row_model();
  parts.names.push_back("strange");
  parts.members.push_back(std::make_unique<Strange>());
  parts.baselines.push_back("strange");
  RowModel(std::move(parts)).save(folder / "model", nullptr, {});
  const auto model = RowModel::load(folder / "model");
  EXPECT_FALSE(model->has_member(RowModel::kFirstMember + 3));
  EXPECT_THAT(model->baseline_methods(), ElementsAre(2, 3));
  const auto known = [](const TensorFile&) { return std::make_unique<Strange>(); };
  EXPECT_TRUE(RowModel::load(folder / "model", known)->has_member(RowModel::kFirstMember + 3));
}

TEST(RowModelTest, AMemberWithoutARuntimeFormThatIsServedIsRefusedByName) {
  const TempDir folder;
  auto parts = small_row_model();
  parts.names[2] = parts.learner = "strange";
  parts.members[2] = std::make_unique<Strange>();
  RowModel(std::move(parts)).save(folder / "model", nullptr, {});
  EXPECT_THAT(refusal([&] { RowModel::load(folder / "model"); }),
              HasSubstr("'strange' answers only with the library that trains"));
}

TEST(RowModelTest, RefusesPartsThatDoNotFit) {
  const auto refused = [](const std::function<void(RowModel::Parts&)>& spoil) {
    auto parts = small_row_model();
    spoil(parts);
    return refusal([&] { RowModel model(std::move(parts)); });
  };
  EXPECT_THAT(refused([](auto& p) { p.mix.members[0] = 9; }), HasSubstr("the mix names member 9"));
  EXPECT_THAT(refused([](auto& p) { p.gate.baseline[0] = -1; }), HasSubstr("the gate names member -1"));
  EXPECT_THAT(refused([](auto& p) { p.learner = "nobody"; }), HasSubstr("no member is called nobody"));
  EXPECT_THAT(refused([](auto& p) { p.scenario.problem = Problem::kRating; }), HasSubstr("is no problem of rows"));
  EXPECT_THAT(refused([](auto& p) { p.scenario.problem = Problem::kOrdinal; }), HasSubstr("no classes"));
}

}  // namespace
}  // namespace fewshop
