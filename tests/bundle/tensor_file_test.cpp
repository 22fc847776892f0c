#include "bundle/tensor_file.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

TensorFile sample() {
  TensorFile file;
  file.put<float>("weights", std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  file.put<double>("precise", std::vector<double>{0.1});
  file.put<int32_t>("ids", std::vector<int32_t>{-1, 7});
  file.put<int64_t>("big", std::vector<int64_t>{1LL << 40});
  file.put<uint8_t>("bytes", std::vector<uint8_t>{1, 2, 3});
  file.put<float>("none", std::vector<float>{});
  file.put_text("kind", "als");
  file.put_strings("names", {"", "caf\xc3\xa9", "a\nb", "\xff\xfe"});
  return file;
}

/// The bytes of a file with this header and data.
std::string with_header(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string message_of(const std::string& bytes) {
  try {
    TensorFile::parse(bytes, "file");
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TensorFileTest, WhatWasPutComesBack) {
  const TensorFile file = TensorFile::parse(sample().serialize(), "sample");
  EXPECT_EQ(file.get<float>("weights"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.shape("weights"), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.get<double>("precise"), std::vector<double>{0.1});
  EXPECT_EQ(file.get<int32_t>("ids"), (std::vector<int32_t>{-1, 7}));
  EXPECT_EQ(file.get<int64_t>("big"), std::vector<int64_t>{1LL << 40});
  EXPECT_EQ(file.get<uint8_t>("bytes"), (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_TRUE(file.get<float>("none").empty());
  EXPECT_EQ(file.text("kind"), "als");
  EXPECT_EQ(file.get_strings("names"), (std::vector<std::string>{"", "caf\xc3\xa9", "a\nb", "\xff\xfe"}));
  EXPECT_TRUE(file.has("ids"));
  EXPECT_FALSE(file.has("kind"));
  EXPECT_TRUE(file.has_text("kind"));
}

TEST(TensorFileTest, EqualContentsGiveEqualBytesInAnyOrderOfPutting) {
  TensorFile a, b;
  a.put_text("x", "1");
  a.put<float>("m", std::vector<float>{1});
  a.put<double>("n", std::vector<double>{2});
  b.put<double>("n", std::vector<double>{2});
  b.put<float>("m", std::vector<float>{1});
  b.put_text("x", "1");
  EXPECT_EQ(a.serialize(), b.serialize());
}

TEST(TensorFileTest, ArraysAreAlignedToTheirElementSize) {
  TensorFile file;
  file.put<uint8_t>("a", std::vector<uint8_t>{1, 2, 3});
  file.put<float>("b", std::vector<float>{1});
  file.put<double>("c", std::vector<double>{1});
  const std::string bytes = file.serialize();
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  EXPECT_EQ(header["c"]["data_offsets"], (nlohmann::json{0, 8}));
  EXPECT_EQ(header["b"]["data_offsets"], (nlohmann::json{8, 12}));
  EXPECT_EQ(header["a"]["data_offsets"], (nlohmann::json{12, 15}));
}

TEST(TensorFileTest, AskingForAnotherTypeOrAMissingNameSaysWhichOne) {
  const TensorFile file = sample();
  EXPECT_THROW(file.get<double>("weights"), InvalidInput);
  try {
    file.get<float>("absent");
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_NE(std::string(error.what()).find("absent"), std::string::npos);
  }
  EXPECT_THROW(file.text("absent"), InvalidInput);
}

TEST(TensorFileTest, ShapeThatDisagreesWithTheValuesIsRefused) {
  TensorFile file;
  file.put<float>("weights", std::vector<float>{1, 2, 3}, {2, 2});
  EXPECT_THROW(file.serialize(), InvalidInput);
}

TEST(TensorFileTest, EveryCutOffFileIsRefused) {
  const std::string bytes = sample().serialize();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(TensorFile::parse(std::string_view(bytes).substr(0, size), "cut"), InvalidInput) << size;
}

TEST(TensorFileTest, DamagedHeadersAreRefusedWithTheReason) {
  const std::string four(4, '\0');
  EXPECT_NE(message_of(with_header("[1]", "")).find("not an object"), std::string::npos);
  EXPECT_NE(message_of(with_header("{", "")).find("not JSON"), std::string::npos);
  EXPECT_NE(message_of(with_header(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", four)).find("F16"),
            std::string::npos);
  EXPECT_NE(message_of(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four)).find("disagree"),
            std::string::npos);
  EXPECT_NE(
      message_of(with_header(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four)).find("disagree"),
      std::string::npos);
  EXPECT_NE(message_of(with_header(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", four)).find("whole"),
            std::string::npos);
  EXPECT_NE(
      message_of(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})", four))
          .find("whole"),
      std::string::npos);
  EXPECT_NE(message_of(with_header(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", ""))
                .find("disagree"),
            std::string::npos);
  EXPECT_NE(message_of(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", four)).find("outside"),
            std::string::npos);
  EXPECT_NE(
      message_of(
          with_header(
              R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
              four))
          .find("overlap"),
      std::string::npos);
  EXPECT_NE(message_of(with_header("{}", four)).find("no tensor"), std::string::npos);
  EXPECT_NE(message_of(with_header(R"({"__metadata__":{"a":1}})", "")).find("not text"), std::string::npos);
  EXPECT_NE(message_of(with_header(std::string(1'000'000, '['), "")).find("too deep"), std::string::npos);
}

TEST(TensorFileTest, AFlippedBitNeverCrashes) {
  const std::string bytes = sample().serialize();
  Random random(1);
  for (int draw = 0; draw < 20'000; ++draw) {
    std::string damaged = bytes;
    for (int flips = 1 + static_cast<int>(random.below(3)); flips > 0; --flips)
      damaged[random.below(damaged.size())] ^= static_cast<char>(1 << random.below(8));
    try {
      const TensorFile file = TensorFile::parse(damaged, "damaged");
      if (file.has("names.bytes") && file.has("names.ends")) file.get_strings("names");
    } catch (const InvalidInput&) {
    }
  }
}

TEST(TensorFileTest, SavedFilesLoadAndMissingOnesAreInvalidInput) {
  const auto path = std::filesystem::temp_directory_path() / "fewshop_tensor_file_test.safetensors";
  sample().save(path);
  EXPECT_EQ(TensorFile::load(path).serialize(), sample().serialize());
  std::filesystem::remove(path);
  EXPECT_THROW(TensorFile::load(path), InvalidInput);
  EXPECT_THROW(TensorFile::load(std::filesystem::temp_directory_path()), InvalidInput);
  EXPECT_THROW(sample().save("/nonexistent/folder/file"), Failure);
}

TEST(TensorFileTest, AFileThatCannotBeWrittenWholeLeavesTheOldOne) {
  const testing::TempDir dir;
  const std::string path = dir / "fit.safetensors";
  sample().save(path);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};  // a disk with room for no more
    setrlimit(RLIMIT_FSIZE, &limit);
    TensorFile large;
    large.put<float>("weights", std::vector<float>(10'000, 1));
    try {
      large.save(path);
    } catch (const Failure&) {
      _exit(3);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  EXPECT_EQ(TensorFile::load(path).serialize(), sample().serialize());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

}  // namespace
}  // namespace fewshop
