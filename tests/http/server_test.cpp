// Requests and answers of the server over real sockets. Time limits in these tests are tenths of seconds where they
// must pass and half a minute where they must not, so that a slow machine changes nothing.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/coding.h"
#include "serve.h"

namespace fewshop::http {
namespace {

using ::testing::HasSubstr;

TEST(Server, ParametersAndQueryArriveDecoded) {
  Serve serve;
  const Answer answer = serve.client()->get("/user/a%2Fb%20c/?q=x+y&q=%26");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(body_of(answer)["id"], "a/b c");
  EXPECT_EQ(body_of(answer)["query"], nlohmann::json::parse(R"([["q", "x y"], ["q", "&"]])"));
}

TEST(Server, AConnectionIsKeptForManyRequests) {
  Serve serve;
  const auto client = serve.client();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client->get("/ping").status, 200);
  EXPECT_EQ(serve.server().connections(), 1);
}

TEST(Server, EveryAnswerCarriesARequestId) {
  Serve serve;
  const auto client = serve.client();
  const std::string first(client->get("/ping").header("x-request-id"));
  EXPECT_FALSE(first.empty());
  EXPECT_NE(client->get("/ping").header("x-request-id"), first);
  EXPECT_EQ(client->get("/ping", {{"X-Request-ID", "trace-1.2:3"}}).header("x-request-id"), "trace-1.2:3");
  const Answer refused = client->get("/none", {{"X-Request-ID", "not \"sensible\""}});
  EXPECT_NE(refused.header("x-request-id"), "not \"sensible\"");
  EXPECT_EQ(body_of(refused)["error"]["request_id"], refused.header("x-request-id"));
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  Serve serve;
  std::vector<std::thread> threads;
  std::mutex mutex;
  // The earlier ones take longer.
  serve.get("/slow/{n}", [&](auto request, Reply reply) {
    const std::lock_guard lock(mutex);
    threads.emplace_back([request, reply] {
      const int n = std::stoi(request->parameter("n"));
      std::this_thread::sleep_for(std::chrono::milliseconds(20 - 4 * n));
      reply(Response::json(n));
    });
  });
  const auto client = serve.client();
  std::string all;
  for (int n = 0; n < 5; ++n) all += simple("/slow/" + std::to_string(n));
  all += "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nend" + simple("/ping");
  client->send(all);
  for (int n = 0; n < 5; ++n) EXPECT_EQ(body_of(client->receive()), n);
  EXPECT_EQ(client->receive().body, "end");
  EXPECT_EQ(client->receive().status, 200);
  serve.server().stop();
  for (std::thread& thread : threads) thread.join();
}

TEST(Server, BytesMayComeOneByOne) {
  Serve serve;
  const auto client = serve.client();
  const std::string bytes = "\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  for (const char c : bytes) client->send({&c, 1});
  EXPECT_EQ(client->receive().body, "hello");
}

TEST(Server, ChunkedBodiesAreRead) {
  Serve serve;
  const auto client = serve.client();
  client->send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Request-ID: from-the-trailer\r\n\r\n");
  const Answer answer = client->receive();
  EXPECT_EQ(answer.body, "abcde");
  EXPECT_NE(answer.header("x-request-id"), "from-the-trailer");
  EXPECT_EQ(client->get("/ping").status, 200);
}

TEST(Server, HeadIsGetWithoutABody) {
  Serve serve;
  const auto client = serve.client();
  const Answer answer = client->request("HEAD", "/ping");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-length"), "13");
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(client->get("/ping").status, 200);
}

TEST(Server, OldClientsGetTheirConnectionClosed) {
  Serve serve;
  const auto client = serve.client();
  client->send("GET /ping HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client->receive().header("connection"), "close");
  EXPECT_TRUE(client->closed_by_server());
  client->send("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client->receive().header("connection"), "keep-alive");
  EXPECT_EQ(client->get("/ping").status, 200);
}

TEST(Server, ExpectContinueIsAnsweredBeforeTheBody) {
  Serve serve;
  const auto client = serve.client();
  client->send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  client->send("ok");
  EXPECT_EQ(client->receive().body, "ok");
  // Refused before anything was sent.
  client->send("POST /none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client->receive().status, 404);
}

TEST(Server, WrongMethodsAndPathsAreTold) {
  Serve serve;
  const auto client = serve.client();
  const Answer wrong = client->request("DELETE", "/ping");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(code_of(wrong), "method_not_allowed");
  EXPECT_EQ(client->request("TRACE", "/ping").status, 405);
  EXPECT_EQ(client->request("FOO", "/ping").status, 405);
  EXPECT_EQ(client->request("FOO", "/none").status, 404);
  EXPECT_EQ(client->post("/none", "a body that nobody reads").status, 404);
  EXPECT_EQ(client->get("/user/%zz").status, 400);
  EXPECT_EQ(client->get("/user/%00").status, 400);
  EXPECT_EQ(client->get("/user/a?b=%ff").status, 400);
  EXPECT_EQ(client->request("OPTIONS", "/ping").header("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(client->request("OPTIONS", "*").status, 204);
  EXPECT_EQ(serve.server().connections(), 1) << "none of this costs the connection";
}

TEST(Server, MalformedRequestsAreRefused) {
  Serve serve;
  const auto status = [&](const std::string& bytes) {
    const auto client = serve.client();
    client->send(bytes);
    return client->receive().status;
  };
  EXPECT_EQ(status("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(status("GET /ping\r\n\r\n"), 400);
  EXPECT_EQ(status("GET /ping HTTP/1.1\r\n\r\n"), 400) << "no Host";
  EXPECT_EQ(status("GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(status("GET /ping HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(status("GET /ping HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n"), 400);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400);
  // What two readers could read in two ways lets a second request through to whoever trusts the first.
  EXPECT_EQ(
      status("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      400);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 400);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"), 417);
  EXPECT_EQ(
      status("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x')),
      400);
  EXPECT_EQ(serve.client()->get("/ping").status, 200);
}

TEST(Server, WhatIsTooLargeIsRefused) {
  Serve serve({.max_header = 4 << 10, .max_body = 100 << 10});
  const auto status = [&](const std::string& bytes) {
    const auto client = serve.client();
    client->send(bytes);
    const Answer answer = client->receive();
    EXPECT_EQ(answer.header("connection"), "close");
    EXPECT_TRUE(client->closed_by_server());
    return answer.status;
  };
  EXPECT_EQ(status("GET /" + std::string(200'000, 'a')), 414);
  EXPECT_EQ(status("GET /ping HTTP/1.1\r\nHost: x\r\nA: " + std::string(200'000, 'a')), 431);
  std::string many = "GET /ping HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 300; ++i) many += "A: b\r\n";
  EXPECT_EQ(status(many + "\r\n"), 431);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'a')),
            413);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" +
                   std::string(200'000, 'a')),
            413);
  const auto client = serve.client();
  EXPECT_EQ(client->post("/size", std::string(100 << 10, 'a')).body, "102400");
  EXPECT_EQ(client->post("/none", std::string(200 << 10, 'a')).status, 413);
}

TEST(Server, CompressedBodiesAreReadUpToTheLimit) {
  Serve serve({.max_decompressed_body = 1 << 20});
  const auto client = serve.client();
  const std::string text(50'000, 'x');
  for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
    const Client::Headers headers = {{"Content-Encoding", std::string(coding_name(coding))}};
    EXPECT_EQ(client->post("/size", encode(coding, text), headers).body, "50000");
    EXPECT_EQ(client->post("/size", "", headers).body, "0");
    EXPECT_EQ(client->post("/size", "not compressed", headers).status, 400);
    EXPECT_EQ(client->post("/size", encode(coding, "some text").substr(0, 12), headers).status, 400);
    const Answer bomb = client->post("/size", encode(coding, std::string(100 << 20, '\0')), headers);
    EXPECT_EQ(bomb.status, 413);
    EXPECT_EQ(code_of(bomb), "body_too_large");
  }
  EXPECT_EQ(client->post("/size", text, {{"Content-Encoding", "br"}}).status, 415);
}

TEST(Server, LargeAnswersAreCompressedForThoseWhoTakeIt) {
  Serve serve;
  const auto client = serve.client();
  const std::string text(5000, 'x');
  const Answer plain = client->post("/echo", text);
  EXPECT_EQ(plain.body, text);
  EXPECT_EQ(plain.header("vary"), "Accept-Encoding");
  for (const char* name : {"gzip", "zstd"}) {
    const Answer answer = client->post("/echo", text, {{"Accept-Encoding", name}});
    EXPECT_EQ(answer.header("content-encoding"), name);
    EXPECT_LT(answer.body.size(), 1000);
    std::string out;
    Decoder::of(name, 1 << 20)->feed(answer.body, out);
    EXPECT_EQ(out, text);
  }
  EXPECT_EQ(client->post("/echo", "short", {{"Accept-Encoding", "gzip"}}).body, "short");
}

TEST(Server, AHandlersHeadersCannotEndTheirLine) {
  Serve serve;
  serve.get("/split", [](auto, Reply reply) { reply({.headers = {{"X-Id", "a\r\nSet-Cookie: b"}}}); });
  const Answer answer = serve.client()->get("/split");
  EXPECT_EQ(answer.header("x-id"), "a??Set-Cookie: b");
  EXPECT_EQ(answer.header("set-cookie"), "");
}

}  // namespace
}  // namespace fewshop::http
