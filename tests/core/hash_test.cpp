#include "core/hash.h"

#include <gtest/gtest.h>

#include "core/property.h"

namespace fewshop {
namespace {

TEST(HashTest, KnownValuesStayTheSameAcrossReleases) {
  // XXH3_64bits of the empty text and of "a", from the reference implementation (xxhsum -H3).
  EXPECT_EQ(to_hex(hash64("")), "2d06800538d394c2");
  EXPECT_EQ(to_hex(hash64("a")), "e6c632b61e964e1f");
  EXPECT_EQ(to_hex(0), "0000000000000000");
  EXPECT_EQ(to_hex(0xfedcba9876543210), "fedcba9876543210");
}

TEST(FingerprintTest, PartsDoNotRunIntoEachOther) {
  expect_property("moving the border between two parts changes the fingerprint",
                  [](const std::string& a, char c, const std::string& b) {
                    RC_ASSERT(Fingerprint().add(a + c).add(b).value() != Fingerprint().add(a).add(c + b).value());
                  });
}

TEST(FingerprintTest, OrderTypeAndValueOfPartsMatter) {
  const auto value = [](auto... parts) {
    Fingerprint fingerprint;
    (fingerprint.add(parts), ...);
    return fingerprint.value();
  };
  EXPECT_NE(value("a", "b"), value("b", "a"));
  EXPECT_NE(value(1, 2), value(2, 1));
  EXPECT_NE(value("1"), value(1));
  EXPECT_NE(value(), value(""));
  EXPECT_NE(value(0.25), value(0.75)) << "fractions must not be cut off";
  EXPECT_EQ(value("a", 3), value("a", int64_t{3}));
}

}  // namespace
}  // namespace fewshop
