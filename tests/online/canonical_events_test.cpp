#include "online/canonical_events.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

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

Incoming parse(const std::string& body) { return parse_canonical_events(body, Context()); }

/// The one event of a body.
Event event_of(const std::string& body) {
  const Incoming incoming = parse(body);
  EXPECT_THAT(reasons(incoming), IsEmpty()) << body;
  EXPECT_THAT(incoming.events, SizeIs(1)) << body;
  return incoming.events.empty() ? Event() : incoming.events[0];
}

std::string reason_of(const std::string& body) {
  const Incoming incoming = parse(body);
  EXPECT_THAT(incoming.events, IsEmpty()) << body;
  return incoming.refusals.empty() ? "" : incoming.refusals[0].reason;
}

TEST(CanonicalEventsTest, EveryFieldHasItsPlace) {
  const Event event = event_of(R"({
    "event_id": "e1", "event": "view_item", "timestamp": "2026-11-22T07:59:30.250Z", "user_id": "u1",
    "client_id": "anon-9", "session_id": "s1", "recommendation_id": "r1", "tenant": "shop-a",
    "items": [{"item_id": "A", "price": 9.99, "quantity": 2, "value": 19.98, "item_name": "Jeans"}, {"item_id": 7}],
    "value": 20, "currency": "USD", "impression": ["a", "b"], "context": {"device": "mobile"}})");
  EXPECT_EQ(event.event_id, "e1");
  EXPECT_EQ(event.event, "view_item");
  EXPECT_EQ(event.time, at("2026-11-22T07:59:30.25Z"));
  EXPECT_EQ(event.user_id, "u1");
  EXPECT_EQ(event.client_id, "anon-9");
  EXPECT_EQ(event.session_id, "s1");
  EXPECT_EQ(event.recommendation_id, "r1");
  ASSERT_THAT(event.items, SizeIs(2));
  EXPECT_EQ(event.items[0].item_id, "A");
  EXPECT_EQ(event.items[0].price, 9.99);
  EXPECT_EQ(event.items[0].quantity, 2);
  EXPECT_EQ(event.items[0].value, 19.98);
  EXPECT_FALSE(given(event.items[0].rating));
  EXPECT_EQ(event.items[1].item_id, "7");
  EXPECT_EQ(event.value, 20);
  EXPECT_EQ(json::parse(event.extra), json::parse(R"({
    "tenant": "shop-a", "currency": "USD", "impression": ["a", "b"], "context": {"device": "mobile"},
    "items": [{"item_name": "Jeans"}]})"));
  EXPECT_FALSE(event.guest);
  EXPECT_TRUE(event.personalization);
}

TEST(CanonicalEventsTest, ABodyIsOneObjectAListOrLines) {
  const std::string a = R"({"event_id": "a", "event": "search"})", b = R"({"event_id": "b", "event": "View"})";
  for (const std::string& body : {"[" + a + "," + b + "]", a + "\n" + b, "\xEF\xBB\xBF" + a + "\r\n\n" + b + "\n"}) {
    const Incoming incoming = parse(body);
    EXPECT_EQ(incoming.total, 2) << body;
    ASSERT_THAT(incoming.events, SizeIs(2)) << body;
    EXPECT_EQ(incoming.events[0].event_id, "a");
    EXPECT_EQ(incoming.events[1].event, "view_item");
    EXPECT_THAT(incoming.index, ElementsAre(0, 1));
  }
  EXPECT_EQ(parse("{\n \"event\":\n \"search\",\n\"items\": [\n{\"item_id\": 1}\n]}").events.size(), 1);
  EXPECT_EQ(parse("[]").total, 0);
  Context lines;
  lines.context.lines = true;
  EXPECT_EQ(parse_canonical_events(a, lines).events.size(), 1);
}

TEST(CanonicalEventsTest, TimesAreIsoOrEpoch) {
  const Micros time = at("2023-11-14T22:13:20Z");
  for (const char* text : {"1700000000", "1700000000000", "1700000000000000", "\"1700000000\"", "1700000000.0",
                           "\"2023-11-14T22:13:20Z\"", "\"2023-11-14T23:13:20+01:00\""})
    EXPECT_EQ(event_of(R"({"event": "x", "timestamp": )" + std::string(text) + "}").time, time) << text;
  EXPECT_EQ(event_of(R"({"event": "x"})").time, Context().context.now);
  EXPECT_EQ(event_of(R"({"event": "x", "timestamp": null})").time, Context().context.now);
  EXPECT_EQ(event_of(R"({"event": "x", "timestamp": 0})").time, 0);
  for (const char* text : {"-1", "\"1969-12-31T23:59:59Z\"", "\"2200-01-01T00:00:00Z\"", "1e300", "\"yesterday\"",
                           "true", "{}", "\"2026-02-30\""})
    EXPECT_THAT(reason_of(R"({"event": "x", "timestamp": )" + std::string(text) + "}"),
                StartsWith("timestamp: expected ISO-8601 or epoch s, ms or us in the years 1970 to 2199, got "))
        << text;
}

TEST(CanonicalEventsTest, OneItemNeedsNoList) {
  const Event event = event_of(R"({"event": "rate", "item_id": "A", "rating": 4, "value": 2.5, "price": "9.50"})");
  ASSERT_THAT(event.items, SizeIs(1));
  EXPECT_EQ(event.items[0].item_id, "A");
  EXPECT_EQ(event.items[0].rating, 4);
  EXPECT_EQ(event.items[0].value, 2.5) << "what is said of an event with one item is said of the item";
  EXPECT_EQ(event.items[0].price, 9.5);
  EXPECT_EQ(event.extra, "");
  EXPECT_THAT(event_of(R"({"event": "x", "items": ["a", "b"]})").items, SizeIs(2));
  EXPECT_EQ(event_of(R"({"event": "x", "items": [17]})").items[0].item_id, "17");
  const Incoming odd = parse_canonical_events(R"({"event": "x", "user_id": "u", "items": ["a", true]})", {});
  ASSERT_EQ(odd.refusals.size(), 1);
  EXPECT_EQ(odd.refusals[0].reason, "items[1]: expected an id or an object, got true");
}

TEST(CanonicalEventsTest, OneBadEventDoesNotFailTheBatch) {
  const Incoming incoming = parse(R"([{"event": "a"}, {"event_id": "e", "event": "b", "value": "much"}, 5,
    {"event": "c", "items": [{"item_id": "x"}, {"price": 1}]}, {}, {"event": "d"}])");
  EXPECT_EQ(incoming.total, 6);
  EXPECT_THAT(incoming.index, ElementsAre(0, 5));
  EXPECT_THAT(reasons(incoming),
              ElementsAre(Pair(1, "value: expected a number below 1e15, got \"much\""),
                          Pair(2, "the event: expected an object, got 5"), Pair(3, "items[1].item_id is missing"),
                          Pair(4, "event: expected a name such as \"view_item\", got none")));
  EXPECT_EQ(incoming.refusals[0].event_id, "e");
}

TEST(CanonicalEventsTest, BrokenJsonLosesOnlyTheValueItIsIn) {
  for (const char* broken : {"{\"event\": 1e999}", "{\"event\": \"\xFF\"}", "{\"event\": nul}", "", "{\"a\" 1}",
                             "{\"n\": 123456789012345678901234567890}", "{\"event\": \"\\ud800\"}"}) {
    const Incoming list = parse(R"([{"event": "a,]}"}, )" + std::string(broken) + R"(, {"event": "\"["}])");
    EXPECT_THAT(list.index, ElementsAre(0, 2)) << broken;
    ASSERT_THAT(list.refusals, SizeIs(1)) << broken;
    EXPECT_EQ(list.refusals[0].index, 1);
    EXPECT_THAT(list.refusals[0].reason, StartsWith("expected JSON, got "));
  }
  const Incoming lines = parse("{\"event\": \"a\"}\n{\"event\": \n{\"event\": \"b\"}\n");
  EXPECT_THAT(lines.index, ElementsAre(0, 2));
  EXPECT_THAT(reasons(lines), ElementsAre(Pair(1, HasSubstr("malformed JSON"))));
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  EXPECT_THAT(parse(R"([{"event": "a", "x": )" + deep + R"(}, {"event": "b"}])").index, ElementsAre(1));
}

TEST(CanonicalEventsTest, ABodyThatIsNoJsonIsRefusedWithItsPlace) {
  EXPECT_THAT(refusal_of([] { parse("[{\"event\": \"a\"},\n {\"event\" \"b\"}"); }), HasSubstr("at byte 30, line 2"));
  EXPECT_THAT(refusal_of([] { parse("{\"event\": tru}"); }), HasSubstr("at byte 14, line 1"));
  EXPECT_THAT(refusal_of([] { parse(" \n"); }), HasSubstr("the body is empty"));
  EXPECT_THAT(refusal_of([] { parse("5"); }), HasSubstr("expected an object, a list or lines of objects, got 5"));
  EXPECT_THAT(refusal_of([] { parse("[1, 2]]"); }), HasSubstr("cannot be read"));
  EXPECT_NE(refusal_of([] { parse("not json"); }), "");
  EXPECT_NE(refusal_of([] { parse(std::string(1'000'000, '[')); }), "");
  Context context;
  context.context.limits.events = 2;
  EXPECT_THAT(refusal_of([&] { parse_canonical_events("[{},{},{}]", context); }), HasSubstr("expected up to 2 events"));
}

TEST(CanonicalEventsTest, IdsAreTextsOrIntegers) {
  EXPECT_EQ(event_of(R"({"event": "x", "user_id": 18446744073709551615})").user_id, "18446744073709551615");
  EXPECT_EQ(event_of(R"({"event": "x", "user_id": "\u00fcber/\ud83d\ude00"})").user_id, "über/😀");
  EXPECT_THAT(event_of(R"({"event": "x", "user_id": ")" + std::string(1024, 'u') + "\"}").user_id, SizeIs(1024));
  EXPECT_EQ(reason_of(R"({"event": "x", "user_id": ")" + std::string(1025, 'u') + "\"}"),
            "user_id: expected 1 to 1024 bytes, got 1025 bytes");
  EXPECT_EQ(reason_of(R"({"event": "x", "user_id": 1.5})"), "user_id: expected a text or an integer, got 1.5");
  EXPECT_EQ(reason_of(R"({"event": "x", "client_id": "a\u0000b"})"),
            "client_id: expected no control characters, got \"a\\u0000b\"");
  EXPECT_EQ(reason_of(R"({"event": "x", "items": [{"item_id": ""}]})"),
            "items[0].item_id: expected 1 to 1024 bytes, got \"\"");
}

TEST(CanonicalEventsTest, AnEventWithoutAnIdGetsOneOfItsOwn) {
  Context context;
  const std::string body = R"([{"event": "x"}, {"event": "x", "event_id": null}, {"event": "x", "event_id": ""}])";
  std::set<std::string> ids;
  for (int i = 0; i < 2; ++i)
    for (const Event& event : parse_canonical_events(body, context).events) ids.insert(event.event_id);
  EXPECT_THAT(ids, SizeIs(6));
  EXPECT_THAT(*ids.begin(),
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
}

TEST(CanonicalEventsTest, LimitsHoldForEachEvent) {
  const auto with = [](int items) {
    json event = {{"event", "x"}};
    for (int i = 0; i < items; ++i) event["items"].push_back({{"item_id", i}});
    return event.dump();
  };
  EXPECT_THAT(event_of(with(200)).items, SizeIs(200));
  EXPECT_EQ(reason_of(with(201)), "items: expected up to 200, got 201");
  EXPECT_THAT(reason_of(R"({"event": "x", "note": ")" + std::string(70'000, 'n') + "\"}"),
              HasSubstr("expected up to 65536 bytes of fields without a column"));
  EXPECT_EQ(reason_of(R"({"event": "x", "n": )" + std::string(40, '[') + std::string(40, ']') + "}"),
            "nested too deeply");
  for (const char* number : {"1e15", "-1e15", "1e300", "\"nan\"", "\"inf\"", "[]", "true"})
    EXPECT_THAT(reason_of(R"({"event": "x", "value": )" + std::string(number) + "}"),
                StartsWith("value: expected a number below 1e15, got "));
}

TEST(CanonicalEventsTest, ConsentIsReadAndReported) {
  const Incoming incoming = parse(R"([
    {"event": "x", "user_id": "u", "consent": {"personalization": false, "analytics": true}},
    {"event": "x", "client_id": "c", "consent": {"personalization": true}}, {"event": "x", "user_id": "v"},
    {"event": "x", "consent": {"personalization": "no"}}])");
  ASSERT_THAT(incoming.events, SizeIs(3));
  EXPECT_FALSE(incoming.events[0].personalization);
  EXPECT_EQ(incoming.events[0].extra, R"({"consent":{"analytics":true}})");
  EXPECT_TRUE(incoming.events[1].personalization);
  EXPECT_TRUE(incoming.events[2].personalization);
  ASSERT_THAT(incoming.consents, SizeIs(2));
  EXPECT_EQ(incoming.consents[0].user_id, "u");
  EXPECT_FALSE(incoming.consents[0].given);
  EXPECT_EQ(incoming.consents[1].client_id, "c");
  EXPECT_TRUE(incoming.consents[1].given);
  EXPECT_THAT(reasons(incoming), ElementsAre(Pair(3, "consent.personalization: expected true or false, got \"no\"")));
}

TEST(CanonicalEventsTest, IdentifyJoinsAGuestToAnAccount) {
  const Incoming incoming = parse(R"([{"event": "identify", "client_id": "c", "user_id": "u"},
    {"event": "identify", "client_id": "c", "join": false}, {"event": "identify", "user_id": "u"}])");
  ASSERT_THAT(incoming.events, SizeIs(2));
  for (const Event& event : incoming.events) EXPECT_EQ(event.event, "identify");
  ASSERT_THAT(incoming.identities, SizeIs(2));
  for (const int i : {0, 1}) EXPECT_EQ(incoming.identities[i].effect.event, i);
  EXPECT_EQ(incoming.identities[0].client_id, "c");
  EXPECT_EQ(incoming.identities[0].user_id, "u");
  EXPECT_TRUE(incoming.identities[0].join);
  EXPECT_FALSE(incoming.identities[1].join);
  EXPECT_THAT(incoming.refusals, SizeIs(1));
}

TEST(CanonicalEventsTest, AGuestHasNoUserId) {
  EXPECT_TRUE(event_of(R"({"event": "x", "client_id": "c"})").guest);
  EXPECT_TRUE(event_of(R"({"event": "x", "user_id": ""})").guest);
  EXPECT_FALSE(event_of(R"({"event": "x", "user_id": "u", "client_id": "c"})").guest);
  Event joined = event_of(R"({"event": "x", "client_id": "c"})");
  joined.user_id = "u";
  EXPECT_THAT(to_json(joined), Not(HasSubstr("user_id")));
}

/// A document of random events, most of them fit; every kind of value stands in every place now and then.
json random_value(Random& random, int depth) {
  switch (random.below(depth > 0 ? 9 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return random.below(2) == 0;
    case 2:
      return random.next();
    case 3:
      return -static_cast<int64_t>(random.below(1'000'000'000'000));
    case 4:
      return (random.uniform() - 0.5) * std::pow(10.0, static_cast<double>(random.between(-30, 30)));
    case 5:
      return std::string("ü\"\\/\n\x01 ").substr(0, static_cast<size_t>(2 + random.below(7)));
    case 6:
      return std::to_string(random.below(100));
    case 7: {
      json list = json::array();
      for (uint64_t i = random.below(4); i > 0; --i) list.push_back(random_value(random, depth - 1));
      return list;
    }
    default: {
      json object = json::object();
      for (uint64_t i = random.below(4); i > 0; --i)
        object["k" + std::to_string(random.below(5))] = random_value(random, depth - 1);
      return object;
    }
  }
}

json random_event(Random& random) {
  json event = {{"event", random.below(2) ? "view_item" : "Custom \"name\""}};
  const auto often = [&](json& object, const char* key, const json& value) {
    if (const uint64_t chance = random.below(10); chance < 5)
      object[key] = value;
    else if (chance == 9)
      object[key] = random_value(random, 1);
  };
  often(event, "event_id", "e" + std::to_string(random.below(100)));
  for (const char* key : {"user_id", "client_id", "session_id", "recommendation_id", "item_id"})
    often(event, key, std::to_string(random.below(3)));
  often(event, "timestamp", random.below(7'000'000'000));
  for (const char* key : {"value", "price", "quantity", "rating"}) often(event, key, random.uniform() * 100);
  often(event, "consent", {{"personalization", random.below(2) == 0}, {"other", random_value(random, 1)}});
  for (const char* key : {"currency", "context", "labels", "ü"}) often(event, key, random_value(random, 3));
  if (random.below(2)) {
    for (uint64_t i = random.below(4); i > 0; --i) {
      json item = {{"item_id", random.below(3)}};
      for (const char* key : {"value", "price", "quantity", "rating"}) often(item, key, random.uniform() * 100);
      for (const char* key : {"item_name", "labels"}) often(item, key, random_value(random, 2));
      event["items"].push_back(item);
    }
  }
  return event;
}

bool same(double a, double b) { return a == b || (!given(a) && !given(b)); }

void expect_same(const Event& a, const Event& b) {
  RC_ASSERT(a.event_id == b.event_id);
  RC_ASSERT(a.time == b.time);
  RC_ASSERT(a.event == b.event);
  RC_ASSERT(a.user_id == b.user_id);
  RC_ASSERT(a.client_id == b.client_id);
  RC_ASSERT(a.session_id == b.session_id);
  RC_ASSERT(a.recommendation_id == b.recommendation_id);
  RC_ASSERT(same(a.value, b.value));
  RC_ASSERT(a.extra == b.extra);
  RC_ASSERT(a.guest == b.guest);
  RC_ASSERT(a.personalization == b.personalization);
  RC_ASSERT(a.items.size() == b.items.size());
  for (size_t i = 0; i < a.items.size(); ++i) {
    RC_ASSERT(a.items[i].item_id == b.items[i].item_id);
    for (const auto member : {&EventItem::quantity, &EventItem::price, &EventItem::value, &EventItem::rating})
      RC_ASSERT(same(a.items[i].*member, b.items[i].*member));
  }
}

TEST(CanonicalEventsTest, AnEventSurvivesWritingAndReading) {
  expect_property("to_json is read as the same event", [](uint64_t seed) {
    Random random(seed);
    Context context, exported;
    exported.context.exported = true;
    json body = json::array();
    for (int i = 0; i < 5; ++i) body.push_back(random_event(random));
    const Incoming incoming = parse_canonical_events(body.dump(), context);
    RC_ASSERT(incoming.events.size() + incoming.refusals.size() == body.size());
    std::string lines;
    for (const Event& event : incoming.events) lines += to_json(event) + "\n";
    if (lines.empty()) return;
    const Incoming again = parse_canonical_events(lines, exported);
    RC_ASSERT(again.events.size() == incoming.events.size());
    for (size_t i = 0; i < again.events.size(); ++i) expect_same(incoming.events[i], again.events[i]);
  });
}

TEST(CanonicalEventsTest, WhatWasGivenIsWrittenInItsPlace) {
  const json event = json::parse(R"({"event_id": "e", "event": "view_item", "timestamp": "2026-11-22T07:59:30Z",
    "user_id": "u", "items": [{"item_id": "A", "price": 9.5, "item_name": "n"}, {"item_id": "B"}], "value": 20,
    "currency": "USD", "consent": {"personalization": false, "ads": 1}})");
  EXPECT_EQ(json::parse(to_json(event_of(event.dump()))), event);
}

TEST(CanonicalEventsTest, WhatWasExportedKeepsItsNames) {
  Context exported;
  exported.context.exported = true;
  const Incoming incoming = parse_canonical_events(R"([{"event": "read"}, {"event": "identify"}])", exported);
  ASSERT_THAT(incoming.events, SizeIs(2));
  EXPECT_EQ(incoming.events[0].event, "read");
  EXPECT_EQ(incoming.events[1].event, "identify");
}

TEST(CanonicalEventsTest, RowsOfAnEventBecomeTheEvent) {
  EventRow row;
  row.event_id = "e";
  row.event = "purchase";
  row.user_id = "u";
  row.guest = true;
  row.item_id = "A";
  row.price = 2;
  row.extra = R"({"value":5,"x":1})";
  EventRow second = row;
  second.position = 1;
  second.item_id = "B";
  const Event event = event_of_rows(std::vector<EventRow>{row, second});
  EXPECT_EQ(event.value, 5) << "the value of several items is kept beside them";
  EXPECT_EQ(event.extra, R"({"x":1})");
  ASSERT_THAT(event.items, SizeIs(2));
  EXPECT_EQ(event.items[1].item_id, "B");
  EXPECT_THAT(to_json(event), Not(HasSubstr("user_id"))) << "a join is no part of the event";
}

}  // namespace
}  // namespace fewshop
