#include "online/gorse.h"

#include <nlohmann/json.hpp>

#include "core/property.h"
#include "online/parsing.h"

namespace fewshop {
namespace {

using nlohmann::json;
using testing::at;
using testing::Context;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::reasons;
using testing::refusal_of;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(GorseTest, FeedbackIsAnEventOfItsOwnType) {
  const Incoming incoming = parse_gorse_feedback(R"([{"FeedbackType": "read", "UserId": "u", "ItemId": 7, "Value": 3,
    "Timestamp": "2022-08-07T00:26:46Z", "Updated": "2022-08-08T00:00:00Z", "Labels": {"a": [1]}, "Comment": "hi",
    "page": "pdp"}, {"feedbacktype": "like", "userId": "u", "itemId": "x"}])",
                                                 Context());
  EXPECT_THAT(reasons(incoming), IsEmpty());
  ASSERT_THAT(incoming.events, SizeIs(2));
  const Event& event = incoming.events[0];
  EXPECT_EQ(event.event, "read") << "not view_item: Gorse's clients ask for it by its name";
  EXPECT_EQ(event.user_id, "u");
  EXPECT_EQ(event.time, at("2022-08-07T00:26:46Z"));
  ASSERT_THAT(event.items, SizeIs(1));
  EXPECT_EQ(event.items[0].item_id, "7");
  EXPECT_EQ(event.items[0].value, 3);
  EXPECT_EQ(event.extra, R"({"labels":{"a":[1]},"comment":"hi","page":"pdp"})");
  EXPECT_EQ(incoming.events[1].event, "like");
  EXPECT_EQ(incoming.events[1].time, Context().context.now);
}

TEST(GorseTest, FeedbackSentTwiceIsOneEventWhereItHasATime) {
  Context context;
  const auto id = [&](const std::string& more) {
    return parse_gorse_feedback(R"({"FeedbackType": "like", "UserId": "u", "ItemId": "i")" + more + "}", context)
        .events.at(0)
        .event_id;
  };
  const std::string time = R"(, "Timestamp": "2022-08-07T00:26:46Z")";
  EXPECT_EQ(id(time), id(R"(, "Timestamp": 1659832006, "Value": 0)"));
  EXPECT_NE(id(time), id(time + R"(, "Value": 1)"));
  EXPECT_NE(id(time), id(R"(, "Timestamp": "2022-08-07T00:26:47Z")"));
  EXPECT_NE(id(""), id(""));
  EXPECT_NE(id(R"(, "Timestamp": "0001-01-01T00:00:00Z")"), id(R"(, "Timestamp": "0001-01-01T00:00:00Z")"))
      << "Go's zero time is no time";
  EXPECT_NE(id(R"(, "Timestamp": "")"), id(R"(, "Timestamp": null)"));
}

TEST(GorseTest, FeedbackThatDoesNotFitIsListed) {
  EXPECT_THAT(reasons(parse_gorse_feedback(R"([{"UserId": "u", "ItemId": "i"}, {"FeedbackType": "a", "ItemId": "i"},
      {"FeedbackType": "a", "UserId": "u", "ItemId": ""}, {"FeedbackType": "a", "UserId": "u", "ItemId": "i",
      "Timestamp": "soon"}, []])",
                                           Context())),
              ElementsAre(Pair(0, "FeedbackType: expected a name such as \"like\", got none"),
                          Pair(1, "UserId: expected an id, got none"), Pair(2, "ItemId: expected an id, got none"),
                          Pair(3, StartsWith("Timestamp: expected ISO-8601")),
                          Pair(4, "the feedback: expected an object, got []")));
  EXPECT_THAT(parse_gorse_feedback(R"([{"FeedbackType": "like", "ItemId": "i"}])", Context(), true).events, SizeIs(1));
}

TEST(GorseTest, UsersComeBackAsTheyWereSent) {
  for (const char* text : {R"({"UserId":"100","Labels":["a","b","c"],"Comment":"comment"})",
                           R"({"UserId":"ü/1","Labels":{"age":7,"tags":["x"]},"Comment":""})",
                           R"({"UserId":"1","Labels":{},"Comment":""})"}) {
    const auto users = parse_gorse_users(text, Context());
    ASSERT_THAT(users.records, SizeIs(1)) << text;
    EXPECT_EQ(to_gorse_json(users.records[0]), text);
  }
  const auto list = parse_gorse_users(R"({"UserId": "1", "Labels": ["a"]})", Context()).records.at(0);
  EXPECT_EQ(list.labels, json::parse(R"({"labels": ["a"]})"));
  EXPECT_THAT(reasons(parse_gorse_users(R"([{"Labels": {}}, {"UserId": "1", "Comment": 5}])", Context())),
              ElementsAre(Pair(0, "UserId: expected an id, got none"), Pair(1, "Comment: expected a text, got 5")));
}

TEST(GorseTest, ItemsComeBackAsTheyWereSent) {
  const std::string text =
      R"({"ItemId":"100","IsHidden":true,"Categories":["d","e"],"Timestamp":"2022-08-07T00:26:46Z",)"
      R"("Labels":["a","b","c"],"Comment":"comment"})";
  const auto items = parse_gorse_items("[" + text + R"(, {"ItemId": "1", "Categories": null}])", Context());
  ASSERT_THAT(items.records, SizeIs(2));
  EXPECT_EQ(to_gorse_json(items.records[0]), text);
  EXPECT_EQ(items.records[0].time, at("2022-08-07T00:26:46Z"));
  EXPECT_FALSE(items.records[1].hidden);
  EXPECT_EQ(items.records[1].time, 0);
  EXPECT_THAT(to_gorse_json(items.records[1]), HasSubstr(R"("Timestamp":"0001-01-01T00:00:00Z")"));
  EXPECT_THAT(parse_gorse_items(to_gorse_json(items.records[1]), Context()).records, SizeIs(1))
      << "what is written is read, the time of nobody included";
  EXPECT_THAT(reasons(parse_gorse_items(
                  R"([{"ItemId": "1", "IsHidden": "no"}, {"ItemId": "1", "Categories": ["a", {}]}])", Context())),
              ElementsAre(Pair(0, "IsHidden: expected true or false, got \"no\""),
                          Pair(1, "Categories: expected a text or an integer, got {}")));
}

TEST(GorseTest, APatchHoldsOnlyWhatWasGiven) {
  const RecordPatch user = parse_gorse_user_patch(R"({"Labels": {"a": 1}, "Comment": null})", "u", Context());
  EXPECT_EQ(user.id, "u");
  EXPECT_EQ(user.changes, json::parse(R"({"labels": {"a": 1}})"));
  const RecordPatch item = parse_gorse_item_patch(
      R"({"IsHidden": false, "Categories": ["x"], "Timestamp": "1970-01-02", "Comment": "", "Other": 1})", "i",
      Context());
  EXPECT_EQ(item.changes, json::parse(R"({"hidden": false, "categories": ["x"], "time": 86400000000, "comment": ""})"));
  EXPECT_THAT(refusal_of([] { parse_gorse_item_patch("[{}, {}]", "i", Context()); }), HasSubstr("expected one object"));
  EXPECT_THAT(refusal_of([] { parse_gorse_item_patch("[5]", "i", Context()); }), HasSubstr("expected an object"));
  EXPECT_THAT(refusal_of([] { parse_gorse_item_patch("{}", "", Context()); }), HasSubstr("ItemId: expected 1 to 1024"));
  EXPECT_THAT(refusal_of([] { parse_gorse_item_patch("{}", "\xff", Context()); }), HasSubstr("expected UTF-8"));
}

TEST(GorseTest, FeedbackIsWrittenWithGorsesNames) {
  FeedbackRecord record;
  record.event = "read";
  record.user_id = "u\"";
  record.item_id = "i";
  record.value = 2;
  record.time = at("2022-08-07T00:26:46.5Z");
  EXPECT_EQ(json::parse(to_gorse_json(record)), json::parse(R"({"FeedbackType": "read", "UserId": "u\"", "ItemId": "i",
    "Value": 2, "Timestamp": "2022-08-07T00:26:46.5Z", "Updated": "2022-08-07T00:26:46.5Z", "Labels": {}, "Comment": ""})"));
}

}  // namespace
}  // namespace fewshop
