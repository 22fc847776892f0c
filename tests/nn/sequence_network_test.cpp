#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/error.h"
#include "nn/network.h"
#include "random_input.h"

namespace fewshop::nn {
namespace {

using at::Tensor;
using nlohmann::json;
using Vector = std::vector<double>;

// Plain loops over numbers, written from the papers' formulas, for one sequence of entry vectors.

/// A matrix [rows, columns] or vector [rows, 1] of parameters.
struct Matrix {
  int64_t rows = 0, columns = 0;
  Vector x;
  double operator()(int64_t i, int64_t j = 0) const { return x[i * columns + j]; }
};

class Parameters {
 public:
  Parameters(const Network& network, const std::vector<Tensor>& p) {
    for (size_t i = 0; i < p.size(); ++i) {
      const Tensor t = p[i].contiguous();
      Matrix& m = byname_[network.parameters()[i].name];
      m = {t.size(0), t.dim() == 2 ? t.size(1) : 1, {t.data_ptr<double>(), t.data_ptr<double>() + t.numel()}};
    }
  }
  const Matrix& operator[](const std::string& name) const { return byname_.at(name); }

 private:
  std::map<std::string, Matrix> byname_;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Row i of w times x.
double product(const Matrix& w, int64_t i, const Vector& x) {
  double sum = 0;
  for (size_t j = 0; j < x.size(); ++j) sum += w(i, static_cast<int64_t>(j)) * x[j];
  return sum;
}

Vector gru(const Parameters& p, const std::string& name, const std::vector<Vector>& entries, int64_t h) {
  const Matrix &w = p[name + ".input.weight"], &b = p[name + ".input.bias"], &u = p[name + ".state.weight"],
               &c = p[name + ".state.bias"];
  Vector s(h, 0.0);
  for (const Vector& x : entries) {
    Vector next(h);
    for (int64_t i = 0; i < h; ++i) {
      const double r = sigmoid(product(w, i, x) + b(i) + product(u, i, s) + c(i));
      const double z = sigmoid(product(w, h + i, x) + b(h + i) + product(u, h + i, s) + c(h + i));
      const int64_t n = 2 * h + i;
      next[i] = (1 - z) * std::tanh(product(w, n, x) + b(n) + r * (product(u, n, s) + c(n))) + z * s[i];
    }
    s = next;
  }
  return s;
}

Vector lstm(const Parameters& p, const std::string& name, const std::vector<Vector>& entries, int64_t h) {
  const Matrix &w = p[name + ".input.weight"], &u = p[name + ".state.weight"], &b = p[name + ".bias"];
  Vector s(h, 0.0), cell(h, 0.0);
  for (const Vector& x : entries) {
    Vector next(h);
    for (int64_t i = 0; i < h; ++i) {
      const auto a = [&](int64_t gate) {
        return product(w, gate * h + i, x) + product(u, gate * h + i, s) + b(gate * h + i);
      };
      cell[i] = sigmoid(a(1) + 1) * cell[i] + sigmoid(a(0)) * std::tanh(a(3));
      next[i] = sigmoid(a(2)) * std::tanh(cell[i]);
    }
    s = next;
  }
  return s;
}

Vector normed(const Parameters& p, const std::string& name, const Vector& x) {
  double mean = 0, variance = 0;
  for (const double v : x) mean += v / x.size();
  for (const double v : x) variance += (v - mean) * (v - mean) / x.size();
  Vector y;
  for (size_t i = 0; i < x.size(); ++i)
    y.push_back((x[i] - mean) / std::sqrt(variance + 1e-5) * p[name + ".scale"](i) + p[name + ".shift"](i));
  return y;
}

Vector dense(const Parameters& p, const std::string& name, const Vector& x) {
  Vector y;
  for (int64_t i = 0; i < p[name + ".weight"].rows; ++i)
    y.push_back(product(p[name + ".weight"], i, x) + p[name + ".bias"](i));
  return y;
}

/// One block, `heads` heads, tanh.
Vector transformer(const Parameters& p, const std::string& name, std::vector<Vector> x, int64_t heads) {
  const int64_t n = static_cast<int64_t>(x.size()), k = p["embedding.items.words"].columns, size = k / heads;
  if (n == 0) return Vector(k, 0.0);
  std::vector<Vector> qkv;
  for (int64_t l = 0; l < n; ++l) {
    for (int64_t i = 0; i < k; ++i) x[l][i] += p[name + ".position"](n - 1 - l, i);
    qkv.push_back(dense(p, name + ".0.attention.input", normed(p, name + ".0.attention.norm", x[l])));
  }
  for (int64_t l = 0; l < n; ++l) {
    Vector mixed(k, 0.0);
    for (int64_t head = 0; head < heads; ++head) {
      Vector weight(n);
      double total = 0;
      for (int64_t m = 0; m < n; ++m) {
        double score = 0;
        for (int64_t i = 0; i < size; ++i) score += qkv[l][head * size + i] * qkv[m][k + head * size + i];
        total += weight[m] = std::exp(score / std::sqrt(static_cast<double>(size)));
      }
      for (int64_t m = 0; m < n; ++m)
        for (int64_t i = 0; i < size; ++i)
          mixed[head * size + i] += weight[m] / total * qkv[m][2 * k + head * size + i];
    }
    const Vector y = dense(p, name + ".0.attention.output", mixed);
    for (int64_t i = 0; i < k; ++i) x[l][i] += y[i];
  }
  Vector mean(k, 0.0);
  for (int64_t l = 0; l < n; ++l) {
    Vector inner = dense(p, name + ".0.dense.0", normed(p, name + ".0.dense.norm", x[l]));
    for (double& v : inner) v = std::tanh(v);
    const Vector y = dense(p, name + ".0.dense.1", inner);
    for (int64_t i = 0; i < k; ++i) x[l][i] += y[i];
    const Vector last = normed(p, name + ".norm", x[l]);
    for (int64_t i = 0; i < k; ++i) mean[i] += last[i] / n;
  }
  return mean;
}

constexpr int64_t kState = 3, kHeads = 2;

/// One network that reads one sequence column and nothing else: its features are the sequence's vector.
class OneSequence {
 public:
  explicit OneSequence(const std::string& name, int max_length = 50) : name_(name), columns_(9, Random(11)) {
    columns_.entries("items.words", 6, 5);
    table_ = std::make_shared<InputTable>(input_table(columns_.columns(), {"items.words"}));
    network = make_network({{"name", name},
                            {"embedding", 4},
                            {"hidden", ""},
                            {"activation", "tanh"},
                            {"state", kState},
                            {"heads", kHeads},
                            {"max_length", max_length}},
                           table_->fields, 1);
    p = initial_parameters(*network, Random(3), at::kDouble);
    for (size_t i = 0; i < p.size(); ++i) p[i] = p[i] + 0.3 * random_numbers(p[i].sizes(), Random(4).fork(i));
  }
  Tensor features(const Tensor& row) const {
    return network->features(p, network->embed(p, {{}, {{table_, row}}, {}}));
  }
  std::vector<int32_t> ids(int64_t r) const {
    const auto view = columns_.columns().columns[0].row(r).ids;
    return {view.begin(), view.end()};
  }
  Vector reference(std::span<const int32_t> ids) const {
    const Parameters values(*network, p);
    const Matrix& table = values["embedding.items.words"];
    std::vector<Vector> entries;
    for (const int32_t id : ids)
      entries.emplace_back(table.x.begin() + id * table.columns, table.x.begin() + (id + 1) * table.columns);
    const std::string prefix = name_ + ".items.words";
    if (name_ == "gru") return gru(values, prefix, entries, kState);
    if (name_ == "lstm") return lstm(values, prefix, entries, kState);
    return transformer(values, prefix, entries, kHeads);
  }

  std::unique_ptr<Network> network;
  std::vector<Tensor> p;

 private:
  std::string name_;
  RandomColumns columns_;
  std::shared_ptr<InputTable> table_;
};

class SequenceNetworkTest : public ::testing::TestWithParam<const char*> {};

void expect_vector(const Tensor& row, const Vector& expected) {
  ASSERT_EQ(row.numel(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(row.contiguous().data_ptr<double>()[i], expected[i], 1e-12);
}

TEST_P(SequenceNetworkTest, EqualsPlainLoopsOverTheEntries) {
  const OneSequence one(GetParam());
  const Tensor features = one.features(at::arange(9, at::kLong).view({3, 3}));
  std::set<size_t> lengths;
  for (int64_t r = 0; r < 9; ++r) {
    const auto ids = one.ids(r);
    lengths.insert(ids.size());
    expect_vector(features[r / 3][r % 3], one.reference(ids));
  }
  EXPECT_GT(lengths.size(), 3);  // the batch mixes lengths, an empty sequence among them
  EXPECT_EQ(*lengths.begin(), 0);
}

TEST_P(SequenceNetworkTest, ReadsTheLastEntriesOfALongSequence) {
  const OneSequence one(GetParam(), 2);
  const Tensor features = one.features(at::arange(9, at::kLong).view({1, 9}));
  bool longer = false;
  for (int64_t r = 0; r < 9; ++r) {
    const auto ids = one.ids(r);
    longer = longer || ids.size() > 2;
    expect_vector(features[0][r], one.reference(std::span(ids).last(std::min<size_t>(2, ids.size()))));
  }
  EXPECT_TRUE(longer);
}

TEST_P(SequenceNetworkTest, ASequenceThatAllRowsOfATaskShareIsReadOnce) {
  const OneSequence one(GetParam());
  const Tensor row = at::tensor(std::vector<int64_t>{2, 2, 2, 5, 5, 5}, at::kLong).view({2, 3});
  const auto features = one.features(row);
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t s = 0; s < 3; ++s) expect_vector(features[t][s], one.reference(one.ids(t ? 5 : 2)));
}

TEST_P(SequenceNetworkTest, OrderCounts) {
  const OneSequence one(GetParam());
  auto ids = one.ids(0);
  for (int64_t r = 1; r < 9 && (ids.size() < 2 || ids.front() == ids.back()); ++r) ids = one.ids(r);
  ASSERT_NE(ids.front(), ids.back());
  const Vector forward = one.reference(ids);
  std::reverse(ids.begin(), ids.end());
  EXPECT_NE(one.reference(ids), forward);
}

TEST_P(SequenceNetworkTest, WithoutASequenceItIsRefused) {
  try {
    make_network({{"name", GetParam()}}, {{"items.genres", Field::Kind::kBag, 0, 5}}, 1);
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("reads a sequence, and no feature is one"));
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, SequenceNetworkTest, ::testing::Values("gru", "lstm", "transformer"),
                         [](const auto& info) { return std::string(info.param); });

TEST(TransformerTest, RefusesHeadsThatDoNotDivideTheEmbedding) {
  EXPECT_THROW(make_network({{"name", "transformer"}, {"embedding", 6}, {"heads", 4}},
                            {{"items.words", Field::Kind::kSequence, 0, 5}}, 1),
               InvalidInput);
}

}  // namespace
}  // namespace fewshop::nn
