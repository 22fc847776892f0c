#include "bundle/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "core/error.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempDir;

/// What read_bundle says about a bundle whose manifest was changed.
std::string refusal(const std::function<void(json&)>& change) {
  const TempDir folder;
  const std::string place = folder / "model";
  write_bundle(place, {{"seed", 1}}, {{"weights", "abc"}}, json::object());
  json manifest = json::parse(std::ifstream(place + "/manifest.json"));
  change(manifest);
  std::ofstream(place + "/manifest.json") << manifest;
  try {
    read_bundle(place);
  } catch (const InvalidInput& e) {
    return e.what();
  }
  return "accepted";
}

std::string refusal_of_format(const json& format) {
  return refusal([&](json& manifest) { manifest["format"] = format; });
}

TEST(BundleFormatTest, OtherFormatsAreRefusedWithWhatToDo) {
  EXPECT_EQ(refusal_of_format(kBundleFormat), "accepted");
  EXPECT_THAT(refusal_of_format(kOldestBundleFormat - 1),
              AllOf(HasSubstr("model: bundle format 0 is older"), HasSubstr("train the model again")));
  EXPECT_THAT(refusal_of_format(kBundleFormat + 1),
              AllOf(HasSubstr("model: bundle format 2 is newer"), HasSubstr("use a newer fewshop")));
  EXPECT_THAT(refusal_of_format(18446744073709551615U), HasSubstr("is newer"));
}

TEST(BundleFormatTest, WhatIsNoFormatIsDamage) {
  for (const json& format : {json(-1), json(0.5), json("1"), json(), json(true)})
    EXPECT_THAT(
        refusal_of_format(format),
        AllOf(HasSubstr("format: expected a whole number such as 1, got " + format.dump()), HasSubstr("damaged")));
  EXPECT_THAT(refusal([](json& manifest) { manifest.erase("format"); }), HasSubstr("has no format number"));
}

TEST(BundleFormatTest, AChangedManifestIsRefusedByItsChecksum) {
  EXPECT_THAT(refusal([](json& manifest) { manifest["seed"] = 2; }), HasSubstr("does not match its checksum"));
}

}  // namespace
}  // namespace fewshop
