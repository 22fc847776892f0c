#include "runtime/row_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "core/random.h"
#include "runtime/linear_member.h"
#include "runtime/mean_member.h"
#include "runtime/tree_member.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kWidth = 3, kVocabulary = 4, kItems = 5;

/// Rows with three numbers and a bag of words, sometimes of an item; owns what they point into.
class Rows {
 public:
  explicit Rows(uint64_t seed) : random_(seed) {}

  RowInput input() {
    auto& own = *rows_.emplace_back(std::make_unique<One>());
    for (int i = 0; i < kWidth; ++i) own.dense.push_back(static_cast<float>(random_.normal()));
    for (int i = 0; i < kVocabulary; ++i)
      if (random_.uniform() < 0.4) own.ids.push_back(i);
    own.views = {{own.dense, {}}, {{}, own.ids}};
    return {own.views, static_cast<int32_t>(random_.below(kItems + 1)) - 1};
  }

  std::vector<Example> support(int rows, int targets) {
    std::vector<Example> support;
    for (int r = 0; r < rows; ++r)
      support.push_back({input(), static_cast<float>(random_.below(targets)),
                         random_.uniform() < 0.5 ? 1.0F : static_cast<float>(2 * random_.uniform()), 0, r, 0});
    return support;
  }

  std::vector<ColumnView> description() {
    dense_ = {static_cast<float>(random_.normal()), 0.5F};
    return {{dense_, {}}};
  }

  Random& random() { return random_; }

 private:
  struct One {
    std::vector<float> dense;
    std::vector<int32_t> ids;
    std::vector<ColumnView> views;
  };
  Random random_;
  std::vector<std::unique_ptr<One>> rows_;
  std::vector<float> dense_;
};

RowInputs inputs() { return {{{kWidth, 0, 0}, {0, kVocabulary, 0}}, kItems, {{2, 0, 0}}}; }

LinearMember::Parts linear(Family family, bool adapts, uint64_t seed = 5) {
  Random random(seed);
  LinearMember::Parts parts;
  parts.name = adapts ? "task-linear" : "pooled-linear";
  parts.inputs = inputs();
  parts.outputs = family == Family::kCategorical ? 3 : 1;
  parts.glm.family = family == Family::kCategorical ? Family::kGaussian : family;
  for (int64_t i = 0; i < parts.inputs.size() * parts.outputs; ++i)
    parts.weights.push_back(static_cast<float>(0.3 * random.normal()));
  for (int c = 0; c < parts.outputs; ++c) parts.intercept.push_back(static_cast<float>(0.2 * random.normal()));
  parts.glm.variance = 0.8;
  parts.glm.size = 3;
  if (family == Family::kOrdinal) parts.glm.threshold = {-0.7, 0.9};
  if (family == Family::kGaussian) {
    parts.centre = 4;
    parts.scale = 2;
  }
  parts.adapts = adapts;
  parts.ridge = 2;
  parts.intercept_ridge = 1.5;
  parts.mean_kernel = 1.2;
  return parts;
}

std::vector<std::unique_ptr<RowMember>> all_members() {
  std::vector<std::unique_ptr<RowMember>> members;
  for (const Family family : {Family::kGaussian, Family::kBernoulli, Family::kCategorical, Family::kOrdinal,
                              Family::kPoisson, Family::kNegativeBinomial})
    for (const bool adapts : {false, true}) members.push_back(std::make_unique<LinearMember>(linear(family, adapts)));
  for (const Family family :
       {Family::kGaussian, Family::kBernoulli, Family::kCategorical, Family::kOrdinal, Family::kNegativeBinomial}) {
    MeanMember::Parts parts;
    parts.name = "task-mean";
    parts.family = family;
    const bool classes = family == Family::kCategorical || family == Family::kOrdinal;
    parts.mean = classes ? std::vector<float>{0.5F, 0.3F, 0.2F} : std::vector<float>{0.4F};
    parts.size = 3;
    parts.adapts = true;
    parts.strength = 4;
    members.push_back(std::make_unique<MeanMember>(std::move(parts)));
  }
  return members;
}

int targets_of(const RowMember& member) {
  Rows rows(1);
  const auto workspace = member.workspace();
  member.adapt({}, *workspace);
  Predictive p;
  member.predict(*workspace, rows.input(), p);
  return p.family == Family::kBernoulli ? 2 : 3;
}

TEST(RowMembersTest, ExplanationsAddUpToTheLink) {
  for (const auto& member : all_members()) {
    Rows rows(7);
    const int targets = targets_of(*member);
    const auto workspace = member->workspace();
    for (const int size : {0, 1, 6, 25}) {
      const auto support = rows.support(size, targets);
      const auto description = rows.description();
      member->adapt({support, description}, *workspace);
      for (int q = 0; q < 4; ++q) {
        const RowInput row = rows.input();
        Predictive p;
        member->predict(*workspace, row, p);
        std::vector<double> contribution(support.size());
        const int label = q % targets;
        double sum = member->explain(*workspace, row, label, contribution), magnitude = std::abs(sum);
        for (const double c : contribution) {
          sum += c;
          magnitude += std::abs(c);
        }
        EXPECT_NEAR(sum, link(p.family, level(p, label)), 1e-6 * (1 + magnitude)) << member->name();
      }
    }
  }
}

TEST(RowMembersTest, SavedAndLoadedTheyAnswerAlike) {
  for (const auto& member : all_members()) {
    TensorFile file;
    member->save(file);
    const auto back = load_row_member(TensorFile::parse(file.serialize(), "test"));
    ASSERT_NE(back, nullptr);
    EXPECT_EQ(back->name(), member->name());
    Rows rows(9);
    const auto support = rows.support(8, targets_of(*member));
    const auto description = rows.description();
    const RowInput row = rows.input();
    Predictive a, b;
    for (auto [one, out] : {std::pair{member.get(), &a}, {back.get(), &b}}) {
      const auto workspace = one->workspace();
      one->adapt({support, description}, *workspace);
      one->predict(*workspace, row, *out);
    }
    EXPECT_EQ(a.family, b.family);
    EXPECT_EQ(a.mean, b.mean);
    EXPECT_EQ(a.variance, b.variance);
    EXPECT_EQ(a.size, b.size);
    EXPECT_EQ(a.probability, b.probability);
    TensorFile again;
    back->save(again);
    EXPECT_EQ(again.serialize(), file.serialize());
  }
}

TEST(RowMembersTest, AKindThatNobodyKnowsIsNone) {
  TensorFile file;
  file.put_text("kind", "crystal-ball");
  EXPECT_EQ(load_row_member(file), nullptr);
}

TEST(RowMembersTest, AWorkspaceForgetsTheTaskBefore) {
  for (const auto& member : all_members()) {
    Rows rows(21);
    const auto first = rows.support(12, targets_of(*member)), second = rows.support(3, targets_of(*member));
    const auto description = rows.description();
    const RowInput row = rows.input();
    const auto used = member->workspace(), fresh = member->workspace();
    Predictive a, b;
    member->adapt({first, description}, *used);
    member->predict(*used, row, a);
    member->adapt({second, description}, *used);
    member->predict(*used, row, a);
    member->adapt({second, description}, *fresh);
    member->predict(*fresh, row, b);
    EXPECT_EQ(a.mean, b.mean) << member->name();
    EXPECT_EQ(a.probability, b.probability) << member->name();
  }
}

/// The gaussian member against Bayes' rule written out in weights: w ~ N(0, noise diag(1 / ridge)).
TEST(LinearMemberTest, GaussianPosteriorIsBayesRule) {
  const LinearMember::Parts parts = linear(Family::kGaussian, true);
  const LinearMember member(parts);
  Rows rows(11);
  const auto support = rows.support(9, 5);
  const auto description = rows.description();
  const RowInput row = rows.input();
  const double noise = parts.glm.variance / (1 + parts.mean_kernel);
  const auto own = static_cast<Eigen::Index>(parts.inputs.own_size());
  SparseRow sparse;
  const auto z = [&](const RowInput& input) {
    Eigen::VectorXd dense = Eigen::VectorXd::Zero(own + 1);
    parts.inputs.flatten(input, {}, sparse);
    for (size_t i = 0; i < sparse.size(); ++i) dense[sparse.index[i]] = sparse.value[i];
    dense[own] = 1;
    return dense;
  };
  const auto pooled = [&](const RowInput& input) {
    parts.inputs.flatten(input, description, sparse);
    double eta = parts.intercept[0];
    for (size_t i = 0; i < sparse.size(); ++i)
      eta += static_cast<double>(sparse.value[i]) * parts.weights[sparse.index[i]];
    return eta;
  };
  Eigen::MatrixXd precision = Eigen::MatrixXd::Identity(own + 1, own + 1) * (parts.ridge / noise);
  precision(own, own) = parts.intercept_ridge / noise;
  Eigen::VectorXd right = Eigen::VectorXd::Zero(own + 1);
  for (const Example& e : support) {
    const Eigen::VectorXd x = z(e.input);
    precision += (e.weight / noise) * x * x.transpose();
    right += (e.weight / noise) * ((e.target - parts.centre) / parts.scale - pooled(e.input)) * x;
  }
  const Eigen::VectorXd w = precision.ldlt().solve(right), q = z(row);
  const auto workspace = member.workspace();
  member.adapt({support, description}, *workspace);
  Predictive p;
  member.predict(*workspace, row, p);
  EXPECT_NEAR(p.mean, parts.centre + parts.scale * (pooled(row) + w.dot(q)), 1e-5);
  EXPECT_NEAR(p.variance, parts.scale * parts.scale * (noise + q.dot(precision.ldlt().solve(q))), 1e-5);
}

/// The mode of the others has no slope: minus the penalty's slope is the likelihood's.
TEST(LinearMemberTest, OtherFamiliesStandAtTheMode) {
  for (const Family family : {Family::kBernoulli, Family::kOrdinal, Family::kPoisson, Family::kNegativeBinomial}) {
    const LinearMember member(linear(family, true));
    Rows rows(13);
    auto support = rows.support(10, family == Family::kBernoulli ? 2 : 3);
    const auto workspace = member.workspace();
    member.adapt({support, {}}, *workspace);
    // A row of weight 0 has no part in the mode, and a row twice is a row of twice the weight.
    auto doubled = support;
    doubled.insert(doubled.end(), support.begin(), support.end());
    for (Example& e : doubled) e.weight /= 2;
    auto more = rows.support(1, 2);
    more[0].weight = 0;
    doubled.push_back(more[0]);
    const auto other = member.workspace();
    member.adapt({doubled, {}}, *other);
    const RowInput row = rows.input();
    Predictive a, b;
    member.predict(*workspace, row, a);
    member.predict(*other, row, b);
    EXPECT_NEAR(mean(a), mean(b), 1e-7) << family_name(family);
    EXPECT_NEAR(variance(a), variance(b), 1e-7) << family_name(family);
  }
}

TEST(LinearMemberTest, ClassesOfASoftmaxArePermutedWithTheirNames) {
  LinearMember::Parts parts = linear(Family::kCategorical, true), turned = parts;
  for (size_t i = 0; i < parts.weights.size(); ++i)
    turned.weights[i / 3 * 3 + (i + 1) % 3] = parts.weights[i / 3 * 3 + i % 3];
  for (size_t c = 0; c < 3; ++c) turned.intercept[(c + 1) % 3] = parts.intercept[c];
  Rows rows(15);
  auto support = rows.support(12, 3);
  const RowInput row = rows.input();
  const LinearMember member(parts), other(turned);
  Predictive a, b;
  const auto workspace = member.workspace(), workspace_of_other = other.workspace();
  member.adapt({support, {}}, *workspace);
  member.predict(*workspace, row, a);
  for (Example& e : support) e.target = static_cast<float>((static_cast<int>(e.target) + 1) % 3);
  other.adapt({support, {}}, *workspace_of_other);
  other.predict(*workspace_of_other, row, b);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(a.probability[c], b.probability[(c + 1) % 3], 1e-6);
}

TEST(LinearMemberTest, WithoutSupportATaskIsThePooledModel) {
  for (const Family family : {Family::kBernoulli, Family::kPoisson, Family::kCategorical, Family::kGaussian}) {
    const LinearMember pooled(linear(family, false)), task(linear(family, true));
    Rows rows(17);
    const auto description = rows.description();
    const RowInput row = rows.input();
    Predictive a, b;
    for (auto [member, out] : {std::pair{&pooled, &a}, {&task, &b}}) {
      const auto workspace = member->workspace();
      member->adapt({{}, description}, *workspace);
      member->predict(*workspace, row, *out);
    }
    EXPECT_NEAR(a.mean, b.mean, 1e-9) << family_name(family);
    for (size_t c = 0; c < a.probability.size(); ++c) EXPECT_NEAR(a.probability[c], b.probability[c], 1e-12);
  }
}

TEST(LinearMemberTest, DamagedFilesAreRefused) {
  TensorFile file;
  LinearMember(linear(Family::kBernoulli, true)).save(file);
  file.put("weights", std::vector<float>{1, 2});
  EXPECT_THROW(load_row_member(file), InvalidInput);
}

TEST(MeanMemberTest, SharesAreThoseOfTheSupportShrunkToThePrior) {
  MeanMember::Parts parts;
  parts.name = "task-mean";
  parts.family = Family::kCategorical;
  parts.mean = {0.5F, 0.25F, 0.25F};
  parts.adapts = true;
  parts.strength = 4;
  const MeanMember member(parts);
  const auto workspace = member.workspace();
  const std::vector<Example> support{{{}, 1, 1, 0, 0, 0}, {{}, 1, 2, 0, 1, 0}, {{}, 2, 1, 0, 2, 0}};
  member.adapt({support, {}}, *workspace);
  Predictive p;
  member.predict(*workspace, {}, p);
  // (4 x 0.5 + 0) / 8, (4 x 0.25 + 3) / 8, (4 x 0.25 + 1) / 8
  EXPECT_THAT(p.probability, ElementsAre(0.25, 0.5, 0.25));
}

TEST(MeanMemberTest, ItemsThatTrainingKnowsHaveAPriorOfTheirOwn) {
  MeanMember::Parts parts;
  parts.name = "item-mean";
  parts.mean = {0.5F};
  parts.item_mean = {0.25F, 0.75F};
  const MeanMember member(parts);
  const auto workspace = member.workspace();
  member.adapt({}, *workspace);
  Predictive p;
  for (const auto& [item, expected] : {std::pair{0, 0.25}, {1, 0.75}, {-1, 0.5}, {7, 0.5}}) {
    member.predict(*workspace, {{}, item}, p);
    EXPECT_EQ(p.mean, expected) << item;
  }
}

TEST(MeanMemberTest, NumbersAndCountsStateHowWellTheirMeanIsKnown) {
  MeanMember::Parts parts;
  parts.name = "task-mean";
  parts.family = Family::kGaussian;
  parts.mean = {2};
  parts.noise = 3;
  parts.adapts = true;
  parts.strength = 2;
  const std::vector<Example> support{{{}, 5, 1, 0, 0, 0}, {{}, 7, 1, 0, 1, 0}};
  Predictive p;
  const MeanMember number(parts);
  const auto workspace = number.workspace();
  number.adapt({support, {}}, *workspace);
  number.predict(*workspace, {}, p);
  EXPECT_DOUBLE_EQ(p.mean, (2 * 2 + 12) / 4.0);
  EXPECT_DOUBLE_EQ(p.variance, 3 * (1 + 1 / 4.0));
  parts.family = Family::kNegativeBinomial;
  parts.size = 5;
  const MeanMember count(parts);
  const auto other = count.workspace();
  count.adapt({support, {}}, *other);
  count.predict(*other, {}, p);
  EXPECT_DOUBLE_EQ(variance(p), 4 + 16 / 5.0 + 4 / 4.0);
}

/// Two trees as XGBoost writes them: input 1 below 0.5 goes left, missing goes right; then a leaf alone.
constexpr const char* kTrees =
    R"({"learner": {"learner_model_param": {"num_class": "0"}, "gradient_booster": {"model": {
  "tree_info": [0, 0], "trees": [
  {"left_children": [1, -1, -1], "right_children": [2, -1, -1], "split_indices": [1, 0, 0],
   "split_conditions": [0.5, -1.5, 2.5], "default_left": [0, 0, 0]},
  {"left_children": [-1], "right_children": [-1], "split_indices": [0], "split_conditions": [0.25],
   "default_left": [0]}]}}}})";

TEST(TreesTest, WalkToTheLeafThatTheInputsLeadTo) {
  const Trees trees((std::string(kTrees)));
  const auto margin = [&](SparseRow row) {
    std::vector<float> out{0};
    trees.add_margins(row, out);
    return out[0];
  };
  EXPECT_FLOAT_EQ(margin({{1}, {0.4F}}), -1.25F);
  EXPECT_FLOAT_EQ(margin({{1}, {0.5F}}), 2.75F) << "the threshold itself goes right";
  EXPECT_FLOAT_EQ(margin({{0, 2}, {9, 9}}), 2.75F) << "missing";
}

TEST(TreesTest, RefusesWhatLeadsOutsideOrInCircles) {
  const auto refusal = [](const std::string& from, const std::string& to) {
    std::string text = kTrees;
    text.replace(text.find(from), from.size(), to);
    try {
      Trees trees(text);
    } catch (const InvalidInput& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refusal("[1, -1, -1]", "[0, -1, -1]"), HasSubstr("node 0 has the children 0 and 2"));
  EXPECT_THAT(refusal("[1, -1, -1]", "[7, -1, -1]"), HasSubstr("of 3 nodes"));
  EXPECT_THAT(refusal("[0.5, -1.5, 2.5]", "[0.5]"), HasSubstr("different sizes"));
  EXPECT_THAT(refusal("\"0\"", "\"many\""), HasSubstr("not as XGBoost writes them"));
  EXPECT_THAT(refusal("[0, 0], \"trees\"", "[0, 4], \"trees\""), HasSubstr("class 4"));
}

TEST(TreeMemberTest, AddsTheItemsMeanAsItsLastInput) {
  TreeModel model;
  model.json = kTrees;
  model.base = {0.5F};
  model.item_mean = {0.1F, 0.9F};
  const TreeMember member("xgboost", RowInputs({{1, 0, 0}}, 0, {}), model);  // the item's mean is input 1
  const auto workspace = member.workspace();
  member.adapt({}, *workspace);
  Predictive p;
  const std::vector<float> dense{1};
  const std::vector<ColumnView> views{{dense, {}}};
  member.predict(*workspace, {views, 0}, p);
  EXPECT_NEAR(p.mean, sigmoid(0.5 - 1.5 + 0.25), 1e-6);
  member.predict(*workspace, {views, 1}, p);
  EXPECT_NEAR(p.mean, sigmoid(0.5 + 2.5 + 0.25), 1e-6);
}

TEST(RowInputsTest, FlattensColumnsItemsAndTheDescription) {
  const RowInputs layout = inputs();
  EXPECT_EQ(layout.size(), kWidth + kVocabulary + kItems + 2);
  EXPECT_EQ(layout.own_size(), kWidth + kVocabulary + kItems);
  const std::vector<float> dense{1, 0, 3}, description{7, 1};
  const std::vector<int32_t> ids{3, 1};
  const std::vector<ColumnView> row{{dense, {}}, {{}, ids}}, task{{description, {}}};
  SparseRow sparse;
  layout.flatten({row, 2}, task, sparse);
  const float share = 1 / std::sqrt(2.0F);
  EXPECT_THAT(sparse.index, ElementsAre(0, 2, 4, 6, 9, 12, 13)) << "zeros are left out, a bag is put in order";
  EXPECT_THAT(sparse.value, ElementsAre(1, 3, share, share, 1, 7, 1));
  layout.flatten({row, kItems + 3}, {}, sparse);
  EXPECT_THAT(sparse.index, ElementsAre(0, 2, 4, 6)) << "an item that training has not seen has no input";
}

}  // namespace
}  // namespace fewshop
