#include "online/keys.h"

#include "core/error.h"
#include "online/secret.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Verdict = KeyRing::Verdict;

constexpr Micros kNow = 1'700'000'000 * kSecond;

/// A ring with one key as asked for; its secret.
std::string add(KeyRing& ring, const nlohmann::json& wanted) {
  const auto made = KeyRing::make(KeyRing::parse(wanted, kNow), kNow);
  ring.put(made.setting);
  return made.secret;
}

std::string why(const nlohmann::json& wanted) {
  try {
    KeyRing::parse(wanted, kNow);
  } catch (const InvalidInput& problem) {
    return problem.what();
  }
  return "";
}

TEST(Keys, AKeyAllowsWhatItWasMadeForAndNothingElse) {
  KeyRing ring;
  EXPECT_FALSE(ring.any());
  const auto secret = add(ring, {{"name", "site"}, {"actions", {"events:write", "recommend"}}});
  EXPECT_TRUE(ring.any());
  EXPECT_EQ(ring.check(secret, "recommend", kNow, 0).verdict, Verdict::kGranted);
  EXPECT_EQ(ring.check(secret, "events:write", kNow, 0).verdict, Verdict::kGranted);
  for (const char* other : {"data:read", "data:write", "models", "admin"})
    EXPECT_EQ(ring.check(secret, other, kNow, 0).verdict, Verdict::kNotAllowed) << other;
  EXPECT_EQ(ring.check(secret + "x", "recommend", kNow, 0).verdict, Verdict::kUnknown);
  EXPECT_EQ(ring.check(secret.substr(1), "recommend", kNow, 0).verdict, Verdict::kUnknown);
  EXPECT_EQ(ring.check("", "recommend", kNow, 0).verdict, Verdict::kUnknown);
}

TEST(Keys, AdminIncludesAllOthers) {
  KeyRing ring;
  const auto secret = add(ring, {{"actions", {"admin"}}});
  for (const auto& action : KeyRing::actions())
    EXPECT_EQ(ring.check(secret, action, kNow, 0).verdict, Verdict::kGranted) << action;
}

TEST(Keys, WhatIsStoredDoesNotTellTheSecret) {
  const auto made = KeyRing::make(KeyRing::parse({{"actions", {"recommend"}}}, kNow), kNow);
  EXPECT_EQ(made.secret.size(), 46);  // "fs_" and 256 bits in base64
  const std::string stored = made.setting.value.dump();
  EXPECT_THAT(stored, Not(HasSubstr(made.secret)));
  EXPECT_THAT(stored, HasSubstr(hex_of(sha256(made.secret))));
  EXPECT_THAT(to_json(made.key).dump(), Not(HasSubstr(made.secret)));
  EXPECT_THAT(to_json(made.key).dump(), Not(HasSubstr(hex_of(sha256(made.secret)))));
  EXPECT_EQ(made.key.prefix, made.secret.substr(0, 9));
  EXPECT_NE(made.secret, KeyRing::make(KeyRing::parse({{"actions", {"recommend"}}}, kNow), kNow).secret);
}

TEST(Keys, AKeyEndsWhenItExpires) {
  KeyRing ring;
  const auto secret = add(ring, {{"actions", {"recommend"}}, {"expires_at", format_time(kNow + kDay)}});
  EXPECT_EQ(ring.check(secret, "recommend", kNow + kDay - 1, 0).verdict, Verdict::kGranted);
  EXPECT_EQ(ring.check(secret, "recommend", kNow + kDay, 0).verdict, Verdict::kExpired);
  EXPECT_TRUE(ring.any_valid(kNow));
  EXPECT_FALSE(ring.any_valid(kNow + kDay));
  EXPECT_THAT(why({{"actions", {"recommend"}}, {"expires_at", "2001-01-01"}}), HasSubstr("a time to come"));
}

TEST(Keys, ARevokedKeyEndsAtOnceAndStaysAsARecord) {
  KeyRing ring;
  const auto secret = add(ring, {{"name", "old"}, {"actions", {"recommend"}}});
  const auto id = ring.list().front().id;
  const auto setting = ring.revoked(id, kNow + 5);
  EXPECT_FALSE(setting.value.contains("hash"));
  ring.put(setting);
  EXPECT_EQ(ring.check(secret, "recommend", kNow, 0).verdict, Verdict::kUnknown);
  EXPECT_TRUE(ring.any());
  EXPECT_FALSE(ring.any_valid(kNow));
  EXPECT_EQ(ring.list().front().revoked_at, kNow + 5);
  // Read back it is the same.
  KeyRing again({{setting.name, setting.value}});
  EXPECT_EQ(again.check(secret, "recommend", kNow, 0).verdict, Verdict::kUnknown);
  EXPECT_EQ(again.list().front().name, "old");
  EXPECT_THROW(ring.revoked("no-such-id", kNow), InvalidInput);
}

TEST(Keys, ARateIsKeptAndComesBackWithTime) {
  KeyRing ring;
  const auto secret = add(ring, {{"actions", {"recommend"}}, {"rate", 2}});
  double at = 100;
  EXPECT_EQ(ring.check(secret, "recommend", kNow, at).verdict, Verdict::kGranted);
  EXPECT_EQ(ring.check(secret, "recommend", kNow, at).verdict, Verdict::kGranted);
  const auto refused = ring.check(secret, "recommend", kNow, at);
  EXPECT_EQ(refused.verdict, Verdict::kTooFast);
  EXPECT_EQ(refused.retry_after, 1);
  EXPECT_EQ(ring.check(secret, "recommend", kNow, at + 0.4).verdict, Verdict::kTooFast);
  EXPECT_EQ(ring.check(secret, "recommend", kNow, at + 0.6).verdict, Verdict::kGranted);
  // A request that is not allowed takes nothing away.
  EXPECT_EQ(ring.check(secret, "admin", kNow, at + 1.1).verdict, Verdict::kNotAllowed);
  EXPECT_EQ(ring.check(secret, "recommend", kNow, at + 1.1).verdict, Verdict::kGranted);
  // Idle hours save up one second's worth.
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ring.check(secret, "recommend", kNow, 10'000).verdict, Verdict::kGranted);
  EXPECT_EQ(ring.check(secret, "recommend", kNow, 10'000).verdict, Verdict::kTooFast);
}

TEST(Keys, ASlowRateSaysHowLongToWait) {
  KeyRing ring;
  const auto secret = add(ring, {{"actions", {"recommend"}}, {"rate", 0.1}});
  EXPECT_EQ(ring.check(secret, "recommend", kNow, 0).verdict, Verdict::kGranted);
  EXPECT_EQ(ring.check(secret, "recommend", kNow, 0).retry_after, 10);
}

TEST(Keys, WhatIsAskedWronglyIsToldByName) {
  EXPECT_THAT(why({{"name", "x"}}), HasSubstr("actions: expected at least one of events:write"));
  EXPECT_THAT(why({{"actions", nlohmann::json::array()}}), HasSubstr("at least one"));
  EXPECT_THAT(why({{"actions", {"write"}}}), HasSubstr("no action 'write'"));
  EXPECT_THAT(why({{"actions", "recommend"}}), HasSubstr("expected a list"));
  EXPECT_THAT(why({{"actions", {"recommend"}}, {"colour", 1}}), HasSubstr("no member 'colour'"));
  EXPECT_THAT(why({{"actions", {"recommend"}}, {"rate", 0}}), HasSubstr("more than 0"));
  EXPECT_THAT(why({{"actions", {"recommend"}}, {"expires_at", "soon"}}), HasSubstr("expected a time"));
  EXPECT_THAT(why({{"actions", {"admin"}}, {"scenarios", {"a"}}}), HasSubstr("has all"));
  EXPECT_THAT(why(nlohmann::json::array()), HasSubstr("expected a JSON object"));
}

}  // namespace
}  // namespace fewshop
