#include "http/answer_log.h"

#include "core/error.h"

#include <filesystem>
#include <sstream>

#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

ListReply reply(int i) {
  ListReply reply;
  reply.recommendation_id = "id-" + std::to_string(i);
  reply.scenario = "next";
  reply.version = "1";
  reply.served = "adapted";
  reply.items.push_back({.id = "sku", .score = 0.5, .reasons = {}});
  return reply;
}

int lines_of(const std::string& path) {
  std::istringstream text(testing::read_whole(path));
  int lines = 0;
  for (std::string line; std::getline(text, line);) {
    EXPECT_EQ(nlohmann::json::parse(line)["items"][0], "sku") << line;
    ++lines;
  }
  return lines;
}

TEST(AnswerLog, EveryAnswerIsALineThatCanBeJoined) {
  const testing::TempDir folder;
  {
    AnswerLog log({.path = folder / "answers", .share = 1});
    for (int i = 0; i < 10; ++i) log.answered(reply(i), kSecond);
  }
  EXPECT_EQ(lines_of(folder / "answers"), 10);
  std::istringstream text(testing::read_whole(folder / "answers"));
  std::string line;
  std::getline(text, line);
  EXPECT_EQ(nlohmann::json::parse(line),
            nlohmann::json::parse(R"({"time":"1970-01-01T00:00:01Z","id":"id-0","scenario":"next","version":"1",
                                      "served":"adapted","support":0,"items":["sku"],"scores":[0.5]})"));
}

TEST(AnswerLog, AShareIsDrawnByIdSoThatItCanBeDrawnAgain) {
  const testing::TempDir folder;
  for (const char* name : {"a", "b"}) {
    AnswerLog log({.path = folder / name, .share = 0.25});
    for (int i = 0; i < 4000; ++i) log.answered(reply(i), kSecond);
  }
  EXPECT_NEAR(lines_of(folder / "a"), 1000, 150);
  EXPECT_EQ(testing::read_whole(folder / "a"), testing::read_whole(folder / "b"));
}

TEST(AnswerLog, TakesNoMoreRoomThanItMay) {
  const testing::TempDir folder;
  {
    AnswerLog log({.path = folder / "answers", .share = 1, .most_mb = 1});
    for (int i = 0; i < 40'000; ++i) log.answered(reply(i), kSecond);
  }
  uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) bytes += entry.file_size();
  EXPECT_LE(bytes, uintmax_t{1} << 20);
  EXPECT_GT(bytes, uintmax_t{1} << 18);
}

TEST(AnswerLog, AFileThatCannotBeOpenedIsAFailure) { EXPECT_THROW(AnswerLog({.path = "/proc/answers"}), Failure); }

}  // namespace
}  // namespace fewshop::http
