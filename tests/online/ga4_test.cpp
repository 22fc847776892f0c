#include "online/ga4.h"

#include <nlohmann/json.hpp>

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

TEST(Ga4Test, ParametersHaveTheirPlaces) {
  const Incoming incoming = parse_ga4(R"({"client_id": "c.1", "user_id": "u", "timestamp_micros": "1700000000000000",
    "user_properties": {"tier": {"value": "gold"}},
    "events": [{"name": "purchase", "params": {"session_id": 123, "transaction_id": "t", "currency": "USD", "value": 30,
      "event": "odd", "items": [{"item_id": "A", "price": 10, "quantity": 2, "item_brand": "b"}, {"item_id": "B"}]}},
    {"name": "click", "params": {"ga_session_id": "9", "event_id": "mine"}, "timestamp_micros": 1700000001000000}]})",
                                      Context());
  EXPECT_THAT(reasons(incoming), IsEmpty());
  ASSERT_THAT(incoming.events, SizeIs(2));
  const Event& event = incoming.events[0];
  EXPECT_EQ(event.event, "purchase");
  EXPECT_EQ(event.user_id, "u");
  EXPECT_EQ(event.client_id, "c.1");
  EXPECT_EQ(event.session_id, "123");
  EXPECT_EQ(event.time, at("2023-11-14T22:13:20Z"));
  EXPECT_EQ(event.value, 30);
  ASSERT_THAT(event.items, SizeIs(2));
  EXPECT_EQ(event.items[0].quantity, 2);
  EXPECT_EQ(json::parse(event.extra), json::parse(R"({"transaction_id": "t", "currency": "USD", "params.event": "odd",
    "items": [{"item_brand": "b"}]})"));
  EXPECT_EQ(incoming.events[1].event, "click") << "GA4's click is no choice of an item";
  EXPECT_EQ(incoming.events[1].event_id, "mine");
  EXPECT_EQ(incoming.events[1].session_id, "9");
  EXPECT_EQ(incoming.events[1].time, at("2023-11-14T22:13:21Z"));
  ASSERT_THAT(incoming.users, SizeIs(1));
  EXPECT_EQ(incoming.users[0].id, "u");
  EXPECT_EQ(incoming.users[0].changes, json::parse(R"({"labels": {"tier": "gold"}})"));
}

TEST(Ga4Test, ARequestSentTwiceIsStoredOnceWhereItHasATime) {
  Context context;
  const auto ids = [&](const std::string& time, const std::string& value) {
    const std::string event = R"({"name": "view_item", "params": {"value": )" + value + "}}";
    std::vector<std::string> result;
    for (const Event& e :
         parse_ga4(R"({"client_id": "c", )" + time + "\"events\": [" + event + "," + event + "]}", context).events)
      result.push_back(e.event_id);
    return result;
  };
  const auto first = ids(R"("timestamp_micros": 1700000000000000, )", "1");
  EXPECT_EQ(first, ids(R"("timestamp_micros": 1700000000000000, )", "1"));
  EXPECT_NE(first[0], first[1]) << "two events of one request are two";
  EXPECT_NE(first, ids(R"("timestamp_micros": 1700000000000000, )", "2"));
  EXPECT_NE(first, ids(R"("timestamp_micros": 1700000000000001, )", "1"));
  EXPECT_NE(ids("", "1"), ids("", "1"));
}

TEST(Ga4Test, ConsentCanBeDenied) {
  for (const char* denied : {R"("non_personalized_ads": true)", R"("consent": {"ad_personalization": "DENIED"})"}) {
    const Incoming incoming =
        parse_ga4(R"({"client_id": "c", "user_id": "u", "user_properties": {"a": {"value": 1}}, )" +
                      std::string(denied) + R"(, "events": [{"name": "x"}]})",
                  Context());
    EXPECT_FALSE(incoming.events.at(0).personalization);
    ASSERT_THAT(incoming.consents, SizeIs(1));
    EXPECT_FALSE(incoming.consents[0].given);
    EXPECT_THAT(incoming.users, IsEmpty());
  }
  const Incoming granted = parse_ga4(
      R"({"client_id": "c", "consent": {"ad_personalization": "GRANTED"}, "events": [{"name": "x"}]})", Context());
  EXPECT_TRUE(granted.events.at(0).personalization);
  EXPECT_TRUE(granted.consents.at(0).given);
}

TEST(Ga4Test, ConsentComesWithEachEvent) {
  const Incoming incoming = parse_ga4(
      R"({"user_id": "u", "non_personalized_ads": true, "events": [{"name": "x"}, {"params": {}}, {"name": "y"}]})",
      Context());
  ASSERT_THAT(incoming.events, SizeIs(2));
  ASSERT_THAT(incoming.consents, SizeIs(2));
  for (int64_t i = 0; i < 2; ++i) {
    EXPECT_EQ(incoming.consents[i].effect.event, i);
    EXPECT_EQ(incoming.consents[i].after, i);
  }
}

TEST(Ga4Test, WhatStandsAroundTheEventsIsKeptWithEach) {
  const Incoming incoming = parse_ga4(R"({"client_id": "c", "api_secret": "hidden", "ip_override": "192.0.2.1",
    "device": {"category": "mobile"}, "user_location": {"city": "Riga"}, "user_agent": "Mozilla", "events": [
      {"name": "x", "params": {"context": "mine", "device": "a parameter"}},
      {"name": "y", "device": {"category": "tablet"}, "priority": 3, "api_secret": "hidden", "ip_override": "192.0.2.1"}],
    "consent": {"ad_user_data": "GRANTED"}, "app_instance_id": "app", "validation_behavior": null})",
                                      Context());
  EXPECT_THAT(reasons(incoming), IsEmpty());
  ASSERT_THAT(incoming.events, SizeIs(2));
  EXPECT_EQ(incoming.events[0].client_id, "c");
  EXPECT_EQ(json::parse(incoming.events[0].extra), json::parse(R"({"params.context": "mine", "device": "a parameter",
    "consent": {"ad_user_data": "GRANTED"}, "context": {"device": {"category": "mobile"},
      "user_location": {"city": "Riga"}, "user_agent": "Mozilla"}})"));
  EXPECT_EQ(json::parse(incoming.events[1].extra), json::parse(R"({"consent": {"ad_user_data": "GRANTED"},
    "context": {"device": {"category": "tablet"}, "priority": 3, "user_location": {"city": "Riga"},
      "user_agent": "Mozilla"}})"));
}

TEST(Ga4Test, PropertiesOfAGuestAreKeptWithItsEvents) {
  const auto extra = [](const std::string& who) {
    return parse_ga4("{" + who + R"(, "user_properties": {"tier": {"value": "gold"}}, "events": [{"name": "x"}]})",
                     Context())
        .events.at(0)
        .extra;
  };
  EXPECT_EQ(extra(R"("client_id": "c")"), R"({"context":{"user_properties":{"tier":{"value":"gold"}}}})");
  EXPECT_EQ(extra(R"("client_id": "c", "user_id": "u")"), "") << "they are the user's labels";
}

TEST(Ga4Test, WithoutConsentNothingAroundTheEventsIsKept) {
  const Incoming incoming = parse_ga4(R"({"client_id": "c", "user_data": {"sha256_email_address": "ab"},
    "device": {"category": "mobile"}, "user_location": {"city": "Riga"}, "user_properties": {"tier": {"value": "gold"}},
    "non_personalized_ads": true, "events": [{"name": "x", "user_data": {"a": 1}, "params": {"currency": "EUR"}}]})",
                                      Context());
  EXPECT_EQ(incoming.events.at(0).extra, R"({"currency":"EUR"})");
}

TEST(Ga4Test, WhatStandsAroundTheEventsHasALimit) {
  const auto parsed = [](size_t around, size_t beside) {
    return parse_ga4(R"({"client_id": "c", "device": ")" + std::string(around, 'd') +
                         R"(", "events": [{"name": "x", "more": ")" + std::string(beside, 'm') + R"("}]})",
                     Context());
  };
  const ParseLimits limits;
  EXPECT_THAT(reasons(parsed(limits.shared_bytes - 20, 0)), IsEmpty());
  EXPECT_THAT(reasons(parsed(limits.shared_bytes, 0)).at(0).second,
              HasSubstr("around the events: expected up to 4096"));
  EXPECT_THAT(reasons(parsed(0, limits.extra_bytes)).at(0).second, HasSubstr("bytes of fields without a column"));
  EXPECT_LE(parsed(4000, 60'000).events.at(0).extra.size(), limits.extra_bytes);
}

TEST(Ga4Test, OtherNamesOfTheSameThingAreTaken) {
  const Incoming incoming = parse_ga4(R"({"client_id": "c", "events": [{"name": "View"}, {"name": "Order Completed"},
      {"name": "click"}, {"name": "AddToCart"}, {"name": "tutorial_begin"}]})",
                                      Context());
  std::vector<std::string> names;
  for (const Event& event : incoming.events) names.push_back(event.event);
  EXPECT_THAT(names, ElementsAre("view_item", "purchase", "click", "add_to_cart", "tutorial_begin"));
}

TEST(Ga4Test, WhatDoesNotFitIsListedOrRefused) {
  EXPECT_THAT(
      reasons(parse_ga4(R"({"client_id": "c", "events": [{"params": {}}, {"name": "x", "params": {"items": 5}},
      {"name": "x", "params": {"items": [{"item_name": "n"}]}}, "x"]})",
                        Context())),
      ElementsAre(Pair(0, "name: expected the name of the event, got none"), Pair(1, "items: expected a list, got 5"),
                  Pair(2, "items[0].item_id is missing"), Pair(3, "the event: expected an object, got \"x\"")));
  EXPECT_THAT(reasons(parse_ga4(R"({"events": [{"name": "x"}]})", Context())),
              ElementsAre(Pair(0, "client_id, user_id: expected one of them, got none")));
  EXPECT_THAT(refusal_of([] { parse_ga4(R"({"client_id": "c"})", Context()); }),
              HasSubstr("expected an object with a list \"events\""));
  EXPECT_THAT(refusal_of([] { parse_ga4("[]", Context()); }), HasSubstr("expected an object with a list \"events\""));
}

}  // namespace
}  // namespace fewshop
