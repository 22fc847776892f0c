#include "feature/text_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/error.h"
#include "feature/encoders.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TextWordsTest, EnglishIsCutAtBlanksAndPunctuationAndFolded) {
  EXPECT_THAT(text_words("WHITE T-Light, 12 caf\u00e9! (white)"),
              ElementsAre("white", "t", "light", "12", "caf\u00e9"));
  EXPECT_THAT(text_words("I don't: 3.5 stars"), ElementsAre("i", "don't", "3.5", "stars"));
  EXPECT_THAT(text_words(" ... \u00a9 -- "), IsEmpty());
}

TEST(TextWordsTest, GermanIsOneWordInEveryCaseAndForm) {
  EXPECT_THAT(text_words("\u00c4RGER mit der Stra\u00dfe; STRASSE"),
              ElementsAre("\u00e4rger", "mit", "der", "strasse"));
  EXPECT_EQ(text_words("M\u00fcller"), text_words("MU\u0308LLER")) << "composed and decomposed";
}

TEST(TextWordsTest, ChineseAndJapaneseAreCutByDictionary) {
  EXPECT_THAT(text_words("\u8d28\u91cf\u5f88\u597d\uff0c\u7269\u6d41\u4e5f\u5feb"),
              ElementsAre("\u8d28\u91cf", "\u5f88\u597d", "\u7269\u6d41", "\u4e5f", "\u5feb"));
  EXPECT_THAT(text_words("\u97f3\u304c\u826f\u3044"), ElementsAre("\u97f3", "\u304c", "\u826f\u3044"));
  EXPECT_EQ(text_words("\uff29\uff30\uff28\uff2f\uff2e\uff25\uff11\uff15"), text_words("iphone15"))
      << "full-width letters";
}

TEST(TextWordsTest, OtherScriptsAreFolded) {
  EXPECT_THAT(text_words("\u041e\u0422\u041b\u0418\u0427\u041d\u041e!"),
              ElementsAre("\u043e\u0442\u043b\u0438\u0447\u043d\u043e"));
}

TEST(TextWordsTest, EmojiAreWords) {
  EXPECT_THAT(text_words("great\U0001F600\U0001F600 \U0001F44D!"), ElementsAre("great", "\U0001F600", "\U0001F44D"));
  EXPECT_EQ(text_words("\u2764\ufe0f"), text_words("\u2764")) << "the same heart, coloured or not";
  EXPECT_EQ(text_words("\U0001F1E9\U0001F1EA").size(), 1) << "a flag of two letters";
}

TEST(TextWordsTest, BytesThatAreNoUtf8SeparateWords) {
  EXPECT_THAT(text_words("one\xfftwo"), ElementsAre("one", "two"));
}

TEST(TextWordsTest, LongTextsAreCut) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "w" + std::to_string(i) + " ";
  EXPECT_EQ(text_words(many).size(), kMaxWords);
}

TEST(TextWordsTest, ThreadsFindTheSameWords) {
  const std::string text = "Caf\u00e9 \u8d28\u91cf\u5f88\u597d";
  const auto expected = text_words(text);
  std::vector<std::vector<std::string>> found(4);
  std::vector<std::thread> threads;
  for (auto& words : found) threads.emplace_back([&] { words = text_words(text); });
  for (auto& thread : threads) thread.join();
  for (const auto& words : found) EXPECT_EQ(words, expected);
}

TEST(TextWordsTest, EncodersOfOlderWordsAreRefused) {
  ColumnEncoder encoder;
  encoder.spec = {"items.title", FeatureType::kText, "|"};
  encoder.vocabulary = {"lamp"};
  auto json = encoders_to_json({{encoder}, {}, {}});
  EXPECT_EQ(encoders_from_json(json).items[0].vocabulary, encoder.vocabulary);
  json.erase("format");
  EXPECT_THROW(encoders_from_json(json), InvalidInput);
  json["items"][0]["type"] = "category";
  EXPECT_NO_THROW(encoders_from_json(json)) << "nothing else changed";
  json["format"] = 4;
  EXPECT_THROW(encoders_from_json(json), InvalidInput);
}

}  // namespace
}  // namespace fewshop
