// What second-order training holds in memory: a count of every byte that tensors take.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <atomic>
#include <cstdlib>

#include "learner/episodic_support.h"
#include "learner/maml.h"

namespace fewshop::learning {
namespace {

/// The allocator of tensors, counting.
class Counting : public at::Allocator {
 public:
  at::DataPtr allocate(size_t bytes) const override {
    auto* kept = new Kept{c10::GetDefaultCPUAllocator()->allocate(bytes), bytes};
    const int64_t now = held += static_cast<int64_t>(bytes);
    if (now > most) most = now;
    return {kept->data.get(), kept, &release, at::Device(at::kCPU)};
  }
  static void release(void* pointer) {
    auto* kept = static_cast<Kept*>(pointer);
    held -= static_cast<int64_t>(kept->bytes);
    delete kept;
  }
  inline static std::atomic<int64_t> held{0}, most{0};

 private:
  struct Kept {
    at::DataPtr data;
    size_t bytes;
  };
};

class InnerLoopMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    static Counting counting;
    before_ = c10::GetCPUAllocator();
    c10::SetCPUAllocator(&counting, /*priority=*/1);
  }
  void TearDown() override { c10::SetCPUAllocator(before_, 1); }

 private:
  at::Allocator* before_ = nullptr;
};

constexpr int64_t kTasks = 8, kSupport = 20, kInputs = 30;
const std::vector<int64_t> kHidden{64, 64};

testing::EpisodeShape shape() {
  testing::EpisodeShape s;
  s.tasks = kTasks;
  s.support = kSupport;
  s.query = 10;
  s.numbers = kInputs;
  s.type = at::kFloat;
  return s;
}

/// Records the graph of its steps, or leaves them to the inner loop of dense layers.
class EitherWay final : public Maml {
 public:
  EitherWay(const MamlOptions& options, bool recorded)
      : Maml(options, {{"name", "mlp"}, {"hidden", "64-64"}}, testing::problem_of(Family::kGaussian, shape()),
             Random(1)),
        recorded_(recorded) {}

 protected:
  bool is_dense() const override { return !recorded_ && Maml::is_dense(); }

 private:
  bool recorded_;
};

EitherWay make(int steps, bool recorded) {
  MamlOptions o;
  o.adapts = "all";
  o.steps = steps;
  return {o, recorded};
}

/// The most bytes held at once in one outer step beyond those before it.
int64_t peak(int steps, bool recorded) {
  const EitherWay model = make(steps, recorded);
  const Batch batch = testing::random_batch(Family::kGaussian, shape(), Random(2));
  std::vector<Tensor> values;
  for (const auto& p : model.parameters()) values.push_back(p.value);
  int64_t bytes = 0;
  for (int repeat = 0; repeat < 2; ++repeat) {  // the second one finds what is made once
    const int64_t held = Counting::held;
    Counting::most = held;
    const auto gradient =
        torch::autograd::grad({model.query_loss(batch, Random(1))}, values, {}, false, false, /*allow_unused=*/true);
    bytes = Counting::most - held;
  }
  return bytes;
}

TEST_F(InnerLoopMemoryTest, EachInnerStepHoldsAtMostThreeTimesFastWeightsPlusActivations) {
  const int64_t weights = kInputs * 64 + 64 + 64 * 64 + 64 + 64 + 1, outputs = 64 + 64 + 1;
  const int64_t bound = 3 * 4 * kTasks * (weights + kSupport * outputs);
  for (const bool recorded : {true, false}) {
    const int64_t few = peak(2, recorded), many = peak(12, recorded);
    RecordProperty(recorded ? "graph" : "dense", static_cast<int>((many - few) / 10));
    std::printf("%s: %ld bytes an inner step, bound %ld\n", recorded ? "recorded graph" : "dense layers",
                static_cast<long>((many - few) / 10), static_cast<long>(bound));
    EXPECT_LE((many - few) / 10, bound) << recorded;
  }
  EXPECT_GT(peak(12, true), peak(2, true)) << "the count must see the graph";
}

// FEWSHOP_OUTER_STEPS: how many (scripts/test --long: 10,000).
TEST_F(InnerLoopMemoryTest, OuterStepsLeaveNothingBehind) {
  const char* asked = std::getenv("FEWSHOP_OUTER_STEPS");
  const int64_t steps = asked ? std::atoll(asked) : 300;
  for (const bool recorded : {true, false}) {
    EitherWay model = make(3, recorded);
    int64_t early = 0, late = 0;
    testing::train(model,
                   [&](int step) {
                     if (step == 20) early = Counting::held;
                     late = Counting::held;
                     return testing::random_batch(Family::kGaussian, shape(), Random(static_cast<uint64_t>(step)));
                   },
                   {static_cast<int>(steps), 1e-3});
    EXPECT_EQ(late, early) << recorded;
    EXPECT_GT(early, 0);
  }
}

}  // namespace
}  // namespace fewshop::learning
