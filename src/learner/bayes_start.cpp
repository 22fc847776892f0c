#include "learner/bayes_start.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "learner/als_start.h"
#include "nn/sparse_matmul.h"

namespace fewshop::learning {
namespace {

Tensor random_normal(at::IntArrayRef shape, double scale, Random& random) {
  Tensor t = at::empty(shape, at::kFloat);
  float* values = t.data_ptr<float>();
  for (int64_t i = 0; i < t.numel(); ++i) values[i] = static_cast<float>(scale * random.normal());
  return t;
}

Tensor number(double value) { return at::full({}, value, at::kFloat); }

/// By what weights of a bag's entries grow where a bag is the mean of its entries instead of their sum by the root of
/// its size: the root of the usual size.
double bag_scale(const Column& column) {
  double sum = 0, bags = 0;
  for (size_t i = 0; i + 1 < column.offsets.size(); ++i) {
    const auto size = static_cast<double>(column.offsets[i + 1] - column.offsets[i]);
    sum += std::sqrt(size);
    bags += size > 0;
  }
  return bags > 0 ? sum / bags : 1;
}

/// Mean target, its variance, and each item's bias before any training: shrunk residual mean, or log count for ranks.
struct Start {
  double mean = 0, variance = 1;
  std::vector<float> item_bias;
};

Start start_values(const FitInput& input, bool ranking) {
  const Dataset& data = input.data;
  Start start;
  start.item_bias.assign(data.items(), 0);
  std::vector<double> sum(data.items(), 0), count(data.items(), 0);
  double total = 0, squares = 0, rows = 0;
  for (const auto& task : input.tasks)
    for (const int32_t r : task.rows) {
      if (input.is_hidden(data.item[r])) continue;
      const double weight = data.weight[r], target = data.target[r];
      total += weight * target;
      squares += weight * target * target;
      rows += weight;
      sum[data.item[r]] += weight * target;
      count[data.item[r]] += weight;
    }
  require(rows > 0,
          "bayes: no training rows are left: some items are hidden in training, to learn about new ones, and the ",
          "data has ", data.items(), " of them; more are needed");
  start.mean = ranking ? 0 : total / rows;
  start.variance = std::max(1e-4, squares / rows - (total / rows) * (total / rows));
  for (int64_t i = 0; i < data.items(); ++i) {
    constexpr double kShrinkage = 5;
    start.item_bias[i] =
        static_cast<float>(ranking ? std::log(count[i] + 1) - std::log(rows / static_cast<double>(data.items()) + 1)
                                   : (sum[i] - count[i] * start.mean) / (count[i] + kShrinkage));
  }
  return start;
}

/// Item vectors and biases as ALS leaves them.
void take_items(const FitInput& input, const BayesInputs& inputs, int d, const AlsMember::Parts& als,
                const Tensor& item_weight) {
  float* weight = item_weight.data_ptr<float>();
  const int64_t width = d + 1;  // the factors, then the bias; in the content map the bias comes first
  std::fill_n(weight, inputs.content * width, 0.0F);
  for (size_t c = 0; c < als.content.inputs.size(); ++c) {
    const auto& column = als.content.inputs[c];
    const double scale = bag_scale(input.data.item_features.columns[c]);
    for (int64_t r = column.begin; r < column.begin + column.width + column.vocabulary; ++r) {
      const float* said = als.content.weights.data() + r * width;
      for (int64_t k = 0; k < width; ++k) weight[r * width + k] = static_cast<float>(scale * said[k < d ? k + 1 : 0]);
    }
  }
  float* of_new = weight + (inputs.content + inputs.item_count) * width;
  std::fill_n(of_new, width, 0.0F);
  // What is an item's own is what its features do not say; what is new has the intercepts of ALS.
  std::vector<int32_t> rows(inputs.item_count);
  for (int32_t i = 0; i < inputs.item_count; ++i) rows[i] = i + inputs.item_count;
  const Tensor content = nn::sparse_matmul(inputs.items, rows, item_weight);
  for (const int32_t i : inputs.seen_items) {
    float* own = weight + (inputs.content + i) * width;
    const float* said = content.data_ptr<float>() + i * width;
    const float* vector = als.vectors.data() + static_cast<int64_t>(i) * als.width;
    for (int k = 0; k < d; ++k) own[k] = vector[k] - said[k];
    own[d] = als.item_bias[i] - said[d];
  }
  for (int k = 0; k <= d; ++k) of_new[k] = als.content.intercept[k < d ? k + 1 : 0];
}

constexpr float kSlowDecay = -6.5;  // half in a year

/// What alternating least squares leaves: the answers are those of ALS (learner/baseline/als.h), and training goes on
/// from there.
void start_from_als(const FitInput& input, const BayesInputs& inputs, int d, BayesParameters& p) {
  const AlsMember::Parts als = als_of(input, d);
  const double noise = std::max(1e-4, static_cast<double>(als.noise));
  take_items(input, inputs, d, als, p.item_weight);
  float* precision = p.log_precision.data_ptr<float>();
  for (int k = 0; k <= d; ++k) precision[k] = static_cast<float>(std::log(als.base[k * als.width + k] / noise));
  p.log_noise.fill_(std::log(noise));
  p.log_beta.fill_(-std::log(noise));
  p.raw_decay.fill_(kSlowDecay);
  p.offset.fill_(als.mean);
}

/// The same for ranks, where the scores of ALS, between 0 and 1, are spread out for the softmax.
void start_from_implicit_als(const FitInput& input, const BayesInputs& inputs, int d, BayesParameters& p) {
  constexpr double kSpread = 10;
  const AlsMember::Parts als = als_of(input, d);
  take_items(input, inputs, d, als, p.item_weight);
  p.log_precision.fill_(std::log(kRankRidge));
  p.log_gram.fill_(std::log(static_cast<double>(inputs.seen_items.size())));
  p.log_beta.fill_(std::log(als.alpha));
  p.target_scale.fill_(kSpread * (als.alpha + 1) / als.alpha);
  p.raw_decay.fill_(kSlowDecay);
}

}  // namespace

BayesParameters initial_parameters(const FitInput& input, const BayesInputs& inputs, int d, const std::string& from,
                                   uint64_t seed) {
  const bool ranking = input.scenario.problem == Problem::kRanking;
  require(from == "random" || from == "als", "learner.start: expected random or als, got '", from, "'");
  constexpr double kScale = 0.1, kContentScale = 0.01;  // of an embedding entry
  Random random = Random(seed).fork("bayes");
  const Start start = start_values(input, ranking);
  const int64_t head = ranking ? d : d + 1;
  const auto kinds = static_cast<int64_t>(std::max<size_t>(1, input.data.kinds.size()));
  BayesParameters p;
  p.item_weight = random_normal({inputs.content + inputs.item_count + 1, d + 1}, kScale, random);
  // Content begins near zero: what it is worth has to be learnt, and until then it would be noise in new items.
  p.item_weight.narrow(0, 0, inputs.content).mul_(kContentScale / kScale);
  float* weight = p.item_weight.data_ptr<float>();
  for (int64_t r = 0; r + 1 < p.item_weight.size(0); ++r)
    weight[r * (d + 1) + d] = r < inputs.content ? 0 : start.item_bias[r - inputs.content];
  p.item_weight.select(0, inputs.content + inputs.item_count).zero_();
  p.description_weight = at::zeros({inputs.tasks.inputs, head}, at::kFloat);
  p.prior = at::zeros({head}, at::kFloat);
  p.log_precision = at::zeros({head}, at::kFloat);
  p.log_gram = number(std::log(0.05 * static_cast<double>(inputs.seen_items.size())));
  p.log_noise = number(std::log(0.7 * start.variance));
  p.offset = number(start.mean);
  p.target_scale = at::ones({kinds}, at::kFloat);
  p.log_beta = at::full({kinds}, ranking ? std::log(5.0) : -std::log(0.7 * start.variance), at::kFloat);
  p.raw_decay = at::full({kinds}, -5.0, at::kFloat);
  p.repeat = at::zeros({kinds}, at::kFloat);
  p.raw_repeat_decay = at::full({kinds}, -5.0, at::kFloat);
  if (from == "als") ranking ? start_from_implicit_als(input, inputs, d, p) : start_from_als(input, inputs, d, p);
  return p;
}

}  // namespace fewshop::learning
