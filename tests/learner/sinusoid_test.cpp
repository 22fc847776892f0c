// Sinusoid regression (Finn, Abbeel, Levine 2017, section 5.1) beside the peer of bench/peers/sinusoid.py, a loop over
// tasks in Python, from the same starting weights on the same tasks. Skipped where there is no such Python.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "learner/episodic_support.h"
#include "learner/maml.h"

namespace fewshop::learning {
namespace {

constexpr int64_t kTasks = 25, kQuery = 10, kTestTasks = 200;
constexpr double kLr = 0.003, kInnerLr = 0.01;
constexpr int kRecorded = 10;

/// numpy's own format, version 1.0: float32 or float64, rows first.
template <class T>
void put_npy(const std::filesystem::path& path, const Tensor& tensor) {
  std::string shape;
  for (const int64_t size : tensor.sizes()) shape += std::to_string(size) + ",";
  std::string header = fmt::format("{{'descr': '<f{}', 'fortran_order': False, 'shape': ({}), }}", sizeof(T), shape);
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  std::ofstream out(path, std::ios::binary);
  out.write("\x93NUMPY\x01\x00", 8);
  const auto length = static_cast<uint16_t>(header.size());
  out.put(static_cast<char>(length & 0xff)).put(static_cast<char>(length >> 8)) << header;
  const Tensor values = tensor.detach().contiguous();
  out.write(reinterpret_cast<const char*>(values.data_ptr<T>()),
            static_cast<std::streamsize>(values.numel() * sizeof(T)));
}

template <class T>
Tensor get_npy(const std::filesystem::path& path, at::IntArrayRef shape) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  Tensor values = at::empty(shape, c10::CppTypeToScalarType<T>::value);
  const size_t size = values.numel() * sizeof(T);
  if (bytes.size() < size) throw std::runtime_error("too short: " + path.string());
  std::memcpy(values.data_ptr<T>(), bytes.data() + bytes.size() - size, size);
  return values;
}

Batch sinusoids(int64_t tasks, int64_t shots, int64_t query, at::ScalarType type, Random random) {
  Batch batch;
  const auto uniform = [&](int64_t size, double low, double high) {
    Tensor t = at::empty({tasks, size}, at::kDouble);
    for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = low + (high - low) * random.uniform();
    return t;
  };
  const Tensor amplitude = uniform(1, 0.1, 5), phase = uniform(1, 0, std::numbers::pi);
  for (Rows* rows : {&batch.support, &batch.query}) {
    const Tensor x = uniform(rows == &batch.support ? shots : query, -5, 5);
    rows->x = nn::numbers_only(x.unsqueeze(2).to(type));
    rows->target = (amplitude * (x - phase).sin()).to(type);
    rows->mask = rows->weight = at::ones_like(rows->target);
    rows->age = at::zeros_like(rows->target);
    rows->item = rows->kind = at::zeros(x.sizes(), at::kLong);
  }
  batch.task.description = batch.task.known = at::full({tasks}, -1, at::kLong);
  return batch;
}

/// One run of both: weights, stream, what the peer said.
template <class T>
struct Pair {
  int shots, outer_steps;
  uint64_t seed;
  at::ScalarType type = c10::CppTypeToScalarType<T>::value;
  std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / fmt::format("fewshop_sinusoid_{}_{}", shots, seed);
  Maml model = [this] {
    MamlOptions o;
    o.adapts = "all";
    o.steps = 1;
    o.step_size = kInnerLr;
    o.step_sizes = "fixed";
    o.loss = "squared";
    o.standardize = false;
    EpisodicProblem problem;
    problem.fields = {{"numbers", nn::Field::Kind::kNumbers, 1, 0}};
    problem.type = type;
    return Maml(o, {{"name", "mlp"}, {"hidden", "40-40"}}, problem, Random(seed));
  }();
  std::vector<double> losses = {};
  nlohmann::json peer = {};

  Batch batch(int step) const { return sinusoids(kTasks, shots, kQuery, type, Random(seed).fork(100 + step)); }
  Batch test() const { return sinusoids(kTestTasks, shots, 50, type, Random(seed).fork("test")); }

  std::vector<Parameter> network() const {
    std::vector<Parameter> list;
    for (const auto& p : model.parameters())
      if (p.name.rfind("network.", 0) == 0) list.push_back(p);
    return list;
  }
  static std::string peer_name(size_t i) { return (i % 2 ? "b" : "w") + std::to_string(i / 2); }

  /// Whether the peer ran.
  bool run(bool with_test) {
    std::filesystem::create_directories(folder);
    const auto tensors = network();
    for (size_t i = 0; i < tensors.size(); ++i) put_npy<T>(folder / (peer_name(i) + ".npy"), tensors[i].value);
    std::vector<Tensor> stream[4];
    nlohmann::json lr = nlohmann::json::array();
    for (int step = 0; step < outer_steps; ++step) {
      const Batch b = batch(step);
      stream[0].push_back(b.support.x.numbers.squeeze(2));
      stream[1].push_back(b.support.target);
      stream[2].push_back(b.query.x.numbers.squeeze(2));
      stream[3].push_back(b.query.target);
      lr.push_back(kLr * 0.5 * (1 + std::cos(std::numbers::pi * step / outer_steps)));  // as testing::train
    }
    const char* names[] = {"support_x", "support_y", "query_x", "query_y"};
    for (int i = 0; i < 4; ++i) put_npy<T>(folder / (std::string(names[i]) + ".npy"), at::stack(stream[i]));
    if (with_test) {
      const Batch b = test();
      put_npy<T>(folder / "test_support_x.npy", b.support.x.numbers.squeeze(2));
      put_npy<T>(folder / "test_support_y.npy", b.support.target);
      put_npy<T>(folder / "test_query_x.npy", b.query.x.numbers.squeeze(2));
      put_npy<T>(folder / "test_query_y.npy", b.query.target);
    }
    const nlohmann::json problem = {{"steps", 1},   {"inner_lr", kInnerLr}, {"order", 2},      {"lr", lr},
                                    {"beta1", 0.9}, {"beta2", 0.99},        {"epsilon", 1e-8}, {"record", kRecorded},
                                    {"layers", 3},  {"test_steps", {1, 10}}};
    std::ofstream(folder / "problem.json") << problem.dump();
    const std::string command =
        fmt::format("/usr/bin/python3 {}/bench/peers/sinusoid.py {} 2> /dev/null", FEWSHOP_SOURCE_DIR, folder.string());
    if (std::system(command.c_str()) != 0) return false;
    peer = nlohmann::json::parse(std::ifstream(folder / "peer.json"));
    testing::train(model,
                   [&](int step) {
                     const Batch b = batch(step);
                     if (step < kRecorded) losses.push_back(model.query_loss(b, Random(1)).template item<double>());
                     return b;
                   },
                   {outer_steps, kLr});
    return true;
  }

  double error_after(int steps) {
    at::NoGradGuard no_grad;
    model.choose({{"steps", steps}});
    const Batch b = test();
    return (model.predict(model.adapt(b.support, b.task), b.query).mean() - b.query.target)
        .square()
        .mean()
        .template item<double>();
  }
  ~Pair() { std::filesystem::remove_all(folder); }
};

bool peer_can_run() { return std::system("/usr/bin/python3 -c 'import numpy, torch' 2> /dev/null") == 0; }

TEST(SinusoidTest, TheFirstOuterStepsAreThoseOfALoopOverTasks) {
  if (!peer_can_run()) GTEST_SKIP() << "python3-torch is not installed";
  for (const int shots : {5, 10}) {
    Pair<double> pair{shots, kRecorded, 7};
    ASSERT_TRUE(pair.run(/*with_test=*/false));
    ASSERT_EQ(pair.losses.size(), kRecorded);
    for (int step = 0; step < kRecorded; ++step)
      EXPECT_NEAR(pair.losses[step], pair.peer["losses"][step].get<double>(), 1e-4 * pair.losses[step]) << step;
    const auto tensors = pair.network();
    double moved = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Tensor start = get_npy<double>(pair.folder / (pair.peer_name(i) + ".npy"), tensors[i].value.sizes());
      const Tensor peer =
          get_npy<double>(pair.folder / ("peer_" + pair.peer_name(i) + ".npy"), tensors[i].value.sizes());
      EXPECT_LT((tensors[i].value - peer).abs().max().item<double>(), 1e-4) << tensors[i].name;
      moved = std::max(moved, (peer - start).abs().max().item<double>());
    }
    EXPECT_GT(moved, 1e-2) << "the weights must have moved";
  }
}

// FEWSHOP_OUTER_STEPS: how many (scripts/test --long: 10,000, then with 5 seeds); else a short run with one seed.
TEST(SinusoidTest, AfterTrainingItIsAsGoodAsALoopOverTasks) {
  if (!peer_can_run()) GTEST_SKIP() << "python3-torch is not installed";
  const char* asked = std::getenv("FEWSHOP_OUTER_STEPS");
  const int outer_steps = asked ? std::atoi(asked) : 60, seeds = asked ? 5 : 1;
  for (const int shots : {5, 10}) {
    double ours[2] = {}, peers[2] = {};
    for (int seed = 0; seed < seeds; ++seed) {
      Pair<float> pair{shots, outer_steps, static_cast<uint64_t>(seed)};
      ASSERT_TRUE(pair.run(/*with_test=*/true));
      for (const int i : {0, 1}) {
        ours[i] += pair.error_after(i == 0 ? 1 : 10) / seeds;
        peers[i] += pair.peer["test_errors"][i == 0 ? "1" : "10"].get<double>() / seeds;
      }
    }
    for (const int i : {0, 1}) {
      std::printf("K = %d, %d outer steps, %d seeds: mean squared error after %d steps %.4f, peer %.4f\n", shots,
                  outer_steps, seeds, i == 0 ? 1 : 10, ours[i], peers[i]);
      EXPECT_LE(ours[i], 1.05 * peers[i]) << shots;
    }
  }
}

}  // namespace
}  // namespace fewshop::learning
