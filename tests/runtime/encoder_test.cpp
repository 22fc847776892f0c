#include "runtime/encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/random_encoder.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kNames[] = {"linear", "mf", "mlp", "deepfm", "dcn"};

const std::vector<float> kNumbers{0.5F, -1.5F};
const std::vector<int32_t> kTags{3, 0, 3}, kAge{1};

std::vector<ColumnView> some_row() { return {{kNumbers, {}}, {{}, kTags}, {{}, kAge}}; }

std::vector<float> features(const Encoder& encoder, const std::vector<ColumnView>& row) {
  Encoder::Scratch scratch;
  std::vector<float> x(static_cast<size_t>(encoder.feature_size()));
  encoder.encode(row, scratch, x);
  return x;
}

std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "";
}

class EncoderTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Encoder> encoder_ = Encoder::make(random_encoder_arrays(GetParam()));
};

TEST_P(EncoderTest, PartsOfTaskAndItemAddUpToTheRow) {
  const auto row = some_row();
  Encoder::Scratch scratch;
  std::vector<float> task(static_cast<size_t>(encoder_->part_size())), item(task.size()),
      x(static_cast<size_t>(encoder_->feature_size()));
  encoder_->add(2, row[2], scratch, task);
  encoder_->add(1, row[1], scratch, item);
  encoder_->add(0, row[0], scratch, item);
  for (size_t i = 0; i < task.size(); ++i) item[i] += task[i];
  encoder_->finish(item, scratch, x);
  const auto whole = features(*encoder_, row);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], whole[i], 1e-5);
}

TEST_P(EncoderTest, EveryFieldCounts) {
  const auto whole = features(*encoder_, some_row());
  for (size_t f = 0; f < 3; ++f) {
    auto row = some_row();
    row[f] = {};
    EXPECT_NE(features(*encoder_, row), whole) << f;
  }
}

TEST_P(EncoderTest, SavedAndLoadedItAnswersTheSame) {
  TensorFile file;
  encoder_->save(file, "encoder.");
  const TensorFile read = TensorFile::parse(file.serialize(), "test");
  const auto loaded = Encoder::load(read, "encoder.");
  const auto x = features(*loaded, some_row());
  EXPECT_EQ(x, features(*encoder_, some_row()));
  std::vector<float> a(2), b(2);
  encoder_->head(x, a);
  loaded->head(x, b);
  EXPECT_EQ(a, b);
  EXPECT_EQ(loaded->fields()[1].name, "items.tags");
}

TEST_P(EncoderTest, ParametersThatDoNotFitAreRefused) {
  const auto arrays = random_encoder_arrays(GetParam());
  for (const auto& entry : arrays.parameters) {
    auto missing = arrays;
    missing.parameters.erase(entry.first);
    EXPECT_THAT(message([&] { Encoder::make(missing); }), HasSubstr(entry.first + " is missing"));
    auto longer = arrays;
    longer.parameters[entry.first].push_back(0);
    EXPECT_THAT(message([&] { Encoder::make(longer); }), HasSubstr("parameter " + entry.first + " has "));
  }
  auto more = arrays;
  more.parameters["body.9.weight"] = {1};
  EXPECT_THAT(message([&] { Encoder::make(more); }), HasSubstr("parameters, where"));
}

TEST_P(EncoderTest, ValuesOfAnotherFieldAreRefused) {
  const std::vector<float> three{1, 2, 3};
  const std::vector<int32_t> large{4}, negative{-1};
  const auto with = [&](size_t field, const ColumnView& value) {
    return message([&] {
      auto row = some_row();
      row[field] = value;
      features(*encoder_, row);
    });
  };
  EXPECT_THAT(with(0, {three, {}}), HasSubstr("numbers: got 3 numbers, expected 2"));
  EXPECT_THAT(with(0, {{}, kAge}), HasSubstr("numbers: got entry 1, expected one below 0"));
  EXPECT_THAT(with(1, {kNumbers, {}}), HasSubstr("items.tags: got 2 numbers, expected 0"));
  EXPECT_THAT(with(1, {{}, large}), HasSubstr("items.tags: got entry 4, expected one below 4"));
  EXPECT_THAT(with(2, {{}, negative}), HasSubstr("tasks.age: got entry -1"));
  EXPECT_THAT(message([&] { features(*encoder_, {}); }), HasSubstr("got 0 fields"));
}

INSTANTIATE_TEST_SUITE_P(Networks, EncoderTest, ::testing::ValuesIn(kNames),
                         [](const auto& info) { return std::string(info.param); });

TEST(EncoderFileTest, DamagedOptionsFieldsAndSizesAreRefused) {
  const auto encoder = Encoder::make(random_encoder_arrays("mlp"));
  const auto damaged = [&](const std::function<void(TensorFile&)>& damage) {
    TensorFile file;
    encoder->save(file, "e.");
    damage(file);
    return message([&] { Encoder::load(file, "e."); });
  };
  EXPECT_EQ(damaged([](TensorFile&) {}), "");
  EXPECT_THAT(damaged([](TensorFile& f) { f.put_text("e.options", "{"); }), HasSubstr("damaged"));
  EXPECT_THAT(damaged([](TensorFile& f) { f.put_text("e.options", R"({"name":"mlp","embedding":0})"); }),
              HasSubstr("outside [1, 1024]"));
  EXPECT_THAT(damaged([](TensorFile& f) { f.put_text("e.options", R"({"name":"gru"})"); }),
              HasSubstr("'gru' does not run without"));
  EXPECT_THAT(damaged([](TensorFile& f) { f.put_text("e.fields", "[]"); }), HasSubstr("sizes are missing"));
  EXPECT_THAT(
      damaged([](TensorFile& f) { f.put_text("e.fields", R"([{"name":"numbers","width":-2,"vocabulary":0}])"); }),
      HasSubstr("do not fit"));
  // A vocabulary that is larger than its table would be read beyond its end.
  EXPECT_THAT(damaged([](TensorFile& f) {
                f.put_text("e.fields", R"([{"name":"numbers","width":2,"vocabulary":0},)"
                                       R"({"name":"items.tags","width":0,"vocabulary":2000000000},)"
                                       R"({"name":"tasks.age","width":0,"vocabulary":3}])");
              }),
              HasSubstr("embedding.items.tags has 12 numbers, expected 6000000000"));
  EXPECT_THAT(damaged([](TensorFile& f) { f.put<int32_t>("e.outputs", std::vector<int32_t>{3}); }),
              HasSubstr("head.weight has 6 numbers, expected 9"));
  EXPECT_THAT(damaged([](TensorFile& f) { f.put<int32_t>("e.outputs", std::vector<int32_t>{}); }),
              HasSubstr("expected one number of outputs"));
}

TEST(DcnEncoderTest, LowRankLayersHaveTheirOwnForm) {
  const auto encoder = Encoder::make(random_encoder_arrays("dcn", 2));
  for (const float x : features(*encoder, some_row())) EXPECT_TRUE(std::isfinite(x));
  EXPECT_THAT(message([] {
                Encoder::make([] {
                  auto a = random_encoder_arrays("dcn", 2);
                  a.options.cross_rank = 3;
                  return a;
                }());
              }),
              HasSubstr("cross.0.down has 16 numbers, expected 24"));
}

TEST(EncoderFormTest, OnlyNetworksWithAFormAreMade) {
  EncoderOptions options;
  for (const char* name : kNames) {
    options.name = name;
    EXPECT_TRUE(Encoder::has_form(options)) << name;
  }
  for (const char* name : {"gru", "lstm", "transformer"}) {
    options.name = name;
    EXPECT_FALSE(Encoder::has_form(options)) << name;
  }
}

}  // namespace
}  // namespace fewshop
