// Limits of the server: time, connections, requests in flight, bodies.
#include "http/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "core/error.h"
#include "serve.h"

namespace fewshop::http {
namespace {

using ::testing::HasSubstr;

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

}  // namespace
}  // namespace fewshop::http
