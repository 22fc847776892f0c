#include "bundle/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TempDir;

const BundleFiles kFiles = {{"gate.json", "{}"}, {"members/als.safetensors", std::string("\0\1\xff", 3)}};

template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(BundleFilesTest, WhatIsWrittenIsReadBackAndReplaced) {
  const TempDir dir;
  for (const char* learner : {"bayes", "als"}) {
    write_bundle(dir / "model/", {{"learner", learner}}, kFiles, {{"host", "here"}});
    const Bundle bundle = read_bundle(dir / "model");
    EXPECT_EQ(bundle.files, kFiles);
    EXPECT_EQ(bundle.manifest.at("learner"), learner);
    EXPECT_EQ(bundle.manifest.at("format"), kBundleFormat);
    EXPECT_EQ(bundle.run.at("host"), "here");
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST(BundleFilesTest, EveryFlippedBitOfEveryFileIsFound) {
  const TempDir dir;
  write_bundle(dir / "model", {{"learner", "bayes"}}, kFiles, nullptr);
  const Bundle good = read_bundle(dir / "model");
  for (const char* file : {"manifest.json", "gate.json", "members/als.safetensors"}) {
    const std::string bytes = testing::read_whole(dir / "model/" + file);
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
      dir.write("model/" + std::string(file), damaged);
      const std::string message = refusal([&] {
        // Blanks between the parts of the manifest carry nothing: then what is read is what was written.
        const Bundle bundle = read_bundle(dir / "model");
        require(bundle.manifest != good.manifest || bundle.files != good.files, "model: the same");
      });
      EXPECT_THAT(message, HasSubstr("model")) << file << " bit " << bit;
    }
    dir.write("model/" + std::string(file), bytes);
  }
  EXPECT_EQ(read_bundle(dir / "model").files, kFiles);
}

TEST(BundleFilesTest, NewerAndSenselessFormatsAreRefused) {
  const TempDir dir;
  write_bundle(dir / "model", nlohmann::json::object(), kFiles, nullptr);
  nlohmann::json manifest = read_bundle(dir / "model").manifest;
  const auto message = [&](const nlohmann::json& format) {
    manifest["format"] = format;
    dir.write("model/manifest.json", manifest.dump());
    return refusal([&] { read_bundle(dir / "model"); });
  };
  EXPECT_THAT(message(kBundleFormat + 1), HasSubstr("newer than this program reads"));
  EXPECT_THAT(message(0), HasSubstr("older than this program reads"));
  EXPECT_THAT(message(-1), HasSubstr("model"));
  EXPECT_THAT(message("1"), HasSubstr("expected a whole number"));
}

TEST(BundleFilesTest, ADamagedRunFileIsAsNone) {
  const TempDir dir;
  write_bundle(dir / "model", nlohmann::json::object(), kFiles, {{"host", "here"}});
  dir.write("model/run.json", "{\"host\"");
  EXPECT_TRUE(read_bundle(dir / "model").run.is_null());
}

TEST(BundleFilesTest, WhatIsNoBundleIsNotReplaced) {
  const TempDir dir;
  dir.write("file", "mine");
  fs::create_directories(dir / "folder/inner");
  fs::create_directory(dir / "empty");
  for (const std::string& place : {dir / "file", dir / "folder", dir / "folder/"}) {
    EXPECT_THAT(refusal([&] { check_bundle_target(place); }), HasSubstr("is not a bundle; it is left alone"));
    EXPECT_THROW(write_bundle(place, nlohmann::json::object(), kFiles, nullptr), InvalidInput);
  }
  EXPECT_THAT(refusal([] { check_bundle_target(""); }), HasSubstr("empty"));
  EXPECT_EQ(testing::read_whole(dir / "file"), "mine");
  for (const std::string& place : {dir / "empty", dir / "new/deep/model"}) {
    check_bundle_target(place);
    write_bundle(place, nlohmann::json::object(), kFiles, nullptr);
    check_bundle_target(place);
  }
}

}  // namespace
}  // namespace fewshop
