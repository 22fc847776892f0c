#include "http/answer_log.h"

#include "core/error.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include "http/shop_serve.h"
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

TEST(AnswerLog, LinesAreInTheFileAMomentLaterThoughTheLogGoesOn) {
  const testing::TempDir folder;
  AnswerLog log({.path = folder / "answers", .share = 1});
  log.answered(reply(1), kSecond);
  const auto begin = std::chrono::steady_clock::now();
  while (lines_of(folder / "answers") == 0 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(30))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(lines_of(folder / "answers"), 1);
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

/// The log of answers as it is, by recommendation id.
std::map<std::string, nlohmann::json> read_answers(const std::string& path) {
  std::map<std::string, nlohmann::json> answers;
  std::istringstream text(testing::read_whole(path));
  for (std::string line; std::getline(text, line);) {
    const auto answer = nlohmann::json::parse(line);
    EXPECT_TRUE(answers.emplace(answer["id"], answer).second) << line;
  }
  return answers;
}

TEST(AnswerLog, NoneIsNoFile) {
  ShopServe shop([](ShopServer::Options& options) { options.config.recommend.answer_log = "none"; });
  EXPECT_EQ(shop.client()->get("/api/popular").status, 200);
  for (const auto& entry : std::filesystem::directory_iterator(shop.folder.path()))
    EXPECT_EQ(entry.path().string().find(".answers"), std::string::npos) << entry.path();
  EXPECT_FALSE(std::filesystem::exists("none"));
}

TEST(AnswerLog, WhatIsHandedOutIsLoggedAndJoinsWithWhatHappensNext) {
  std::string log;
  ShopServe shop([&](ShopServer::Options& options) {
    log = options.config.database.data_store + ".answers";  // where it is if nothing is said
    options.config.recommend.answer_log_share = 1;
  });
  const auto client = shop.client();
  for (int u = 0; u < 3; ++u)
    for (int i = 0; i < 3; ++i)
      client->post("/api/events",
                   event_body(fmt::format("e{}-{}", u, i), fmt::format("u{}", u), fmt::format("item-{}", i)));
  std::map<std::string, std::string> served;  // by id
  const auto asked = [&](const std::string& target, const std::string& how, const std::string& body = "") {
    const Answer answer = body.empty() ? client->get(target) : client->post(target, body);
    ASSERT_EQ(answer.status, 200) << target << answer.body;
    std::string id(answer.header("x-recommendation-id"));
    if (id.empty()) id = nlohmann::json::parse(answer.body).at("recommendation_id");
    served[id] = how;
    const std::string event = fmt::format(
        R"({{"event_id":"of-{0}","event":"select_item","user_id":"u0","item_id":"item-1","recommendation_id":"{0}"}})",
        id);
    EXPECT_EQ(client->post("/api/events", event).status, 200);
  };
  asked("/api/recommend/u0", "adapted");
  asked("/api/recommend", "adapted", R"({"user_id":"u1"})");
  asked("/api/session/recommend", "adapted", R"([{"FeedbackType":"purchase","ItemId":"item-2"}])");
  asked("/api/collaborative-filtering/u0", "adapted");
  asked("/api/popular", "popular");
  asked("/api/non-personalized/latest", "latest");
  asked("/api/item-to-item/also/item-1", "also");
  asked("/api/item-to-item/similar/item-1", "similar");
  asked("/api/item/item-1/neighbors", "also");
  asked("/api/guide", "guide", R"({"item_id":"item-1","user_id":"u0"})");
  shop.server->shop().retire("small-ranking");
  asked("/api/recommend/u0", "popular");
  // A prediction has no id that an event could carry.
  while (shop.server->shop().queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  shop.stop();
  const auto answers = read_answers(log);
  EXPECT_EQ(answers.size(), served.size());
  for (const auto& [id, how] : served) {
    ASSERT_TRUE(answers.contains(id)) << how;
    const auto& answer = answers.at(id);
    if (how != "adapted") {
      EXPECT_EQ(answer["served"], how);
    }
    EXPECT_FALSE(answer["items"].empty()) << how;
    EXPECT_EQ(answer["items"].size(), answer["scores"].size());
    EXPECT_EQ(text_in(shop.database(), "select event_id from events where recommendation_id = '" + id + "'"),
              "of-" + id);
  }
}

TEST(AnswerLog, AFileThatCannotBeOpenedIsAFailure) { EXPECT_THROW(AnswerLog({.path = "/proc/answers"}), Failure); }

}  // namespace
}  // namespace fewshop::http
