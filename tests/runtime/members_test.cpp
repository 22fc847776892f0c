#include "runtime/members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "core/random.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

TEST(MembersTest, AnUnknownKindIsRefusedNamingTheKnownOnes) {
  TensorFile file;
  file.put_text("kind", "oracle");
  try {
    load_member(file);
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), ::testing::AllOf(::testing::HasSubstr("oracle"), ::testing::HasSubstr("als")));
  }
  EXPECT_THROW(load_member(TensorFile()), InvalidInput);
}

TEST(MembersTest, TheBestOfManyAreThoseOfTheFullSort) {
  using Pair = std::pair<float, int32_t>;
  Random random(4);
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kLeast = std::numeric_limits<float>::denorm_min();
  for (int round = 0; round < 300; ++round) {
    std::vector<Pair> pairs(random.below(3000));
    for (size_t i = 0; i < pairs.size(); ++i) {
      // Few values and so many ties, many octaves, or values that differ in the last bits only.
      const double value = round % 3 == 0   ? 1.0 + static_cast<double>(random.below(4))
                           : round % 3 == 1 ? std::exp(20 * random.normal())
                                            : 1 + 1e-6 * random.uniform();
      pairs[i] = {std::max(kLeast, static_cast<float>(value)), static_cast<int32_t>(i)};
      if (random.below(200) == 0) pairs[i].first = random.below(2) == 0 ? kInfinity : kLeast;
    }
    std::vector<Pair> sorted = pairs;
    const auto better = [](const Pair& a, const Pair& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    std::sort(sorted.begin(), sorted.end(), better);
    const size_t n = random.below(3200);
    sorted.resize(std::min(n, sorted.size()));
    keep_best(pairs, n);
    std::sort(pairs.begin(), pairs.end(), better);
    ASSERT_EQ(pairs, sorted) << "round " << round << ", n = " << n;
  }
  std::vector<Pair> one{{1.0F, 7}};
  keep_best(one, 0);
  EXPECT_TRUE(one.empty());
}

}  // namespace
}  // namespace fewshop
