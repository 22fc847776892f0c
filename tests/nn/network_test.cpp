#include "nn/network.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "core/error.h"
#include "random_input.h"

namespace fewshop::nn {
namespace {

using at::Tensor;
using nlohmann::json;

const char* const kNames[] = {"linear", "mf", "mlp", "deepfm", "dcn", "gru", "lstm", "transformer"};

json small(const std::string& name) {
  return {{"name", name}, {"embedding", 4}, {"hidden", "6-5"}, {"activation", "tanh"}, {"state", 3}};
}

class NetworkTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    network_ = make_network(small(GetParam()), fields(every_.input(1, 1)), 2);
    p_ = initial_parameters(*network_, Random(3), at::kDouble);
    // Nothing may rest on a bias that starts at 0.
    for (size_t i = 0; i < p_.size(); ++i) p_[i] = p_[i] + 0.1 * random_numbers(p_[i].sizes(), Random(4).fork(i));
  }
  std::vector<Tensor> per_task(int64_t tasks) const {
    std::vector<Tensor> copies;
    for (const Tensor& x : p_)
      copies.push_back(x.unsqueeze(0)
                           .expand([&] {
                             std::vector<int64_t> sizes{tasks};
                             sizes.insert(sizes.end(), x.sizes().begin(), x.sizes().end());
                             return sizes;
                           }())
                           .contiguous());
    return copies;
  }

  EveryField every_;
  std::unique_ptr<Network> network_;
  std::vector<Tensor> p_;
};

TEST_P(NetworkTest, ShapesAreThoseThatItTells) {
  const NetworkInput input = every_.input(3, 4);
  const auto embedded = network_->embed(p_, input);
  const Tensor features = network_->features(p_, embedded);
  EXPECT_EQ(features.sizes(), (at::IntArrayRef{3, 4, network_->feature_size()}));
  EXPECT_EQ(network_->head(p_, features).sizes(), (at::IntArrayRef{3, 4, 2}));
  EXPECT_EQ(network_->outputs(), 2);
  ASSERT_EQ(p_.size(), network_->parameters().size());
  std::set<std::string> names;
  for (size_t i = 0; i < p_.size(); ++i) {
    EXPECT_EQ(p_[i].sizes(), at::IntArrayRef(network_->parameters()[i].shape));
    EXPECT_TRUE(names.insert(network_->parameters()[i].name).second);
  }
  EXPECT_EQ(network_->parameters()[p_.size() - 2].name, "head.weight");
  EXPECT_EQ(network_->parameters()[p_.size() - 1].name, "head.bias");
}

TEST_P(NetworkTest, SharedParametersAnswerAsTheirCopiesPerTask) {
  const NetworkInput input = every_.input(3, 4);
  EXPECT_TRUE(at::allclose(network_->forward(p_, input), network_->forward(per_task(3), input), 0, 1e-10));
}

TEST_P(NetworkTest, OneParameterAloneMayHaveATaskAxis) {
  const NetworkInput input = every_.input(3, 4);
  const auto copies = per_task(3);
  const Tensor expected = network_->forward(p_, input);
  for (size_t i = 0; i < p_.size(); ++i) {
    auto mixed = p_;
    mixed[i] = copies[i];
    EXPECT_TRUE(at::allclose(network_->forward(mixed, input), expected, 0, 1e-10)) << network_->parameters()[i].name;
  }
}

TEST_P(NetworkTest, ABatchAnswersAsOneTaskAtATime) {
  const NetworkInput input = every_.input(3, 4);
  auto p = per_task(3);
  for (size_t i = 0; i < p.size(); ++i) p[i] = p[i] + 0.1 * random_numbers(p[i].sizes(), Random(5).fork(i));
  const Tensor all = network_->forward(p, input);
  for (int64_t t = 0; t < 3; ++t) {
    std::vector<Tensor> own;
    for (const Tensor& x : p) own.push_back(x.narrow(0, t, 1));
    EXPECT_TRUE(at::allclose(network_->forward(own, part_of(input, t, 1, 0, 4)), all.narrow(0, t, 1), 0, 1e-10));
  }
}

TEST_P(NetworkTest, RowsBesideARowChangeNothing) {
  const NetworkInput input = every_.input(3, 6);
  const Tensor all = network_->forward(p_, input);
  for (const int64_t rows : {1, 4})
    EXPECT_TRUE(at::allclose(network_->forward(p_, part_of(input, 0, 3, 1, rows)), all.narrow(1, 1, rows), 0, 1e-10));
}

TEST_P(NetworkTest, DerivativesMatchFiniteDifferences) {
  const NetworkInput input = every_.input(2, 3);
  for (const bool tasks : {false, true}) {
    const auto start = tasks ? per_task(2) : p_;
    const auto loss = [&](const std::vector<Tensor>& p) { return network_->forward(p, input).sin().sum(); };
    // Gradients at start + step * along; `graph` keeps them differentiable.
    const auto gradients = [&](double step, const std::vector<Tensor>& along, std::vector<Tensor>& p, bool graph) {
      p.clear();
      for (size_t i = 0; i < start.size(); ++i)
        p.push_back((start[i] + step * along[i]).detach().set_requires_grad(true));
      return torch::autograd::grad({loss(p)}, {p.begin(), p.end()}, {}, graph, graph, true);
    };
    const auto product = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
      Tensor sum = at::zeros({}, at::kDouble);
      for (size_t i = 0; i < a.size(); ++i)
        if (a[i].defined() && b[i].defined()) sum = sum + (a[i] * b[i]).sum();
      return sum;
    };
    constexpr double kStep = 1e-5;
    std::vector<Tensor> p;
    for (size_t one = 0; one < start.size(); ++one) {
      std::vector<Tensor> along, other;  // one parameter moves; the gradient of all is watched
      for (size_t i = 0; i < start.size(); ++i) {
        along.push_back(random_numbers(start[i].sizes(), Random(6).fork(one).fork(i)) * (i == one));
        other.push_back(random_numbers(start[i].sizes(), Random(7).fork(one).fork(i)));
      }
      const auto at_start = gradients(0, along, p, true);
      ASSERT_TRUE(at_start[one].defined()) << network_->parameters()[one].name << " changes nothing";
      const double first = product(at_start, along).item<double>();
      const double second =
          product(torch::autograd::grad({product(at_start, other)}, {p.begin(), p.end()}, {}, false, false, true),
                  along)
              .item<double>();
      std::vector<Tensor> moved;
      const auto up = gradients(kStep, along, moved, false);
      const double loss_up = loss(moved).item<double>();
      const auto down = gradients(-kStep, along, moved, false);
      const double loss_down = loss(moved).item<double>();
      const std::string name = network_->parameters()[one].name;
      EXPECT_NEAR(first, (loss_up - loss_down) / (2 * kStep), 1e-7 * (1 + std::abs(first))) << name;
      const double difference = (product(up, other).item<double>() - product(down, other).item<double>()) / (2 * kStep);
      EXPECT_NEAR(second, difference, 1e-7 * (1 + std::abs(second))) << name;
    }
  }
}

TEST_P(NetworkTest, InitialParametersAreDeterministicAndFillTheirRole) {
  const auto a = initial_parameters(*network_, Random(8)), b = initial_parameters(*network_, Random(8)),
             c = initial_parameters(*network_, Random(9));
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i], b[i]));
    EXPECT_EQ(a[i].scalar_type(), at::kFloat);
    const bool random = network_->parameters()[i].deviation > 0;
    EXPECT_EQ(at::equal(a[i], c[i]), !random) << network_->parameters()[i].name;
  }
}

TEST_P(NetworkTest, AnInputOfOtherFieldsIsRefused) {
  NetworkInput input = every_.input(2, 3);
  input.identities[0].vocabulary = 8;
  EXPECT_THROW(network_->forward(p_, input), InvalidInput);
  input = every_.input(2, 3);
  input.identities.clear();
  EXPECT_THROW(network_->forward(p_, input), InvalidInput);
  input = every_.input(2, 3);
  input.parts.pop_back();
  EXPECT_THROW(network_->forward(p_, input), InvalidInput);
  input = every_.input(2, 3);
  input.parts[0].row = at::zeros({2, 4}, at::kLong);
  EXPECT_THROW(network_->forward(p_, input), InvalidInput);
  input = every_.input(2, 3);
  input.parts[0].row = at::full({2, 3}, 7, at::kLong);
  EXPECT_THROW(network_->forward(p_, input), InvalidInput);
}

TEST_P(NetworkTest, ParametersOfOtherShapesAreRefused) {
  auto p = p_;
  p.back() = at::zeros({3}, at::kDouble);
  EXPECT_THROW(network_->forward(p, every_.input(2, 3)), InvalidInput);
  p = per_task(3);
  EXPECT_THROW(network_->forward(p, every_.input(2, 3)), InvalidInput);
}

INSTANTIATE_TEST_SUITE_P(Networks, NetworkTest, ::testing::ValuesIn(kNames),
                         [](const auto& info) { return std::string(info.param); });

TEST(MakeNetworkTest, RefusesWhatItDoesNotKnow) {
  const auto message = [](const json& options, std::vector<Field> list) {
    try {
      make_network(options, std::move(list), 1);
    } catch (const InvalidInput& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::vector<Field> one{{"numbers", Field::Kind::kNumbers, 1, 0}};
  EXPECT_THAT(message({{"name", "mpl"}}, one),
              ::testing::HasSubstr("unknown name 'mpl'; known names: linear, mf, mlp"));
  EXPECT_THAT(message({{"layers", 3}}, one), ::testing::HasSubstr("unknown option 'layers'"));
  EXPECT_THAT(message({{"embedding", 0}}, one), ::testing::HasSubstr("outside [1, 1024]"));
  EXPECT_THAT(message({{"hidden", "64x64"}}, one), ::testing::HasSubstr("got \"64x64\""));
  EXPECT_THAT(message({{"hidden", "64-"}}, one), ::testing::HasSubstr("got \"64-\""));
  EXPECT_THAT(message({{"activation", "sigmoid"}}, one), ::testing::HasSubstr("expected relu or tanh"));
  EXPECT_THAT(message({}, {}), ::testing::HasSubstr("nothing to read"));
  EXPECT_THAT(message({}, {one[0], one[0]}), ::testing::HasSubstr("two fields are called 'numbers'"));
  EXPECT_EQ(message({{"hidden", ""}}, one), "");
}

TEST(MlpTest, IsDenseLayersWithTheirActivationsAndALinearHead) {
  const auto network = make_network({{"hidden", "2"}}, {{"numbers", Field::Kind::kNumbers, 2, 0}}, 1);
  ASSERT_TRUE(network->dense_body());
  EXPECT_EQ(network->dense_body()->sizes, (std::vector<int64_t>{2, 2}));
  EXPECT_FALSE(network->dense_body()->smooth);
  const auto t = [](std::vector<double> x) { return at::tensor(x, at::kDouble); };
  const std::vector<Tensor> p{t({1, 2, 3, 4}).view({2, 2}), t({0.5, -30}), t({2, 5}).view({1, 2}), t({-1})};
  const Tensor y = network->forward(p, numbers_only(t({1, 2}).view({1, 1, 2})));
  EXPECT_DOUBLE_EQ(y.item<double>(), 2 * (1 + 4 + 0.5) + 5 * 0 - 1);  // the second unit, 3 + 8 - 30, is off
}

TEST(InitialParametersTest, StartsLikeTorchWhereAsked) {
  const std::vector<Field> fields{{"genres", Field::Kind::kBag, 0, 5000, true},
                                  {"age", Field::Kind::kBag, 0, 1000},
                                  {"numbers", Field::Kind::kNumbers, 12, 0}};
  const auto deviations = [&](const char* init) {
    const auto network = make_network({{"hidden", "400"}, {"init", init}}, fields, 300);
    const auto p = initial_parameters(*network, Random(1), at::kDouble);
    std::map<std::string, double> found;
    for (size_t i = 0; i < p.size(); ++i) found[network->parameters()[i].name] = p[i].std(false).item<double>();
    return found;
  };
  const double inputs = 2 * 16 + 12;  // of the first layer: two vectors and the numbers
  const auto torch = deviations("torch"), unit = deviations("unit");
  EXPECT_NEAR(torch.at("embedding.genres"), 1 / std::sqrt(3 * 5000.0), 1e-4);
  EXPECT_NEAR(torch.at("embedding.age"), 1, 0.02);
  EXPECT_NEAR(torch.at("body.0.weight"), 1 / std::sqrt(3 * inputs), 3e-3);
  EXPECT_NEAR(torch.at("head.weight"), 1 / std::sqrt(3 * 400.0), 1e-3);
  EXPECT_EQ(torch.at("head.bias"), 0);
  EXPECT_NEAR(unit.at("embedding.genres"), 0.25, 2e-3);
  EXPECT_NEAR(unit.at("body.0.weight"), std::sqrt(2 / inputs), 8e-3);
}

TEST(LinearTest, FeaturesAreTheInputsThemselves) {
  const auto network = make_network({{"name", "linear"}}, {{"numbers", Field::Kind::kNumbers, 3, 0}}, 1);
  EXPECT_EQ(network->feature_size(), 3);
  const auto p = initial_parameters(*network, Random(1), at::kDouble);
  const NetworkInput input = numbers_only(random_numbers({2, 4, 3}, Random(2)));
  EXPECT_TRUE(at::equal(network->features(p, network->embed(p, input)), input.numbers));
  EXPECT_EQ(network->dense_body()->sizes, std::vector<int64_t>{3});
}

}  // namespace
}  // namespace fewshop::nn
