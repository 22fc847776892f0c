#include "bundle/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "core/error.h"
#include "core/hash.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_whole;
using testing::TempDir;

const BundleFiles kFiles = {{"weights.safetensors", std::string("\0\1\2binary\xff", 10)},
                            {"gate.json", "{}\n"},
                            {"members/als.safetensors", "als"},
                            {"empty", ""}};

/// Names in a folder, in order.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

template <class Exception, class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Exception& e) {
    return e.what();
  }
  return "accepted";
}

std::string read_refusal(const std::string& folder) {
  return refusal<InvalidInput>([&] { read_bundle(folder); });
}

/// Writes a manifest with the checksum that belongs to it.
void write_manifest(const TempDir& folder, const std::string& name, json manifest) {
  manifest.erase("checksum");
  manifest["checksum"] = to_hex(hash64(manifest.dump()));
  folder.write(name + "/manifest.json", manifest.dump(2));
}

TEST(BundleTest, ReadsBackWhatWasWritten) {
  const TempDir folder;
  write_bundle(folder / "model", {{"seed", 7}}, kFiles, {{"seconds", 1.5}});
  const Bundle bundle = read_bundle(folder / "model");
  EXPECT_EQ(bundle.files, kFiles);
  EXPECT_EQ(bundle.manifest["seed"], 7);
  EXPECT_EQ(bundle.manifest["format"], kBundleFormat);
  EXPECT_EQ(bundle.run["seconds"], 1.5);
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model")) << "no temporary name is left";
}

TEST(BundleTest, TheSameContentGivesTheSameBytes) {
  const TempDir folder;
  write_bundle(folder / "a", {{"seed", 7}}, kFiles, {{"seconds", 1}});
  write_bundle(folder / "b", {{"seed", 7}}, kFiles, {{"seconds", 2}});
  EXPECT_EQ(read_whole(folder / "a/manifest.json"), read_whole(folder / "b/manifest.json"));
}

TEST(BundleTest, ANewBundleTakesThePlaceOfTheOldOneAndNothingOfItIsLeft) {
  const TempDir folder;
  for (const std::string name : {"model", "model/"}) {
    write_bundle(folder / name, {{"seed", 1}}, {{"old", "1"}, {"both", "1"}}, {});
    write_bundle(folder / name, {{"seed", 2}}, {{"both", "2"}}, {});
    const Bundle bundle = read_bundle(folder / "model");
    EXPECT_EQ(bundle.manifest["seed"], 2);
    EXPECT_EQ(bundle.files, (BundleFiles{{"both", "2"}}));
    EXPECT_THAT(names_in(folder / "model"), ElementsAre("both", "manifest.json", "run.json"));
    EXPECT_THAT(names_in(folder.path()), ElementsAre("model"));
  }
}

TEST(BundleTest, AnEmptyFolderIsFilledAndWhatAKilledRunLeftIsClearedAway) {
  const TempDir folder;
  fs::create_directories(folder / "model");
  fs::create_directories(folder / "model.fewshop-tmp/members");
  folder.write("model.fewshop-tmp/members/half", "x");
  write_bundle(folder / "model", {}, kFiles, {});
  EXPECT_EQ(read_bundle(folder / "model").files, kFiles);
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model"));
}

TEST(BundleTest, AFolderThatIsNoBundleIsLeftAlone) {
  const TempDir folder;
  fs::create_directories(folder / "photos");
  folder.write("photos/summer.jpg", "x");
  folder.write("file", "x");
  for (const std::string name : {"photos", "file"}) {
    EXPECT_THAT(refusal<InvalidInput>([&] { write_bundle(folder / name, {}, kFiles, {}); }),
                AllOf(HasSubstr(name), HasSubstr("left alone")));
  }
  EXPECT_THAT(names_in(folder.path()), ElementsAre("file", "photos"));
  EXPECT_THAT(names_in(folder / "photos"), ElementsAre("summer.jpg"));
}

/// While it lives no file can grow beyond so many bytes: what a full disk looks like to a writer.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  sighandler_t handler_;
};

TEST(BundleTest, AWriteThatFailsSaysWhereAndLeavesTheOldBundleAndNoTrace) {
  const TempDir folder;
  const BundleFiles large = {{"a", "1"}, {"members/large", std::string(100'000, 'x')}};
  const auto write_large = [&](const std::string& name) {
    const FileSizeLimit limit(50'000);
    return refusal<Failure>([&] { write_bundle(folder / name, {{"seed", 2}}, large, {}); });
  };
  EXPECT_THAT(write_large("model"), AllOf(HasSubstr("members/large"), HasSubstr("cannot be written")));
  EXPECT_THAT(names_in(folder.path()), ElementsAre());

  write_bundle(folder / "model", {{"seed", 1}}, kFiles, {});
  EXPECT_THAT(write_large("model"), HasSubstr("cannot be written"));
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model"));
  EXPECT_EQ(read_bundle(folder / "model").manifest["seed"], 1);
  EXPECT_EQ(read_bundle(folder / "model").files, kFiles);
}

TEST(BundleTest, APlaceThatCannotBeWrittenIsAFailureThatNamesIt) {
  const TempDir folder;
  folder.write("file", "x");
  EXPECT_THAT(refusal<Failure>([&] { write_bundle(folder / "file/model", {}, kFiles, {}); }), HasSubstr("file/model"));
  EXPECT_THAT(names_in(folder.path()), ElementsAre("file"));
}

TEST(BundleTest, AFlippedBitInAnyFileIsRefusedNamingIt) {
  const TempDir folder;
  write_bundle(folder / "model", {{"seed", 7}}, kFiles, {});
  for (const auto& [name, content] : kFiles) {
    for (size_t byte = 0; byte < content.size(); ++byte) {
      std::string damaged = content;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (byte % 8)));
      folder.write("model/" + name, damaged);
      EXPECT_THAT(read_refusal(folder / "model"), AllOf(HasSubstr(name), HasSubstr("checksum"))) << byte;
    }
    folder.write("model/" + name, content + "x");
    EXPECT_THAT(read_refusal(folder / "model"), AllOf(HasSubstr(name), HasSubstr("checksum")));
    fs::remove(folder / ("model/" + name));
    EXPECT_THAT(read_refusal(folder / "model"), AllOf(HasSubstr(name), HasSubstr("missing")));
    folder.write("model/" + name, content);
  }
  EXPECT_EQ(read_bundle(folder / "model").files, kFiles);
}

TEST(BundleTest, AFlippedBitInTheManifestIsRefusedUnlessItChangesNothing) {
  const TempDir folder;
  write_bundle(folder / "model", {{"seed", 7}, {"name", "shop"}}, {{"a", "1"}}, {});
  const std::string text = read_whole(folder / "model/manifest.json");
  const json manifest = json::parse(text);
  size_t refused = 0;
  for (size_t byte = 0; byte < text.size(); ++byte) {
    std::string damaged = text;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (byte % 7)));
    folder.write("model/manifest.json", damaged);
    const std::string said = read_refusal(folder / "model");
    if (said == "accepted") {  // a space that became another kind of space
      EXPECT_EQ(json::parse(damaged), manifest) << byte;
    } else {
      EXPECT_THAT(said, HasSubstr("model")) << byte;
      ++refused;
    }
  }
  EXPECT_GT(refused, text.size() / 2);
}

TEST(BundleTest, NoChecksumCoversTheRun) {
  const TempDir folder;
  write_bundle(folder / "model", {}, kFiles, {{"seconds", 1}});
  folder.write("model/run.json", R"({"seconds": 2})");
  EXPECT_EQ(read_bundle(folder / "model").run["seconds"], 2);
  folder.write("model/run.json", "{damaged");
  EXPECT_EQ(read_bundle(folder / "model").files, kFiles);
  fs::remove(folder / "model/run.json");
  EXPECT_EQ(read_bundle(folder / "model").files, kFiles);
}

TEST(BundleTest, ADamagedRunFileIsAsNone) {
  const TempDir folder;
  write_bundle(folder / "model", {}, kFiles, {{"host", "here"}});
  folder.write("model/run.json", "{\"host\"");
  EXPECT_TRUE(read_bundle(folder / "model").run.is_null());
}

TEST(BundleTest, WhatIsNoBundleIsNoTarget) {
  const TempDir folder;
  folder.write("file", "mine");
  fs::create_directories(folder / "folder/inner");
  fs::create_directory(folder / "empty");
  for (const std::string name : {"file", "folder", "folder/"})
    EXPECT_THAT(refusal<InvalidInput>([&] { check_bundle_target(folder / name); }),
                HasSubstr("is not a bundle; it is left alone"));
  EXPECT_THAT(refusal<InvalidInput>([] { check_bundle_target(""); }), HasSubstr("empty"));
  for (const std::string name : {"empty", "new/deep/model"}) {
    check_bundle_target(folder / name);
    write_bundle(folder / name, {}, kFiles, {});
    check_bundle_target(folder / name);
  }
}

TEST(BundleTest, NamesThatLeadOutsideAreRefused) {
  const TempDir folder;
  folder.write("secret", "s");
  fs::create_directories(folder / "model");
  for (const std::string& name :
       {std::string("../secret"), std::string("members/../../secret"), folder / "secret", std::string("..")}) {
    write_manifest(folder, "model", {{"format", kBundleFormat}, {"checksums", {{name, to_hex(hash64("s"))}}}});
    EXPECT_THAT(read_refusal(folder / "model"), AllOf(HasSubstr("leads outside"), HasSubstr(name)));
  }
}

TEST(BundleTest, WhatIsNoBundleOrANewerOneIsSaidToBe) {
  const TempDir folder;
  EXPECT_THAT(read_refusal(folder / "none"), HasSubstr("no such bundle"));
  folder.write("file", "x");
  EXPECT_THAT(read_refusal(folder / "file"), HasSubstr("not a bundle"));
  fs::create_directories(folder / "model");
  EXPECT_THAT(read_refusal(folder / "model"), HasSubstr("no manifest.json"));
  write_manifest(folder, "model", {{"format", kBundleFormat + 1}, {"checksums", json::object()}});
  EXPECT_THAT(read_refusal(folder / "model"), HasSubstr("newer"));
  write_manifest(folder, "model", {{"checksums", json::object()}});
  EXPECT_THAT(read_refusal(folder / "model"), HasSubstr("format"));
  write_manifest(folder, "model", {{"format", kBundleFormat}});
  EXPECT_THAT(read_refusal(folder / "model"), HasSubstr("checksums"));
  folder.write("model/manifest.json", "[1]");
  EXPECT_THAT(read_refusal(folder / "model"), HasSubstr("manifest.json"));
}

}  // namespace
}  // namespace fewshop
