#include "core/time.h"

#include <gtest/gtest.h>

#include "core/property.h"

namespace fewshop {
namespace {

std::string read(std::string_view text) {
  const auto time = parse_time(text);
  return time ? format_time(*time) : "nothing";
}

TEST(TimeTest, DatesAndTimesAreReadAsUtc) {
  EXPECT_EQ(parse_time("1970-01-01"), 0);
  EXPECT_EQ(parse_time("2011-12-09 12:50"), 1'323'435'000 * kSecond);
  EXPECT_EQ(read("2011-12-09"), "2011-12-09T00:00:00Z");
  EXPECT_EQ(read("2011/12/09"), "2011-12-09T00:00:00Z");
  EXPECT_EQ(read("2011-12-09T12:50:07"), "2011-12-09T12:50:07Z");
  EXPECT_EQ(read("2011-12-09T12:50:07.25Z"), "2011-12-09T12:50:07.25Z");
  EXPECT_EQ(read("2011-12-09 12:50:07.123456789"), "2011-12-09T12:50:07.123456Z");
  EXPECT_EQ(read("2019-10-01 00:00:00 UTC"), "2019-10-01T00:00:00Z");
  EXPECT_EQ(read("  2011-12-09  "), "2011-12-09T00:00:00Z");
  EXPECT_EQ(read("1969-12-31T23:59:59.5"), "1969-12-31T23:59:59.5Z");
}

TEST(TimeTest, OffsetsAreTakenOff) {
  EXPECT_EQ(read("2011-12-09T12:50:00+02:00"), "2011-12-09T10:50:00Z");
  EXPECT_EQ(read("2011-12-09T12:50:00-0530"), "2011-12-09T18:20:00Z");
  EXPECT_EQ(read("2011-12-31T23:30-01"), "2012-01-01T00:30:00Z");
  EXPECT_EQ(read("2011-12-09 12:50:00 +02:00"), "2011-12-09T10:50:00Z");
}

TEST(TimeTest, EpochNumbersAreToldApartBySize) {
  EXPECT_EQ(read("1323435000"), "2011-12-09T12:50:00Z");
  EXPECT_EQ(read("1323435000.5"), "2011-12-09T12:50:00.5Z");
  EXPECT_EQ(read("1323435000500"), "2011-12-09T12:50:00.5Z");
  EXPECT_EQ(read("1323435000500000"), "2011-12-09T12:50:00.5Z");
  EXPECT_EQ(read("0"), "1970-01-01T00:00:00Z");
}

TEST(TimeTest, EpochNumbersAreRoundedToTheNearestMicrosecond) {
  EXPECT_EQ(parse_time("1.0000014"), 1'000'001);
  EXPECT_EQ(parse_time("1.0000016"), 1'000'002);
  // Odd and above 2^52, where one half cannot be added to a double.
  EXPECT_EQ(parse_time("4600000000.000001"), 4'600'000'000'000'001);
  EXPECT_EQ(parse_time("4600000000000.003"), 4'600'000'000'000'003);
}

TEST(TimeTest, WhatIsNoTimeIsNothing) {
  for (const char* text : {"",
                           " ",
                           "-",
                           "--",
                           "nan",
                           "inf",
                           "1e999",
                           "-5",
                           "yesterday",
                           "2011-02-29",
                           "2011-13-01",
                           "2011-00-10",
                           "2011-01-32",
                           "2011-01-00",
                           "2011-01-01 24:00",
                           "2011-01-01 12:60",
                           "2011-01-01 12:00:60",
                           "2011-01-01T",
                           "2011-01-01 12",
                           "2011-01-01 12:",
                           "2011-01-01 12:30:",
                           "2011-01-01 12:30.5",
                           "2011-01-01 12:30:00.",
                           "2011-01-01 12:30:00+",
                           "2011-01-01 12:30:00+02:",
                           "2011-01-01 12:30:00+2",
                           "2011-01-01 12:30:00+19:00",
                           "2011-01-01 12:30:00 ABC",
                           "2011-01-01 12:30:00Z ago",
                           "2011-01/01",
                           "2011-1-1",
                           "20-01-2011",
                           "2011-01-01x",
                           "0000-01-01T00:00:00+02:00",
                           "9999-12-31T23:59:59-02:00",
                           "1323435000s",
                           "99999999999999999999"})
    EXPECT_EQ(read(text), "nothing") << '"' << text << '"';
  EXPECT_EQ(read("2012-02-29"), "2012-02-29T00:00:00Z");
}

TEST(TimeTest, WhatIsWrittenIsReadBack) {
  expect_property("parse_time(format_time(t)) == t", [] {
    // 0000-01-01 to 9999-12-31, in microseconds.
    const auto time = *rc::gen::inRange<Micros>(-62'167'219'200 * kSecond, 253'402'300'800 * kSecond);
    RC_ASSERT(parse_time(format_time(time)) == time);
    const Micros whole = time / kSecond * kSecond;
    RC_ASSERT(parse_time(format_time(whole)) == whole);
  });
}

TEST(TimeTest, WrittenTimesSortLikeTheirNumbers) {
  expect_property("earlier seconds are smaller texts", [] {
    const auto a = *rc::gen::inRange<Micros>(0, 250'000'000'000) * kSecond;
    const auto b = *rc::gen::inRange<Micros>(0, 250'000'000'000) * kSecond;
    RC_ASSERT((a < b) == (format_time(a) < format_time(b)));
  });
}

}  // namespace
}  // namespace fewshop
