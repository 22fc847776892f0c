// A message that is sent again changes nothing, whatever it said beside its event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class RepeatedMessagesTest : public ::testing::Test {
 protected:
  RepeatedMessagesTest() : client_(serve_.client()) {}

  json post(const std::string& target, const json& body) {
    const Answer answer = client_->post(target, body.dump());
    EXPECT_EQ(answer.status, 200) << answer.body;
    return body_of(answer);
  }
  json event(const json& body) { return post("/api/events", body); }
  std::vector<std::string> items_of(const std::string& user) {
    std::vector<std::string> items;
    for (const json& one : body_of(client_->get("/api/user/" + user + "/feedback"))) items.push_back(one.at("ItemId"));
    return items;
  }
  json labels_of(const std::string& user) { return body_of(client_->get("/api/user/" + user)).at("Labels"); }
  double value_of(const std::string& user, const std::string& item) {
    const Answer answer = client_->get("/api/feedback/like/" + user + "/" + item);
    return answer.status == 200 ? body_of(answer).at("Value").get<double>() : -1;
  }
  void restart() {
    client_.reset();
    serve_.stop();
    serve_.start();
    client_ = serve_.client();
  }

  ShopServe serve_;
  std::unique_ptr<Client> client_;
};

json consenting(const std::string& id, const std::string& user, const std::string& item, bool given) {
  return {{"event_id", id},
          {"event", "purchase"},
          {"user_id", user},
          {"item_id", item},
          {"consent", {{"personalization", given}}}};
}

TEST_F(RepeatedMessagesTest, ConsentOfARequestThatIsInPartSentAgainCounts) {
  const auto collect = [&](bool denied, std::vector<std::string> ids) {
    json body = {{"user_id", "g"}, {"client_id", "phone"}, {"non_personalized_ads", denied}, {"events", json::array()}};
    for (const auto& id : ids)
      body["events"].push_back(json::parse(R"({"name": "view_item", "params": {"event_id": ")" + id +
                                           R"(", "items": [{"item_id": "item-1"}]}})"));
    client_->post("/mp/collect", body.dump());
  };
  const auto given = [&] { return body_of(client_->get("/api/user/g/export")).at("consent").at("personalization"); };
  collect(false, {"g1"});
  EXPECT_EQ(given(), true);
  collect(true, {"g1"});  // nothing of it is new
  EXPECT_EQ(given(), true);
  collect(true, {"g1", "g2"});
  EXPECT_EQ(given(), false);
  EXPECT_THAT(items_of("g"), ElementsAre());
}

TEST_F(RepeatedMessagesTest, AnOldConsentUndoesNoRefusal) {
  const json yes = consenting("c1", "u", "item-1", true), no = consenting("c2", "u", "item-2", false);
  EXPECT_EQ(event(yes).at("accepted"), 1);
  EXPECT_EQ(event(no).at("accepted"), 1);
  EXPECT_THAT(items_of("u"), ElementsAre());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(event(yes).at("duplicates"), 1);
    EXPECT_THAT(items_of("u"), ElementsAre());
    EXPECT_FALSE(body_of(client_->get("/api/user/u/export")).at("consent").at("personalization").get<bool>());
    restart();
  }
  // Nor does an old refusal undo a consent; what is new in the same body counts.
  EXPECT_EQ(event({no, consenting("c3", "u", "item-3", true), no}).at("duplicates"), 2);
  EXPECT_THAT(items_of("u"), UnorderedElementsAre("item-1", "item-3"));
  event(no);
  EXPECT_THAT(items_of("u"), UnorderedElementsAre("item-1", "item-3"));
}

TEST_F(RepeatedMessagesTest, AnOldIdentityJoinsNobodyAgain) {
  event({{"event_id", "g1"}, {"event", "purchase"}, {"client_id", "g"}, {"item_id", "item-1"}});
  const json join = {{"event_id", "j1"}, {"event", "identify"}, {"client_id", "g"}, {"user_id", "u"}};
  EXPECT_EQ(event(join).at("accepted"), 1);
  EXPECT_THAT(items_of("u"), ElementsAre("item-1"));
  event({{"event_id", "j2"}, {"event", "identify"}, {"client_id", "g"}, {"join", false}});
  EXPECT_THAT(items_of("u"), ElementsAre());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(event(join).at("duplicates"), 1);
    EXPECT_THAT(items_of("u"), ElementsAre());
    restart();
  }
}

TEST_F(RepeatedMessagesTest, SegmentsIdentifyAndAlias) {
  const auto identify = [&](const std::string& id, const std::string& plan) {
    return post("/v1/identify", {{"messageId", id}, {"userId", "s"}, {"traits", {{"plan", plan}}}});
  };
  EXPECT_EQ(identify("i1", "old").at("accepted"), 1);
  identify("i2", "new");
  EXPECT_EQ(identify("i1", "old").at("duplicates"), 1);
  EXPECT_EQ(labels_of("s").at("plan"), "new");
  event({{"event_id", "g1"}, {"event", "purchase"}, {"client_id", "g"}, {"item_id", "item-1"}});
  const json alias = {{"messageId", "a1"}, {"userId", "s"}, {"previousId", "g"}};
  EXPECT_EQ(post("/v1/alias", alias).at("accepted"), 1);
  EXPECT_THAT(items_of("s"), ElementsAre("item-1"));
  event({{"event_id", "j2"}, {"event", "identify"}, {"client_id", "g"}, {"join", false}});
  EXPECT_EQ(post("/v1/alias", alias).at("duplicates"), 1);
  EXPECT_THAT(items_of("s"), ElementsAre());
}

TEST_F(RepeatedMessagesTest, WhoRefusedIsNotMadeKnownByLaterMessages) {
  event(consenting("c1", "s", "item-1", false));
  post("/v1/identify", {{"messageId", "i1"}, {"userId", "s"}, {"anonymousId", "g"}, {"traits", {{"plan", "gold"}}}});
  EXPECT_EQ(client_->get("/api/user/s").status == 200 ? labels_of("s") : json::object(), json::object());
  event({{"event_id", "e1"}, {"event", "purchase"}, {"client_id", "g"}, {"item_id", "item-2"}});
  event(consenting("c2", "s", "item-3", true));
  EXPECT_THAT(items_of("s"), UnorderedElementsAre("item-3")) << "the guest was not joined, and c1 came nameless";
}

TEST_F(RepeatedMessagesTest, FeedbackThatWasOverwrittenOrDeletedDoesNotComeBack) {
  const auto like = [&](double value, const std::string& item = "item-1") {
    return json{{"FeedbackType", "like"},
                {"UserId", "u"},
                {"ItemId", item},
                {"Value", value},
                {"Timestamp", "2026-01-02T03:04:05Z"}};
  };
  const auto put = [&](const json& body) {
    EXPECT_EQ(client_->request("PUT", "/api/feedback", body.dump()).status, 200);
  };
  post("/api/feedback", like(1));
  put(like(7));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(post("/api/feedback", like(1)).at("RowAffected"), 0);
    EXPECT_EQ(value_of("u", "item-1"), 7);
    restart();
  }
  EXPECT_EQ(client_->request("DELETE", "/api/feedback/like/u/item-1").status, 200);
  EXPECT_EQ(post("/api/feedback", like(7)).at("RowAffected"), 0);
  EXPECT_EQ(value_of("u", "item-1"), -1);
  // What is put is meant, whether it was there once or not; and what is new is new.
  put(like(7));
  EXPECT_EQ(value_of("u", "item-1"), 7);
  put(like(8));
  put(like(7));
  EXPECT_EQ(value_of("u", "item-1"), 7);
  EXPECT_EQ(post("/api/feedback", like(3)).at("RowAffected"), 1);
  EXPECT_EQ(value_of("u", "item-1"), 10);
  restart();
  EXPECT_EQ(value_of("u", "item-1"), 10);
}

TEST_F(RepeatedMessagesTest, AValueOverSeveralLinesIsOneValue) {
  const Answer answer =
      client_->post("/api/events",
                    "{\"event_id\":\"l1\",\"event\":\"purchase\",\"user_id\":\"u\",\"context\":{\"d\":1}\n,"
                    "\"item_id\":\"item-1\"\n}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(items_of("u"), ElementsAre("item-1"));
}

TEST_F(RepeatedMessagesTest, WhatIsRefusedIsNamedByItsIdWhereverThatStands) {
  const json answer = event(json::array({json::object()}));
  EXPECT_EQ(answer.at("rejected").size(), 1);
  const Answer late =
      client_->post("/api/events", R"({"event":"view_item","items":[{"no_id":1}],"event_id":"late-id"})");
  EXPECT_EQ(body_of(late).at("rejected")[0].at("event_id"), "late-id");
}

TEST_F(RepeatedMessagesTest, ADeviceThatRefusedIsAskedForAsNobody) {
  event({{"event_id", "e1"}, {"event", "purchase"}, {"user_id", "u"}, {"item_id", "item-1"}});
  event({{"event_id", "j1"}, {"event", "identify"}, {"client_id", "g"}, {"user_id", "u"}});
  const auto support = [&](const json& who) { return post("/api/recommend", who).at("support").get<int>(); };
  EXPECT_EQ(support({{"client_id", "g"}}), 1);
  event({{"event_id", "e2"}, {"event", "page_view"}, {"client_id", "g"}, {"consent", {{"personalization", false}}}});
  EXPECT_EQ(support({{"client_id", "g"}}), 0);
  EXPECT_EQ(support({{"user_id", "u"}, {"client_id", "g"}}), 0);
  EXPECT_EQ(support({{"user_id", "u"}}), 1) << "elsewhere the account has not refused";
}

}  // namespace
}  // namespace fewshop::http
