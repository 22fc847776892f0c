// How the server ends and what it leaves: requests in flight, the port, the admin socket.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "core/error.h"
#include "serve.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

using ::testing::HasSubstr;

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
