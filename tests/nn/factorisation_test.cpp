#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <map>

#include "nn/network.h"
#include "random_input.h"

namespace fewshop::nn {
namespace {

using at::Tensor;
using nlohmann::json;

// Formulas of mf, deepfm and dcn on one row with an item and a task identity and numbers, spelled out.

struct OneRow {
  explicit OneRow(const json& options)
      : network(make_network(options,
                             {{"numbers", Field::Kind::kNumbers, 2, 0},
                              {"items.id", Field::Kind::kBag, 0, 3},
                              {"tasks.id", Field::Kind::kBag, 0, 3}},
                             1)) {
    const auto values = initial_parameters(*network, Random(1), at::kDouble);
    for (size_t i = 0; i < values.size(); ++i) {
      p.push_back(values[i] + 0.3 * random_numbers(values[i].sizes(), Random(2).fork(i)));
      named[network->parameters()[i].name] = p.back();
    }
  }
  double output() const {
    const auto id = [](int64_t i) { return at::full({1, 1}, i, at::kLong); };
    return network->forward(p, {x.view({1, 1, 2}), {}, {{"items.id", 3, id(1)}, {"tasks.id", 3, id(2)}}})
        .item<double>();
  }
  Tensor of_numbers() const { return named.at("embedding.numbers").mv(x); }
  Tensor of_item() const { return named.at("embedding.items.id")[1]; }
  Tensor of_task() const { return named.at("embedding.tasks.id")[2]; }

  std::unique_ptr<Network> network;
  std::vector<Tensor> p;
  std::map<std::string, Tensor> named;
  Tensor x = at::tensor(std::vector<double>{0.7, -1.2}, at::kDouble);
};

TEST(MatrixFactorisationTest, MultipliesTheTasksVectorWithThatOfEverythingElse) {
  const OneRow row({{"name", "mf"}, {"embedding", 3}});
  const Tensor item = row.of_item() + row.of_numbers(), task = row.of_task();
  const Tensor u = task.narrow(0, 0, 3) + row.named.at("task.start"), v = item.narrow(0, 0, 3);
  const Tensor h = row.named.at("head.weight")[0];
  const Tensor expected = (h.narrow(0, 0, 3) * u * v).sum() + h[3] * (task[3] + item[3]) + row.named.at("head.bias")[0];
  EXPECT_NEAR(row.output(), expected.item<double>(), 1e-12);
}

TEST(MatrixFactorisationTest, StartsAsThePlainProductForOneOutput) {
  const auto network = make_network({{"name", "mf"}, {"embedding", 3}}, {{"items.id", Field::Kind::kBag, 0, 3}}, 1);
  const auto p = initial_parameters(*network, Random(1));
  EXPECT_TRUE(at::equal(p[p.size() - 2], at::ones({1, 4})));
}

TEST(DeepFmTest, AddsFirstOrderPairsAndDenseLayers) {
  const OneRow row({{"name", "deepfm"}, {"embedding", 3}, {"hidden", "2"}, {"activation", "tanh"}});
  const Tensor fields[] = {row.of_numbers(), row.of_item(), row.of_task()};
  Tensor first = at::zeros({}, at::kDouble), pairs = at::zeros({3}, at::kDouble);
  std::vector<Tensor> vectors;
  for (int f = 0; f < 3; ++f) {
    first = first + fields[f][3];
    vectors.push_back(fields[f].narrow(0, 0, 3));
    for (int g = 0; g < f; ++g) pairs = pairs + vectors[f] * vectors[g];
  }
  const Tensor dense = (row.named.at("body.0.weight").mv(at::cat(vectors)) + row.named.at("body.0.bias")).tanh();
  const Tensor features = at::cat({first.view({1}), pairs, dense});
  const Tensor expected = row.named.at("head.weight")[0].dot(features) + row.named.at("head.bias")[0];
  EXPECT_NEAR(row.output(), expected.item<double>(), 1e-12);
}

TEST(DcnTest, CrossesTheInputWithItselfLayerByLayer) {
  for (const int rank : {0, 2}) {
    const OneRow row(
        {{"name", "dcn"}, {"embedding", 3}, {"hidden", "2"}, {"activation", "tanh"}, {"cross_rank", rank}});
    const Tensor x0 = at::cat({row.x, row.of_item(), row.of_task()});
    Tensor x = x0;
    for (const std::string layer : {"cross.0", "cross.1"}) {
      const Tensor inner = rank ? row.named.at(layer + ".down").mv(x) : x;
      x = x0 * (row.named.at(layer + ".weight").mv(inner) + row.named.at(layer + ".bias")) + x;
    }
    const Tensor dense = (row.named.at("body.0.weight").mv(x0) + row.named.at("body.0.bias")).tanh();
    const Tensor expected = row.named.at("head.weight")[0].dot(at::cat({x, dense})) + row.named.at("head.bias")[0];
    EXPECT_NEAR(row.output(), expected.item<double>(), 1e-12);
  }
}

TEST(DcnTest, WithoutHiddenLayersItIsTheCrossLayersAlone) {
  const auto network = make_network({{"name", "dcn"}, {"hidden", ""}}, {{"numbers", Field::Kind::kNumbers, 2, 0}}, 1);
  EXPECT_EQ(network->feature_size(), 2);
}

}  // namespace
}  // namespace fewshop::nn
