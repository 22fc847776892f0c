#include "runtime/als_member.h"

#include <Eigen/Dense>

#include "runtime/member_contract.h"
#include "runtime/small_cholesky.h"

namespace fewshop {
namespace {

AlsMember::Parts random_parts(uint64_t seed, int32_t items, int32_t width, bool ranking) {
  Random random(seed);
  AlsMember::Parts parts;
  parts.ranking = ranking;
  parts.mean = ranking ? 0 : 3.5f;
  parts.alpha = ranking ? 5 : 0;
  parts.noise = ranking ? 0 : 0.8f;
  parts.width = width;
  Eigen::MatrixXd vectors(items, width);
  for (int32_t i = 0; i < items; ++i) {
    parts.item_bias.push_back(static_cast<float>(random.normal() * (ranking ? 1e-7 : 0.3)));
    for (int32_t k = 0; k < width; ++k) {
      const float value = !ranking && k + 1 == width ? 1.0f : static_cast<float>(random.normal() * 0.5);
      parts.vectors.push_back(value);
      vectors(i, k) = value;
    }
  }
  Eigen::MatrixXd base = Eigen::MatrixXd::Identity(width, width) * 3;
  if (ranking) base += vectors.transpose() * vectors;
  parts.base.assign(base.data(), base.data() + base.size());
  parts.content.outputs = 1 + AlsMember::free_width(parts);
  parts.content.inputs = {{2, 0, 0}, {0, 3, 2}};
  parts.content.intercept.assign(parts.content.outputs, 0.1f);
  for (int32_t i = 0; i < 5 * parts.content.outputs; ++i)
    parts.content.weights.push_back(static_cast<float>(random.normal()));
  return parts;
}

TEST(SmallCholeskyTest, SolvesLikeEigen) {
  for (int n : {1, 2, 7, 33}) {
    const Eigen::MatrixXd random = Eigen::MatrixXd::Random(n, n);
    const Eigen::MatrixXd matrix = random * random.transpose() + Eigen::MatrixXd::Identity(n, n);
    const Eigen::VectorXd right = Eigen::VectorXd::Random(n), expected = matrix.llt().solve(right);
    std::vector<double> factor(matrix.data(), matrix.data() + matrix.size()), x(right.data(), right.data() + n);
    ASSERT_TRUE(cholesky_in_place(factor.data(), n));
    solve_cholesky(factor.data(), n, x.data());
    for (int i = 0; i < n; ++i) EXPECT_NEAR(x[i], expected[i], 1e-10);
  }
}

TEST(SmallCholeskyTest, AMatrixThatIsNotPositiveDefiniteIsSaidToBeSo) {
  std::vector<double> indefinite{1, 2, 2, 1}, broken{NAN};
  EXPECT_FALSE(cholesky_in_place(indefinite.data(), 2));
  EXPECT_FALSE(cholesky_in_place(broken.data(), 1));
}

TEST(AlsMemberTest, KeepsItsPromises) {
  testing::expect_member_contract(AlsMember(random_parts(1, 20, 5, false)), 20, false);
  testing::expect_member_contract(AlsMember(random_parts(2, 20, 6, true)), 20, true);
}

TEST(AlsMemberTest, FoldingInIsTheRidgeSolutionAndItsVariance) {
  const auto parts = random_parts(3, 10, 4, false);
  const AlsMember member(parts);
  const std::vector<SupportRow> support{{1, 5}, {2, 1, 2}, {7, 4}};
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> vectors(
      parts.vectors.data(), 10, 4);
  Eigen::MatrixXd a = Eigen::MatrixXd::Identity(4, 4) * 3;
  Eigen::VectorXd right = Eigen::VectorXd::Zero(4);
  for (const auto& row : support) {
    const Eigen::VectorXd v = vectors.row(row.item).transpose().cast<double>();
    a += row.weight * v * v.transpose();
    right += row.weight * (row.target - parts.mean - parts.item_bias[row.item]) * v;
  }
  const Eigen::VectorXd user = a.llt().solve(right);
  const auto workspace = member.workspace();
  member.adapt({support, {}}, *workspace);
  for (int32_t item = 0; item < 10; ++item) {
    const Eigen::VectorXd v = vectors.row(item).transpose().cast<double>();
    float score = 0, variance = 0;
    member.score(*workspace, {&item, 1}, {&score, 1}, {&variance, 1});
    EXPECT_NEAR(score, parts.mean + parts.item_bias[item] + user.dot(v), 1e-5);
    EXPECT_NEAR(variance, 0.8 * (1 + v.dot(a.llt().solve(v))), 1e-5);
  }
}

TEST(AlsMemberTest, ImplicitFoldingInIsHuKorenVolinsky) {
  const auto parts = random_parts(4, 10, 4, true);
  const AlsMember member(parts);
  // Item 3 twice: confidence 1 + alpha (1 + 1), preference once.
  const std::vector<SupportRow> support{{3, 1}, {5, 1}, {3, 1}};
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> vectors(
      parts.vectors.data(), 10, 4);
  const Eigen::MatrixXd y = vectors.cast<double>();
  Eigen::VectorXd confidence = Eigen::VectorXd::Ones(10), preference = Eigen::VectorXd::Zero(10);
  confidence[3] = 1 + 5 * 2;
  confidence[5] = 1 + 5;
  preference[3] = preference[5] = 1;
  const Eigen::MatrixXd a = y.transpose() * confidence.asDiagonal() * y + 3 * Eigen::MatrixXd::Identity(4, 4);
  const Eigen::VectorXd user = a.llt().solve(y.transpose() * confidence.cwiseProduct(preference));
  const auto workspace = member.workspace();
  member.adapt({support, {}}, *workspace);
  std::vector<float> score(10);
  member.score_all(*workspace, score);
  for (int i = 0; i < 10; ++i) EXPECT_NEAR(score[i], parts.item_bias[i] + y.row(i).dot(user), 1e-5);
}

TEST(AlsMemberTest, AnAddedItemHasTheVectorThatItsFeaturesSay) {
  AlsMember member(random_parts(5, 6, 3, false));
  const auto& content = member.parts().content;
  const std::vector<float> dense{0.5f, -1};
  const std::vector<int32_t> ids{0, 2};
  const std::vector<ColumnView> features{{dense, {}}, {{}, ids}};
  member.add_item(features);
  ASSERT_EQ(member.parts().item_bias.size(), 7u);
  const auto out = [&](int o) {
    return 0.1f + 0.5f * content.weights[o] - content.weights[3 + o] +
           (content.weights[2 * 3 + o] + content.weights[4 * 3 + o]) / std::sqrt(2.0f);
  };
  EXPECT_NEAR(member.parts().item_bias[6], out(0), 1e-6);
  EXPECT_NEAR(member.parts().vectors[6 * 3], out(1), 1e-6);
  EXPECT_NEAR(member.parts().vectors[6 * 3 + 1], out(2), 1e-6);
  EXPECT_EQ(member.parts().vectors[6 * 3 + 2], 1) << "the constant factor that carries the user's bias";
  testing::expect_member_contract(member, 7, false);
}

TEST(AlsMemberTest, OnlyAnItemWithoutTrainingRowsFollowsItsFeatures) {
  AlsMember changed(random_parts(6, 6, 3, false)), fresh(random_parts(6, 6, 3, false));
  const std::vector<float> one{1, 0, 5}, two{0, 2, -1};
  const std::vector<ColumnView> before{{one, {}}}, after{{two, {}}};
  changed.add_item(before);
  fresh.add_item(after);
  changed.change_item(6, before, after);
  changed.change_item(2, before, after);  // trained
  EXPECT_EQ(changed.parts().vectors, fresh.parts().vectors);
  EXPECT_EQ(changed.parts().item_bias, fresh.parts().item_bias);
}

TEST(AlsMemberTest, ContentThatDoesNotFitIsIgnoredPartByPart) {
  AlsMember member(random_parts(6, 6, 3, false)), without(random_parts(6, 6, 3, false));
  const std::vector<float> dense{NAN, 0, 5};
  const std::vector<int32_t> ids{-1, 99};
  const std::vector<ColumnView> features{{dense, {}}, {{}, ids}, {{}, ids}};
  member.add_item(features);
  without.add_item({});
  EXPECT_EQ(member.parts().vectors, without.parts().vectors);
}

TEST(AlsMemberTest, PartsThatDisagreeAreRefused) {
  auto parts = random_parts(7, 6, 3, false);
  parts.vectors.pop_back();
  EXPECT_THROW(AlsMember{parts}, InvalidInput);
  parts = random_parts(7, 6, 3, false);
  parts.base[0] = -1;
  EXPECT_THROW(AlsMember{parts}, InvalidInput);
  parts = random_parts(7, 6, 3, false);
  parts.item_bias[2] = NAN;
  EXPECT_THROW(AlsMember{parts}, InvalidInput);
}

}  // namespace
}  // namespace fewshop
