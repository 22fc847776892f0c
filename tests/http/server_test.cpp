// The server over real sockets. Time limits in these tests are tenths of seconds where they must pass and half a minute
// where they must not, so that a slow machine changes nothing.
#include "http/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "http/coding.h"
#include "serve.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

using ::testing::HasSubstr;

std::string simple(const std::string& target, const std::string& more = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}

// Waits for what another thread does.
template <class F>
bool eventually(F&& f) {
  for (int i = 0; i < 3000; ++i) {
    if (f()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// Open while it lives; ends a handler's waiting.
class Gate {
 public:
  void open() { promise_.set_value(); }
  void wait() { future_.wait(); }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

// --- requests and answers ---

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

// --- handlers ---

TEST(Server, WhatHandlersThrowBecomesAnAnswer) {
  std::string logged;
  Serve serve({}, {.authorize = {},
                   .observe = {},
                   .log_error = [&](const Request&, const Route*, const std::string& message) { logged = message; }});
  serve.get("/http", [](auto, Reply) {
    HttpError error(429, "slow_down", "wait");
    error.retry_after = 7;
    throw error;
  });
  serve.get("/invalid", [](auto, Reply) { throw InvalidInput("n is a number"); });
  serve.get("/failure", [](auto, Reply) { throw Failure("disk full"); });
  serve.get("/secret", [](auto, Reply) { throw std::runtime_error("password is 123"); });
  serve.get("/strange", [](auto, Reply) { throw 7; });
  const auto client = serve.client();
  const Answer http = client->get("/http");
  EXPECT_EQ(http.status, 429);
  EXPECT_EQ(code_of(http), "slow_down");
  EXPECT_EQ(http.header("retry-after"), "7");
  const Answer invalid = client->get("/invalid");
  EXPECT_EQ(invalid.status, 400);
  EXPECT_EQ(code_of(invalid), "invalid_request");
  EXPECT_EQ(client->get("/failure").status, 503);
  const Answer secret = client->get("/secret");
  EXPECT_EQ(secret.status, 500);
  EXPECT_EQ(secret.body.find("123"), std::string::npos);
  EXPECT_EQ(logged, "password is 123");
  EXPECT_EQ(code_of(client->get("/strange")), "internal");
}

TEST(Server, ADroppedReplyIsAnError) {
  Serve serve;
  serve.get("/dropped", [](auto, Reply) {});
  serve.get("/dropped-later", [](auto, Reply reply) {
    std::thread([reply = std::move(reply)]() mutable {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      reply = nullptr;
    }).detach();
  });
  const auto client = serve.client();
  EXPECT_EQ(client->get("/dropped").status, 500);
  EXPECT_EQ(client->get("/dropped-later").status, 500);
}

TEST(Server, OnlyTheFirstReplyCounts) {
  Serve serve;
  serve.get("/twice", [](auto, Reply reply) {
    reply(Response::json(1));
    reply(Response::json(2));
    throw std::runtime_error("three");
  });
  const auto client = serve.client();
  EXPECT_EQ(client->get("/twice").body, "1");
  EXPECT_EQ(client->get("/ping").status, 200);
}

TEST(Server, RepliesComeFromAnyThread) {
  Serve serve;
  std::mutex mutex;
  std::vector<Reply> waiting;
  std::atomic<bool> done = false;
  serve.get("/queue", [&](auto, Reply reply) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(reply));
  });
  std::thread worker([&] {
    while (!done) {
      std::vector<Reply> taken;
      {
        const std::lock_guard lock(mutex);
        taken.swap(waiting);
      }
      for (const Reply& reply : taken) reply(Response::json("later"));
      std::this_thread::yield();
    }
  });
  serve.server();
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&] {
      const auto client = serve.client();
      for (int n = 0; n < 200; ++n) right += client->get("/queue").body == "\"later\"";
    });
  for (std::thread& thread : clients) thread.join();
  done = true;
  worker.join();
  EXPECT_EQ(right, 800);
}

TEST(Server, RequestsThatWaitAtOneTimeAreAnsweredTogether) {
  Serve serve({.threads = 1});
  Gate gate;
  std::atomic<int> blocked = 0;
  serve.get("/block", [&](auto, Reply reply) {
    ++blocked;
    gate.wait();
    reply(Response::json(1));
  });
  std::mutex mutex;
  std::vector<size_t> sizes;
  const auto add = [&](const std::string& path) {
    serve.router.add({.method = Method::kGet,
                      .path = path,
                      .tag = "test",
                      .summary = "A test.",
                      .scope = "",
                      .handle = [](auto, Reply reply) { reply(Response::json("alone")); },
                      .gathers =
                          [](const Request& request) {
                            if (request.query_flag("refuse")) throw HttpError(403, "forbidden", "no");
                            return !request.query_flag("alone");
                          },
                      .handle_together =
                          [&](std::span<Call> calls) {
                            {
                              const std::lock_guard lock(mutex);
                              sizes.push_back(calls.size());
                            }
                            for (const Call& call : calls) {
                              const std::string id = call.request->query_value("id").value_or("");
                              if (id == "3") call.fail(std::make_exception_ptr(InvalidInput("three")));
                              if (id == "3") continue;
                              if (id == "throws") throw Failure("all that have no answer yet");
                              call.reply(Response::json({{"id", id}, {"path", call.request->path}}));
                            }
                          }});
  };
  add("/together");
  add("/others");
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(serve.client());
    ASSERT_EQ(clients.back()->get("/ping").status, 200);
  }
  auto blocker = std::async(std::launch::async, [&] { return serve.client()->get("/block").status; });
  ASSERT_TRUE(eventually([&] { return blocked == 1; }));
  // They are sent while the only thread is held, and read in one turn.
  std::vector<std::future<Answer>> answers;
  const auto send = [&](const std::string& target) {
    answers.push_back(std::async(std::launch::async,
                                 [&, client = clients[answers.size()].get(), target] { return client->get(target); }));
  };
  for (int i = 0; i < 7; ++i) send("/together?id=" + std::to_string(i));
  send("/others?id=7");
  send("/together?alone=1");
  send("/together?refuse=1");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  gate.open();
  EXPECT_EQ(blocker.get(), 200);
  for (int i = 0; i < 8; ++i) {
    const Answer answer = answers[i].get();
    EXPECT_EQ(answer.status, i == 3 ? 400 : 200) << i;
    if (i == 3) continue;
    EXPECT_EQ(body_of(answer)["id"], std::to_string(i));
    EXPECT_EQ(body_of(answer)["path"], i == 7 ? "/others" : "/together");
  }
  EXPECT_EQ(body_of(answers[8].get()), "alone");
  EXPECT_EQ(answers[9].get().status, 403);
  {
    const std::lock_guard lock(mutex);
    size_t sum = 0, most = 0;
    for (const size_t size : sizes) sum += size, most = std::max(most, size);
    EXPECT_EQ(sum, 8);
    EXPECT_GT(most, 1);
    EXPECT_LE(most, 4);
  }
  EXPECT_EQ(serve.client()->get("/together?id=throws").status, 503);
  EXPECT_EQ(body_of(serve.client()->get("/together?id=9"))["id"], "9");
}

TEST(Server, TheAuthorizeHookRefusesBeforeTheHandler) {
  std::atomic<int> handled = 0;
  Serve serve({}, {.authorize =
                       [](const Request& request, const Route* route) {
                         if (route->path == "/closed" && request.header("x-api-key") != "k")
                           throw HttpError(401, "no_key", "a key is needed");
                       },
                   .observe = {},
                   .log_error = {}});
  serve.get("/closed", [&](auto, Reply reply) {
    ++handled;
    reply({});
  });
  const auto client = serve.client();
  EXPECT_EQ(code_of(client->get("/closed")), "no_key");
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(client->get("/closed", {{"X-API-Key", "k"}}).status, 200);
  EXPECT_EQ(handled, 1);
}

TEST(Server, TheObserverSeesEveryAnswer) {
  std::mutex mutex;
  std::vector<std::tuple<std::string, int, size_t>> seen;
  Serve serve({}, {.authorize = {},
                   .observe =
                       [&](const Request&, const Route* route, int status, double, size_t bytes) {
                         const std::lock_guard lock(mutex);
                         seen.emplace_back(route ? route->path : "-", status, bytes);
                       },
                   .log_error = {}});
  const auto client = serve.client();
  client->get("/user/7");
  client->post("/echo", "1234");
  client->get("/none");
  client->send("nonsense\r\n\r\n");
  client->receive();
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen, (decltype(seen){{"/user/{id}", 200, 0}, {"/echo", 200, 4}, {"-", 404, 0}, {"-", 400, 0}}));
}

// --- CORS ---

TEST(Server, ListedOriginsAreAllowed) {
  Serve serve({.cors_origins = {"https://shop.example"}});
  const auto client = serve.client();
  const Answer flight = client->request("OPTIONS", "/echo", "",
                                        {{"Origin", "https://shop.example"},
                                         {"Access-Control-Request-Method", "POST"},
                                         {"Access-Control-Request-Headers", "x-api-key"}});
  EXPECT_EQ(flight.status, 204);
  EXPECT_EQ(flight.header("access-control-allow-origin"), "https://shop.example");
  EXPECT_EQ(flight.header("access-control-allow-methods"), "POST, OPTIONS");
  EXPECT_THAT(std::string(flight.header("access-control-allow-headers")), HasSubstr("X-API-Key"));
  EXPECT_EQ(flight.header("vary"), "Origin");
  EXPECT_EQ(client->get("/none", {{"Origin", "https://shop.example"}}).header("access-control-allow-origin"),
            "https://shop.example")
      << "errors can be read too";
  for (const char* other : {"https://shop.example.evil", "http://shop.example", "null"}) {
    EXPECT_EQ(client->get("/ping", {{"Origin", other}}).header("access-control-allow-origin"), "");
    EXPECT_EQ(client->request("OPTIONS", "/echo", "", {{"Origin", other}, {"Access-Control-Request-Method", "POST"}})
                  .header("access-control-allow-methods"),
              "");
  }
}

TEST(Server, AStarAllowsEveryOrigin) {
  Serve serve({.cors_origins = {"*"}});
  EXPECT_EQ(serve.client()->get("/ping", {{"Origin", "https://a.example"}}).header("access-control-allow-origin"), "*");
}

// --- limits ---

TEST(Server, SlowHeadersAndBodiesEndWith408) {
  Serve serve({.header_seconds = 0.2, .body_seconds = 0.2});
  const auto client = serve.client();
  client->send("GET /ping HTTP/1.1\r\nHos");
  EXPECT_EQ(client->receive().status, 408);
  EXPECT_TRUE(client->closed_by_server());
  client->send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  const Answer answer = client->receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(code_of(answer), "timeout");
  EXPECT_TRUE(client->closed_by_server());
}

TEST(Server, IdleConnectionsAreClosedWithoutAWord) {
  Serve serve({.idle_seconds = 0.2});
  const auto client = serve.client();
  EXPECT_EQ(client->get("/ping").status, 200);
  EXPECT_TRUE(client->closed_by_server());
  EXPECT_EQ(client->get("/ping").status, 200) << "the client connects again";
}

TEST(Server, AClientThatTakesNoAnswerIsCutOff) {
  Serve serve({.write_seconds = 0.3});
  serve.get("/large",
            [](auto, Reply reply) { reply({.body = std::string(64 << 20, 'x'), .content_type = "image/png"}); });
  const auto client = serve.client();
  client->send(simple("/large"));
  EXPECT_TRUE(eventually([&] { return serve.server().connections() == 1; }));
  EXPECT_TRUE(eventually([&] { return serve.server().connections() == 0; }));
}

TEST(Server, HalfOpenClientsGoInTime) {
  Serve serve({.header_seconds = 0.3, .idle_seconds = 0.3});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(serve.client());
    clients.back()->send(i % 2 ? "G" : simple("/ping"));
  }
  EXPECT_TRUE(eventually([&] { return serve.server().connections() == 0; }));
}

TEST(Server, TooManyConnectionsAreTurnedAway) {
  Serve serve({.max_connections = 3});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(serve.client());
    EXPECT_EQ(clients.back()->get("/ping").status, 200);
  }
  const auto more = serve.client();
  more->send("");
  EXPECT_EQ(more->receive().status, 503);
  clients.pop_back();
  EXPECT_TRUE(eventually([&] { return serve.server().connections() == 2; }));
  EXPECT_EQ(serve.client()->get("/ping").status, 200);
}

TEST(Server, TooManyRequestsInFlightAreRefusedButHealthIsAnswered) {
  Serve serve({.max_in_flight = 2});
  std::mutex mutex;
  std::vector<Reply> waiting;
  serve.get("/wait", [&](auto, Reply reply) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(reply));
  });
  serve.router.add({.method = Method::kGet,
                    .path = "/health",
                    .tag = "",
                    .summary = "",
                    .scope = "",
                    .handle = [](auto, Reply reply) { reply({}); },
                    .vital = true});
  const auto a = serve.client(), b = serve.client(), c = serve.client();
  a->send(simple("/wait"));
  b->send(simple("/wait"));
  ASSERT_TRUE(eventually([&] { return serve.server().in_flight() == 2; }));
  const Answer full = c->get("/ping");
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.header("retry-after"), "1");
  EXPECT_EQ(c->get("/health").status, 200);
  {
    const std::lock_guard lock(mutex);
    for (const Reply& reply : waiting) reply(Response::json("now"));
    waiting.clear();
  }
  EXPECT_EQ(a->receive().body, "\"now\"");
  EXPECT_EQ(b->receive().body, "\"now\"");
  EXPECT_EQ(c->get("/ping").status, 200);
}

TEST(Server, LargeBodiesTogetherHaveALimit) {
  Serve serve({.max_buffered = 1 << 20});
  const auto client = serve.client();
  EXPECT_EQ(client->post("/size", std::string(500'000, 'x')).status, 200);
  EXPECT_EQ(client->post("/size", std::string(2'000'000, 'x')).status, 503);
  EXPECT_EQ(client->post("/size", std::string(500'000, 'x')).status, 200) << "what was counted is given back";
}

/// Connections that say nothing, held by a process of their own: its file descriptors are not the server's. Every
/// second one has been served before. They are closed when this ends.
class IdleConnections {
 public:
  IdleConnections(uint16_t port, int count) {
    const std::string bytes = simple("/ping");
    int hold[2];
    if (::pipe2(hold, O_CLOEXEC) != 0) throw Failure("no pipe");
    hold_ = hold[1];
    child_ = ::fork();
    if (child_ == 0) {  // only what may be called between fork and exec
      ::close(hold[1]);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      for (int i = 0; i < count; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
        if (i % 2 == 1 && ::send(fd, bytes.data(), bytes.size(), 0) < 0) ::_exit(1);
      }
      char byte;
      while (::read(hold[0], &byte, 1) < 0 && errno == EINTR) {
      }  // until the parent lets go
      ::_exit(0);
    }
    ::close(hold[0]);
  }
  ~IdleConnections() {
    ::close(hold_);
    int status = 0;
    ::waitpid(child_, &status, 0);
    EXPECT_EQ(status, 0) << "not all connections were made";
  }
  IdleConnections(const IdleConnections&) = delete;
  IdleConnections& operator=(const IdleConnections&) = delete;

 private:
  int hold_ = -1;
  pid_t child_ = -1;
};

void hold_idle(int count) {
  Serve serve({.threads = 2});
  {
    const IdleConnections idle(serve.server().port(), count);
    EXPECT_TRUE(eventually([&] { return serve.server().connections() == static_cast<size_t>(count); }));
    const auto client = serve.client();
    for (int i = 0; i < 100; ++i) ASSERT_EQ(client->get("/ping").status, 200);
  }
  EXPECT_TRUE(eventually([&] { return serve.server().connections() <= 1; }));
}

/// As many connections as file descriptors allow.
int possible_connections() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 100'000) - 100);
}

TEST(Server, AThousandIdleConnectionsDisturbNobody) {
  if (possible_connections() < 1000) GTEST_SKIP() << "too few file descriptors";
  hold_idle(1000);
}

TEST(Server, TenThousandIdleConnectionsDisturbNobody) {
  if (possible_connections() < 10'000) GTEST_SKIP() << "too few file descriptors";
  hold_idle(10'000);
}

// --- the end ---

TEST(Server, RequestsInFlightAreFinishedWhenItStops) {
  Serve serve;
  Gate gate;
  std::thread worker;
  serve.get("/slow", [&](auto, Reply reply) {
    worker = std::thread([&, reply = std::move(reply)] {
      gate.wait();
      reply(Response::json("done"));
    });
  });
  const auto busy = serve.client(), idle = serve.client();
  EXPECT_EQ(idle->get("/ping").status, 200);
  busy->send(simple("/slow"));
  ASSERT_TRUE(eventually([&] { return serve.server().in_flight() == 1; }));
  std::thread stop([&] { serve.server().stop(); });
  EXPECT_TRUE(idle->closed_by_server()) << "idle connections end at once";
  EXPECT_TRUE(serve.server().draining());
  EXPECT_THROW(Client(serve.address(), 5).get("/ping"), Failure) << "nobody is accepted any more";
  gate.open();
  const Answer answer = busy->receive();
  EXPECT_EQ(answer.body, "\"done\"");
  EXPECT_EQ(answer.header("connection"), "close");
  stop.join();
  worker.join();
}

TEST(Server, WhatDoesNotFinishIsCutOffAndLateRepliesDoNothing) {
  Reply kept;
  {
    Serve serve({.drain_seconds = 0.2});
    std::promise<void> reached;
    serve.get("/never", [&](auto, Reply reply) {
      kept = std::move(reply);
      reached.set_value();
    });
    const auto client = serve.client();
    client->send(simple("/never"));
    reached.get_future().wait();
    serve.server().stop();
    EXPECT_TRUE(client->closed_by_server());
  }
  kept(Response::json("too late"));
}

TEST(Server, StopsTwiceAndWithoutAStart) {
  Router router;
  { Server server(router, {}); }
  Server server(router, {});
  server.start();
  server.stop();
  server.stop();
}

TEST(Server, APortThatIsTakenIsTold) {
  Serve serve;
  serve.server();
  Server other(serve.router, {.port = serve.server().port()});
  EXPECT_THROW(other.start(), Failure);
  Server nowhere(serve.router, {.host = "no.such.host.invalid"});
  EXPECT_THROW(nowhere.start(), InvalidInput);
}

// --- the admin socket ---

TEST(Server, RequestsOfTheUnixSocketAreLocalAdmins) {
  const testing::TempDir folder;
  const std::string path = folder / "admin.sock";
  {
    Serve serve({.unix_socket = path});
    serve.get("/who", [](auto request, Reply reply) { reply(Response::json(request->local_admin)); });
    EXPECT_EQ(serve.client()->get("/who").body, "false");
    EXPECT_EQ(Client("unix:" + path).get("/who").body, "true");
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600);
    Server second(serve.router, {.unix_socket = path});
    EXPECT_THROW(second.start(), Failure) << "a living server is not pushed aside";
    EXPECT_EQ(Client("unix:" + path).get("/who").body, "true");
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(Server, ASocketLeftByAKilledServerIsReplacedAFileIsNot) {
  const testing::TempDir folder;
  const std::string path = folder / "admin.sock";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  {
    Serve serve({.tcp = false, .unix_socket = path});
    serve.server();
    EXPECT_EQ(Client("unix:" + path).get("/ping").status, 200);
  }
  folder.write("admin.sock", "precious");
  Serve serve({.tcp = false, .unix_socket = path});
  EXPECT_THROW(serve.server(), InvalidInput);
  EXPECT_EQ(testing::read_whole(path), "precious");
}

}  // namespace
}  // namespace fewshop::http
