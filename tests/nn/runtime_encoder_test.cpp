#include "nn/runtime_encoder.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "random_input.h"

namespace fewshop::nn {
namespace {

using at::Tensor;
using nlohmann::json;

/// One value per field of row (t, s), as it comes at serving time.
std::vector<ColumnView> views(const NetworkInput& input, const Tensor& numbers, const std::vector<int32_t>& identities,
                              int64_t t, int64_t s) {
  const int64_t at = t * numbers.size(1) + s, width = numbers.size(2);
  std::vector<ColumnView> row{{{numbers.data_ptr<float>() + at * width, static_cast<size_t>(width)}, {}}};
  for (const auto& part : input.parts) {
    const int64_t r = part.row.data_ptr<int64_t>()[at];
    for (const Column& column : part.table->columns->columns) row.push_back(r < 0 ? ColumnView{} : column.row(r));
  }
  const int64_t id = input.identities[0].id.data_ptr<int64_t>()[at];
  if (id < 0)
    row.emplace_back();
  else
    row.push_back({{}, {identities.data() + id, 1}});
  return row;
}

void expect_same_answers(const json& options) {
  const EveryField every;
  const NetworkInput input = every.input(20, 25);
  const Tensor numbers = input.numbers.to(at::kFloat).contiguous();
  const auto network = make_network(options, fields(input), 3);
  auto p = initial_parameters(*network, Random(3));
  for (size_t i = 0; i < p.size(); ++i)
    p[i] = p[i] + 0.1 * random_numbers(p[i].sizes(), Random(4).fork(i)).to(at::kFloat);
  const auto encoder = runtime_encoder(options, fields(input), 3, p);
  const Tensor expected = network->features(p, network->embed(p, input)).contiguous();
  const Tensor outputs = network->head(p, expected).contiguous();
  std::vector<int32_t> identities(7);
  for (int32_t i = 0; i < 7; ++i) identities[i] = i;
  ASSERT_EQ(encoder->feature_size(), network->feature_size());
  ASSERT_EQ(encoder->outputs(), 3);
  Encoder::Scratch scratch;
  std::vector<float> x(static_cast<size_t>(encoder->feature_size())), y(3);
  const float *feature = expected.data_ptr<float>(), *output = outputs.data_ptr<float>();
  for (int64_t t = 0; t < 20; ++t)
    for (int64_t s = 0; s < 25; ++s) {
      encoder->encode(views(input, numbers, identities, t, s), scratch, x);
      encoder->head(x, y);
      for (size_t i = 0; i < x.size(); ++i, ++feature) ASSERT_NEAR(x[i], *feature, 1e-5 * (1 + std::abs(*feature)));
      for (size_t i = 0; i < y.size(); ++i, ++output) ASSERT_NEAR(y[i], *output, 1e-5 * (1 + std::abs(*output)));
    }
}

class RuntimeEncoderTest : public ::testing::TestWithParam<json> {};

TEST_P(RuntimeEncoderTest, AnswersAsTheFormThatWasTrained) { expect_same_answers(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Networks, RuntimeEncoderTest,
                         ::testing::Values(json{{"name", "linear"}}, json{{"name", "mf"}}, json{{"name", "mlp"}},
                                           json{{"name", "mlp"}, {"hidden", "9"}, {"activation", "tanh"}},
                                           json{{"name", "mlp"}, {"hidden", ""}},
                                           json{{"name", "mlp"}, {"hidden", "20-30-10-5"}}, json{{"name", "deepfm"}},
                                           json{{"name", "deepfm"}, {"hidden", ""}}, json{{"name", "dcn"}},
                                           json{{"name", "dcn"}, {"cross_rank", 4}, {"cross_layers", 3}},
                                           json{{"name", "dcn"}, {"hidden", ""}, {"cross_layers", 1}}));

TEST(RuntimeEncoderRefusalTest, NetworksOverSequencesHaveNone) {
  const std::vector<Field> one{{"items.words", Field::Kind::kSequence, 0, 5}};
  const auto network = make_network({{"name", "gru"}}, one, 1);
  EXPECT_THROW(runtime_encoder({{"name", "gru"}}, one, 1, initial_parameters(*network, Random(1))), InvalidInput);
}

TEST(RuntimeEncoderRefusalTest, AdaptedParametersOfManyTasksAreRefused) {
  const std::vector<Field> one{{"numbers", Field::Kind::kNumbers, 2, 0}};
  auto p = initial_parameters(*make_network({}, one, 1), Random(1));
  p[0] = at::zeros({3, 64, 2});
  EXPECT_THROW(runtime_encoder({}, one, 1, p), InvalidInput);
}

}  // namespace
}  // namespace fewshop::nn
