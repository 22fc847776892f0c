#include "online/segment.h"

#include <nlohmann/json.hpp>

#include "online/canonical_events.h"
#include "online/parsing.h"

namespace fewshop {
namespace {

using nlohmann::json;
using testing::at;
using testing::Context;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using testing::reasons;
using testing::refusal_of;
using ::testing::SizeIs;

Incoming parse(const std::string& body, const std::string& call = "track") {
  return parse_segment(body, call, Context());
}

// The messages are those that @segment/analytics-node 3.1.0 sends.
TEST(SegmentTest, ABatchHoldsEveryKindOfMessage) {
  const Incoming incoming = parse(R"({"batch": [
    {"timestamp": "2026-11-26T06:06:54.309Z", "integrations": {}, "type": "identify", "userId": "u",
     "traits": {"age": 3}, "context": {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}},
     "anonymousId": "c", "messageId": "m1", "_metadata": {"nodeVersion": "v20.20.2", "jsRuntime": "node"}},
    {"timestamp": "2026-11-26T06:06:54.310Z", "userId": "u", "type": "alias", "previousId": "d", "messageId": "m2"},
    {"timestamp": "2026-11-26T06:06:54.310Z", "event": "Product Viewed", "type": "track", "userId": "u",
     "properties": {"product_id": "p", "price": "9.5", "brand": "b"}, "messageId": "m3", "integrations": {},
     "context": {"library": {"name": "x"}, "locale": "de", "ip": "127.0.0.1"}, "_metadata": {"jsRuntime": "node"}},
    {"type": "page", "properties": {"a": 1, "category": "x"}, "category": "x", "name": "Home", "anonymousId": "c",
     "messageId": "m4"},
    {"type": "screen", "properties": {}, "name": "S", "anonymousId": "c", "messageId": "m5"},
    {"type": "group", "traits": {"n": 1}, "groupId": "g", "userId": "u", "messageId": "m6"}],
    "writeKey": "wk", "sentAt": "2026-11-26T06:06:54.314Z"})",
                                  "batch");
  EXPECT_THAT(reasons(incoming), IsEmpty());
  EXPECT_EQ(incoming.total, 6);
  EXPECT_EQ(incoming.write_key, "wk");
  EXPECT_THAT(incoming.index, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(incoming.events[0].event, "identify");
  EXPECT_EQ(incoming.events[0].event_id, "m1");
  EXPECT_EQ(incoming.events[1].event, "alias");
  EXPECT_EQ(incoming.events[1].user_id, "u");
  for (const int i : {0, 1}) EXPECT_EQ(incoming.events[i].extra, "");

  ASSERT_THAT(incoming.identities, SizeIs(2));
  EXPECT_EQ(incoming.identities[0].client_id, "c");
  EXPECT_EQ(incoming.identities[0].user_id, "u");
  EXPECT_EQ(incoming.identities[0].effect.event, 0);
  EXPECT_EQ(incoming.identities[1].client_id, "d");
  EXPECT_EQ(incoming.identities[1].effect.event, 1);
  ASSERT_THAT(incoming.users, SizeIs(1));
  EXPECT_EQ(incoming.users[0].effect.event, 0);
  EXPECT_EQ(incoming.users[0].changes, json::parse(R"({"labels": {"age": 3}})"));

  const Event& view = incoming.events[2];
  EXPECT_EQ(view.event_id, "m3");
  EXPECT_EQ(view.event, "view_item");
  EXPECT_EQ(view.time, at("2026-11-22T07:59:59.996Z")) << "4 ms before it was sent, by the time of receipt";
  ASSERT_THAT(view.items, SizeIs(1));
  EXPECT_EQ(view.items[0].item_id, "p");
  EXPECT_EQ(view.items[0].price, 9.5);
  EXPECT_EQ(view.extra, R"({"brand":"b","context":{"locale":"de"}})") << "nothing about the sender";
  EXPECT_EQ(incoming.events[3].event, "page_view");
  EXPECT_TRUE(incoming.events[3].guest);
  EXPECT_EQ(json::parse(incoming.events[3].extra), json::parse(R"({"a": 1, "category": "x", "name": "Home"})"));
  EXPECT_EQ(incoming.events[4].event, "screen_view");
  EXPECT_EQ(incoming.events[5].event, "group");
  EXPECT_EQ(json::parse(incoming.events[5].extra), json::parse(R"({"group_id": "g", "traits": {"n": 1}})"));
}

TEST(SegmentTest, AClockThatIsWrongIsCorrectedByWhenItWasSent) {
  const auto time = [](const std::string& times) {
    return parse(R"({"event": "a", "userId": "u", )" + times + "}").events.at(0).time;
  };
  // Received at 08:00:00. The sender's clock is an hour fast; it waited 10 s.
  EXPECT_EQ(time(R"("timestamp": "2026-11-22T08:59:50Z", "sentAt": "2026-11-22T09:00:00Z")"),
            at("2026-11-22T07:59:50Z"));
  EXPECT_EQ(time(R"("originalTimestamp": "2026-11-22T08:59:50Z", "sentAt": "2026-11-22T09:00:00Z")"),
            at("2026-11-22T07:59:50Z"));
  // Segment has corrected it already, and says so by the time that it replaced.
  EXPECT_EQ(time(R"("timestamp": "2026-11-22T07:59:00Z", "originalTimestamp": "2026-11-22T08:59:50Z",
                    "sentAt": "2026-11-22T09:00:00Z")"),
            at("2026-11-22T07:59:00Z"));
  EXPECT_EQ(time(R"("timestamp": "2026-11-22T07:00:00Z")"), at("2026-11-22T07:00:00Z"));
  EXPECT_EQ(time(R"("sentAt": "2020-01-01T00:00:00Z")"), at("2026-11-22T08:00:00Z"));
  // Corrected, this would have happened before 1970.
  EXPECT_EQ(time(R"("timestamp": 1700, "sentAt": "2026-11-26T06:06:54Z")"), 1700 * kSecond);
  // Of a batch, what stands around it.
  EXPECT_EQ(parse(R"({"batch": [{"type": "track", "event": "a", "userId": "u", "timestamp": "2026-11-22T08:59:50Z"},
                                {"type": "track", "event": "a", "userId": "u", "timestamp": "2026-11-22T08:59:50Z",
                                 "sentAt": "2026-11-22T08:59:55Z"}], "sentAt": "2026-11-22T09:00:00Z"})",
                  "batch")
                .events.at(1)
                .time,
            at("2026-11-22T07:59:55Z"));
  EXPECT_EQ(parse(R"({"batch": [{"type": "track", "event": "a", "userId": "u", "timestamp": "2026-11-22T08:59:50Z"}],
                      "sentAt": "2026-11-22T09:00:00Z"})",
                  "batch")
                .events.at(0)
                .time,
            at("2026-11-22T07:59:50Z"));
}

TEST(SegmentTest, AnOrderIsAPurchaseOfItsProducts) {
  const Incoming incoming = parse(R"({"event": "Order Completed", "userId": "u", "properties": {"order_id": "o1",
    "total": 30, "revenue": 25, "currency": "USD", "timestamp": "later", "products": [{"product_id": "a", "sku": "A-1",
    "price": 10, "quantity": 2, "name": "Jeans"}, {"sku": "B-1"}, {"id": 7}]}, "originalTimestamp": 1700000000})");
  EXPECT_THAT(reasons(incoming), IsEmpty());
  const Event& event = incoming.events.at(0);
  EXPECT_EQ(event.event, "purchase");
  EXPECT_EQ(event.value, 25);
  EXPECT_EQ(event.time, at("2023-11-14T22:13:20Z"));
  ASSERT_THAT(event.items, SizeIs(3));
  EXPECT_EQ(event.items[0].item_id, "a");
  EXPECT_EQ(event.items[0].quantity, 2);
  EXPECT_EQ(event.items[1].item_id, "B-1");
  EXPECT_EQ(event.items[2].item_id, "7");
  EXPECT_EQ(json::parse(event.extra), json::parse(R"({"transaction_id": "o1", "total": 30, "revenue": 25,
    "currency": "USD", "properties.timestamp": "later", "items": [{"sku": "A-1", "name": "Jeans"}]})"));
  EXPECT_EQ(parse(R"({"event": "Products Searched", "userId": "u", "properties": {"query": "jeans"}})").events[0].extra,
            R"({"search_term":"jeans"})");
}

TEST(SegmentTest, MessagesThatDoNotFitAreListed) {
  const Incoming incoming = parse(R"({"batch": [{"type": "track", "event": "a"}, {"type": "track", "userId": "u"},
    {"type": "delete", "userId": "u", "messageId": "m"}, {"type": "alias", "userId": "u"}, 5,
    {"type": "track", "event": "a", "userId": "u", "properties": []}, {"type": "page", "userId": "u"}]})",
                                  "batch");
  EXPECT_THAT(incoming.index, ElementsAre(6));
  EXPECT_THAT(reasons(incoming),
              ElementsAre(Pair(0, HasSubstr("userId, anonymousId")), Pair(1, HasSubstr("event: expected a name")),
                          Pair(2, HasSubstr("expected track, identify, alias, page, screen or group, got \"delete\"")),
                          Pair(3, HasSubstr("previousId")), Pair(4, HasSubstr("expected an object, got 5")),
                          Pair(5, "properties: expected an object, got []")));
  EXPECT_EQ(incoming.refusals[2].event_id, "m");
  EXPECT_NE(refusal_of([] { parse("{\"batch\": [{}", "batch"); }), "");
}

TEST(SegmentTest, ABrokenMessageDoesNotFailTheBatch) {
  const std::string good = R"({"type": "page", "anonymousId": "c"})";
  const Incoming incoming = parse(
      R"({"a:b": "[", "batch": [)" + good + R"(, {"type": "page", "n": 1e999}, )" + good + R"(], "writeKey": "k"})",
      "batch");
  EXPECT_THAT(incoming.index, ElementsAre(0, 2));
  EXPECT_THAT(incoming.refusals, SizeIs(1));
  EXPECT_EQ(incoming.write_key, "k");
}

TEST(SegmentTest, TheWriteKeyIsNeverKept) {
  const Incoming incoming =
      parse(R"({"event": "a", "userId": "u", "writeKey": "secret", "context": {"writeKey": "secret"}})");
  EXPECT_EQ(incoming.write_key, "secret");
  EXPECT_THAT(to_json(incoming.events.at(0)), Not(HasSubstr("secret")));
}

TEST(SegmentTest, WithoutConsentNothingIsLearnedAboutThePerson) {
  for (const char* more :
       {R"("context": {"locale": "de", "consent": {"categoryPreferences": {"Personalization": false}}})",
        R"("properties": {"consent": {"personalization": false}})"}) {
    const Incoming incoming = parse(R"({"batch": [{"type": "identify", "userId": "u", "anonymousId": "c",
      "traits": {"age": 3}, )" + std::string(more) +
                                        R"(}, {"type": "track", "event": "a", "userId": "u", )" + more + "}]}",
                                    "batch");
    EXPECT_THAT(incoming.identities, IsEmpty());
    EXPECT_THAT(incoming.users, IsEmpty());
    ASSERT_THAT(incoming.consents, SizeIs(2));
    EXPECT_FALSE(incoming.consents[0].given);
    EXPECT_EQ(incoming.consents[0].user_id, "u");
    ASSERT_THAT(incoming.events, SizeIs(2));
    for (const Event& event : incoming.events) {
      EXPECT_FALSE(event.personalization);
      EXPECT_EQ(event.extra, "");
    }
  }
  EXPECT_THAT(parse(R"({"event": "a", "userId": "u"})").consents, IsEmpty());
}

TEST(SegmentTest, WhatStandsAroundABatchCountsForEachMessage) {
  const Incoming incoming = parse(R"({"context": {"locale": "de", "ip": "192.0.2.1", "library": {"name": "x"},
      "writeKey": "secret"}, "integrations": {"All": true}, "tenant": "shop-a", "writeKey": "secret", "batch": [
    {"type": "track", "event": "a", "userId": "u"},
    {"type": "track", "event": "a", "userId": "u", "context": {"page": {"path": "/"}, "tenant": "own"},
     "properties": {"context": "a property"}},
    {"type": "identify", "userId": "u"},
    {"type": "track", "event": "a", "userId": "u", "properties": {"consent": {"personalization": false}}}]})",
                                  "batch");
  ASSERT_THAT(incoming.events, SizeIs(4));
  EXPECT_EQ(incoming.events[0].extra, R"({"context":{"locale":"de","tenant":"shop-a"}})");
  EXPECT_EQ(incoming.events[1].extra,
            R"({"properties.context":"a property","context":{"page":{"path":"/"},"tenant":"own"}})");
  EXPECT_EQ(incoming.events[2].extra, R"({"context":{"locale":"de","tenant":"shop-a"}})");
  EXPECT_EQ(incoming.events[3].extra, "") << "who refused";
  for (const Event& event : incoming.events) EXPECT_THAT(to_json(event), Not(HasSubstr("secret")));
}

TEST(SegmentTest, ConsentAroundABatchCountsWhereAMessageSaysNothing) {
  const Incoming incoming = parse(R"({"batch": [{"type": "track", "event": "a", "userId": "u"}, {"type": "track", x},
      {"type": "track", "event": "a", "userId": "u", "properties": {"consent": {"personalization": true}}}],
    "context": {"locale": "de", "consent": {"categoryPreferences": {"Personalization": false}}}})",
                                  "batch");
  ASSERT_THAT(incoming.events, SizeIs(2)) << "also where a broken message makes the body be taken apart";
  EXPECT_FALSE(incoming.events[0].personalization);
  EXPECT_EQ(incoming.events[0].extra, "");
  EXPECT_TRUE(incoming.events[1].personalization);
  EXPECT_EQ(incoming.events[1].extra, R"({"context":{"locale":"de"}})");
}

TEST(SegmentTest, WhatStandsAroundABatchHasALimit) {
  const std::string large(ParseLimits().shared_bytes, 'd');
  for (const char* name : {"context", "tenant"})
    EXPECT_THAT(parse(R"({")" + std::string(name) + R"(": {"a": ")" + large +
                          R"("}, "batch": [{"type": "track", "event": "a", "userId": "u"}]})",
                      "batch")
                    .refusals.at(0)
                    .reason,
                HasSubstr("around the events: expected up to 4096 bytes"));
}

TEST(SegmentTest, TraitsOfAGuestAreAnEvent) {
  const Incoming incoming = parse(R"({"anonymousId": "c", "traits": {"age": 3}})", "identify");
  EXPECT_EQ(incoming.events.at(0).event, "set_traits");
  EXPECT_EQ(incoming.events[0].extra, R"({"traits":{"age":3}})");
}

}  // namespace
}  // namespace fewshop
