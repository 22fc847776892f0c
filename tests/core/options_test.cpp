#include "core/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewshop {
namespace {

struct SampleOptions {
  int steps = 5;
  int64_t rows = 10;
  double rate = 0.5;
  bool fast = false;
  std::string encoder = "sum";
};

template <class Visitor>
void fields(SampleOptions& o, Visitor&& visit) {
  visit("steps", o.steps, Field{1, 100, "gradient steps"});
  visit("rows", o.rows, Field{0, 1e12, "rows"});
  visit("rate", o.rate, Field{0, 1, "step size"});
  visit("fast", o.fast, Field{0, 1, "skip the slow part"});
  visit("encoder", o.encoder, Field{0, 1, "name of the encoder"});
}

std::string refusal(const nlohmann::json& values) {
  SampleOptions options;
  try {
    set_fields(options, values, "learner");
  } catch (const InvalidInput& e) {
    return e.what();
  }
  return "";
}

TEST(OptionsTest, ValuesAreSetByNameAndOthersKeepTheirDefaults) {
  SampleOptions options;
  set_fields(options, {{"steps", 7}, {"rate", 1}, {"fast", true}, {"rows", int64_t{1} << 33}}, "learner");
  EXPECT_EQ(options.steps, 7);
  EXPECT_EQ(options.rate, 1.0);
  EXPECT_TRUE(options.fast);
  EXPECT_EQ(options.rows, int64_t{1} << 33);
  EXPECT_EQ(options.encoder, "sum");
}

TEST(OptionsTest, RefusalsSayPlaceRangeAndMeaning) {
  EXPECT_EQ(refusal({{"steps", 0}}), "learner.steps: 0 is outside [1, 100]; it is: gradient steps");
  EXPECT_THAT(refusal({{"steps", 101}}), testing::HasSubstr("outside [1, 100]"));
  EXPECT_THAT(refusal({{"steps", 1.5}}), testing::HasSubstr("expected a whole number, got 1.5"));
  EXPECT_THAT(refusal({{"steps", 18446744073709551615ULL}}), testing::HasSubstr("outside"));
  EXPECT_THAT(refusal({{"steps", true}}), testing::HasSubstr("expected a whole number, got true"));
  EXPECT_THAT(refusal({{"rate", "fast"}}), testing::HasSubstr("expected a number, got \"fast\""));
  EXPECT_THAT(refusal({{"fast", 1}}), testing::HasSubstr("expected true or false, got 1"));
  EXPECT_THAT(refusal({{"encoder", 1}}), testing::HasSubstr("expected text, got 1"));
  EXPECT_THAT(refusal({{"stepz", 1}}),
              testing::HasSubstr("unknown option 'stepz'; known options: steps, rows, rate, fast, encoder"));
  EXPECT_THAT(refusal(nlohmann::json::array({1})), testing::HasSubstr("expected names with values, got [1]"));
  EXPECT_THAT(refusal(3), testing::HasSubstr("expected names with values, got 3"));
}

TEST(OptionsTest, DescriptionsCarryTypeDefaultAndRange) {
  const auto list = describe_fields<SampleOptions>();
  ASSERT_EQ(list.size(), 5);
  EXPECT_EQ(list[0].name, "steps");
  EXPECT_EQ(list[0].type, "integer");
  EXPECT_EQ(list[0].default_value, 5);
  EXPECT_EQ(list[0].max, 100);
  EXPECT_EQ(list[1].type, "integer");
  EXPECT_EQ(list[2].type, "number");
  EXPECT_EQ(list[3].type, "boolean");
  EXPECT_EQ(list[4].type, "text");
  EXPECT_EQ(list[4].default_value, "sum");
}

TEST(OptionsTest, WrittenFieldsAreReadBack) {
  SampleOptions options{.steps = 9, .rows = 3, .rate = 0.125, .fast = true, .encoder = "gru"}, copy;
  set_fields(copy, fields_to_json(options), "learner");
  EXPECT_EQ(fields_to_json(copy), fields_to_json(options));
}

}  // namespace
}  // namespace fewshop
