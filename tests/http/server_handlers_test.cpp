// What handlers do, and hooks around them: replies from any thread, errors, lists that wait together, origins.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "serve.h"

namespace fewshop::http {
namespace {

using ::testing::HasSubstr;

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

}  // namespace
}  // namespace fewshop::http
