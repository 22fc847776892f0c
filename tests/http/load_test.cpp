// More of everything than a server takes: clients that are slow, requests at once, events that wait. It says so, serves
// those who behave, and loses nothing that was acknowledged.
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "serve.h"
#include "shop_serve.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// A connection that says what it is told to and reads nothing.
class RawConnection {
 public:
  explicit RawConnection(uint16_t port, const std::string& bytes)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int small = 4096;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    send(bytes);
  }
  ~RawConnection() { ::close(fd_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  void send(const std::string& bytes) const {
    (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

 private:
  int fd_;
};

/// Holds the writing thread of a shop until it is released.
class Blocked {
 public:
  explicit Blocked(Shop& shop)
      : thread_([this, &shop] {
          shop.store().write([this](ShopStore::Writer&) {
            std::unique_lock lock(mutex_);
            held_ = true;
            changed_.notify_all();
            changed_.wait(lock, [this] { return released_; });
          });
        }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_; });
  }
  ~Blocked() { release(); }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false, released_ = false;
  std::thread thread_;
};

std::string batch_body(const std::string& name, int events) {
  std::string body = "[";
  for (int i = 0; i < events; ++i)
    body += (i > 0 ? "," : "") + event_body(name + "-" + std::to_string(i), "u" + std::to_string(i % 100), "item-1");
  return body + "]";
}

/// Rows of the table once the queue is empty; the server has to be stopped and started again for it.
int64_t stored_rows(ShopServe& shop, const std::string& where = "true") {
  EXPECT_TRUE(eventually([&] { return shop.server->shop().queued() == 0; }));
  shop.stop();
  const std::string rows = text_in(shop.database(), "select count(*) from events where " + where);
  const std::string ids = text_in(shop.database(), "select count(distinct event_id) from events where " + where);
  EXPECT_EQ(rows, ids);
  EXPECT_EQ(text_in(shop.database(), "pragma integrity_check"), "ok");
  return std::stoll(rows);
}

TEST(Load, HundredsOfSlowAndHalfOpenClientsKeepNobodyWaiting) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t before = files.rlim_cur;
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
  ::setrlimit(RLIMIT_NOFILE, &files);
  const int each = files.rlim_cur >= 4096 ? 300 : 60;
  {
    ShopServe shop([](ShopServer::Options& options) { options.config.server.drain_seconds = 0.2; });
    const uint16_t port = shop.server->port();
    std::vector<std::unique_ptr<RawConnection>> slow;
    for (int i = 0; i < each; ++i) {
      slow.push_back(std::make_unique<RawConnection>(port, ""));  // says nothing
      slow.push_back(std::make_unique<RawConnection>(
          port, "GET /api/popular HTTP/1.1\r\nHost: localhost"));  // stops in the headers
      slow.push_back(std::make_unique<RawConnection>(
          port,
          "POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n[{\"event\""));  // in the body
      // Asks much and takes no answer.
      std::string many;
      for (int n = 0; n < 20; ++n)
        many +=
            "GET /api/apidocs.json HTTP/1.1\r\nHost: localhost\r\n\r\nGET /apidocs.json HTTP/1.1\r\nHost: "
            "localhost\r\n\r\n";
      slow.push_back(std::make_unique<RawConnection>(port, many));
    }
    std::atomic<int> answered = 0;
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        auto client = shop.client();
        for (int i = 0; i < 100; ++i) {
          answered +=
              client->post("/api/events", event_body(fmt::format("e{}-{}", t, i), "u1", "item-1")).status == 200;
          answered += client->get("/api/recommend/u1").status == 200;
        }
      });
    std::thread drip([&] {  // a byte now and then
      while (!done) {
        for (const auto& connection : slow) connection->send("x");
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    });
    for (auto& thread : threads) thread.join();
    done = true;
    drip.join();
    EXPECT_EQ(answered, 800);
    EXPECT_EQ(stored_rows(shop), 400);
  }
  files.rlim_cur = before;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

TEST(Load, BeyondTheRequestsInFlightItSays503AndHealthIsStillAnswered) {
  constexpr int kLimit = 8;
  ShopServe shop([](ShopServer::Options& options) { options.config.server.max_in_flight = kLimit; });
  std::atomic<int> done = 0, refused = 0;
  std::vector<std::thread> threads;
  {
    Blocked blocked(shop.server->shop());
    for (int t = 0; t < 3 * kLimit; ++t)
      threads.emplace_back([&, t] {
        const Answer answer = shop.client()->post("/api/events", event_body("e" + std::to_string(t), "u1", "item-1"));
        if (answer.status == 200) {
          ++done;
          return;
        }
        EXPECT_EQ(answer.status, 503);
        EXPECT_EQ(code_of(answer), "overloaded");
        EXPECT_NE(answer.header("retry-after"), "");
        ++refused;
      });
    EXPECT_TRUE(eventually([&] { return refused == 2 * kLimit; }));
    EXPECT_EQ(shop.client()->get("/api/health/live").status, 200);
    EXPECT_EQ(shop.client()->get("/metrics").status, 200);
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, kLimit);
  EXPECT_EQ(stored_rows(shop), kLimit);
}

TEST(Load, MoreEventsThanMayWaitAreRefusedWith429AndWhatWasAcknowledgedIsThere) {
  ShopServe shop;
  constexpr int kBatch = 10'000;
  std::atomic<int> done = 0, refused = 0;
  std::vector<std::thread> threads;
  {
    Blocked blocked(shop.server->shop());
    for (int t = 0; t < 16; ++t)
      threads.emplace_back([&, t] {
        const Answer answer = shop.client()->post("/api/events", batch_body("b" + std::to_string(t), kBatch));
        if (answer.status == 200) {
          EXPECT_EQ(body_of(answer).at("accepted"), kBatch);
          ++done;
          return;
        }
        EXPECT_EQ(answer.status, 429);
        EXPECT_EQ(code_of(answer), "overloaded");
        EXPECT_NE(answer.header("retry-after"), "");
        ++refused;
      });
    EXPECT_TRUE(eventually([&] { return refused >= 4; }));
    EXPECT_EQ(shop.client()->get("/api/recommend/u1").status, 200);
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done + refused, 16);
  EXPECT_GE(done, 9);
  EXPECT_EQ(shop.client()->post("/api/events", event_body("after", "u1", "item-1")).status, 200);
  EXPECT_EQ(stored_rows(shop), kBatch * done + 1);
}

TEST(Load, StoppingAnswersWhatIsInFlight) {
  ShopServe shop;
  std::atomic<int> sent = 0, done = 0;
  std::vector<std::thread> threads;
  std::thread stopping;
  {
    Blocked blocked(shop.server->shop());
    for (int t = 0; t < 20; ++t)
      threads.emplace_back([&, t] {
        auto client = shop.client();
        EXPECT_EQ(client->get("/api/health/live").status, 200);
        const std::string body = event_body("e" + std::to_string(t), "u1", "item-1");
        client->send(fmt::format("POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                                 body.size(), body));
        ++sent;
        const Answer answer = client->receive("POST");
        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.header("connection"), "close");
        ++done;
      });
    ASSERT_TRUE(eventually([&] { return sent == 20; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // and read
    stopping = std::thread([&] { shop.server->stop(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(done, 0);
    EXPECT_ANY_THROW(shop.client(1)->get("/api/health/live"));
  }
  for (auto& thread : threads) thread.join();
  stopping.join();
  EXPECT_EQ(done, 20);
  shop.stop();
  shop.start();
  EXPECT_EQ(stored_rows(shop), 20);
}

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

/// What is allocated and not freed: resident memory alone would hide growth in what earlier tests have left.
int64_t allocated_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST(Load, MemoryDoesNotGrowWithTheNumberOfRequests) {
  if (kSanitized) GTEST_SKIP() << "what is freed is kept from reuse";
  const char* more = std::getenv("FEWSHOP_LOAD_REQUESTS");
  const int requests = more ? std::atoi(more) : 20'000;
  // Little room for rows of users, so that it is full long before the first look; the same users and items come again.
  ShopServe shop([](ShopServer::Options& options) {
    options.config.database.cache_mb = 1;
    options.config.database.recent_ids = 1000;
  });
  constexpr int kTogether = 25, kConnections = 8;  // requests of one pipeline, and such pipelines
  std::vector<std::unique_ptr<Client>> clients;
  for (int c = 0; c < kConnections; ++c) clients.push_back(shop.client());
  int count = 0;
  const auto bytes_of = [&] {
    const std::string user = fmt::format("u{}", count % 2000), item = fmt::format("item-{}", count % 50);
    const auto as_bytes = [](const std::string& method, const std::string& target, const std::string& body = "") {
      return fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}", method, target,
                         body.size(), body);
    };
    switch (++count % 10) {
      case 0:
      case 1:
        return as_bytes("POST", "/api/events", event_body(fmt::format("e{}", count), user, item));
      case 2:
        return as_bytes("GET", "/api/user/" + user + "/neighbors");
      case 3:
        return as_bytes("GET", "/api/recommend/" + user + "?explain=true");
      case 4:
        return as_bytes("GET", fmt::format("/api/recommend/{}?filter=price%3C{}&cap=colour:2", user, count % 1000));
      case 5:
        return as_bytes("GET", "/api/item-to-item/also/" + item);
      case 6:
        if (count % 100 == 6)
          return as_bytes("PATCH", "/api/item/" + item, fmt::format(R"({{"Labels":{{"price":{}}}}})", count % 100));
        return as_bytes("GET", "/api/popular?n=20");
      case 7:
        return as_bytes("GET", "/api/user/" + user + "?" + std::string(count % 500, 'x'));
      case 8:
        return as_bytes("POST", "/api/session/recommend",
                        fmt::format(R"([{{"FeedbackType":"kind{}","ItemId":"{}"}}])", count, item));
      default:
        return as_bytes("POST", "/api/events", R"({"event":"x", "items":)" + std::string(count % 300, '['));
    }
  };
  std::map<int, int> statuses;
  const auto run = [&](int many) {
    for (int i = 0; i < many; i += kTogether * kConnections) {
      for (const auto& client : clients) {
        std::string bytes;
        for (int n = 0; n < kTogether; ++n) bytes += bytes_of();
        client->send(bytes);
      }
      for (const auto& client : clients)
        for (int n = 0; n < kTogether; ++n) ++statuses[client->receive("GET").status];
    }
    EXPECT_TRUE(eventually([&] { return shop.server->shop().queued() == 0; }));
  };
  run(requests / 3);
  // Pages of the database are kept up to a limit that a long run comes to slowly: they are no growth.
  const int64_t resident = resident_bytes(), allocated = allocated_bytes(), pages = sqlite3_memory_used();
  ASSERT_GT(pages, 0);
  run(requests - requests / 3);
  const int64_t more_pages = sqlite3_memory_used() - pages;
  const int64_t more_resident = resident_bytes() - resident - more_pages,
                more_allocated = allocated_bytes() - allocated - more_pages;
  EXPECT_GT(statuses[200], count / 2);
  for (const auto& [status, answers] : statuses) EXPECT_LT(status, 500) << answers;
  const auto mib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  std::printf(
      "%d requests: %.1f MiB resident, since the first third %+.1f without SQLite's memory (%+.1f); %.1f allocated, "
      "%+.1f\n",
      requests, mib(resident_bytes()), mib(more_resident), mib(more_pages), mib(allocated_bytes()),
      mib(more_allocated));
  EXPECT_LT(mib(more_resident), 24);
  EXPECT_LT(mib(more_allocated), 16);
}

}  // namespace
}  // namespace fewshop::http
