// Faults of disk and clock below a whole server: changes fail and say so, questions are answered, what was acknowledged
// stays.
#include <sys/mount.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "serve.h"
#include "shop_serve.h"
#include "store/fault_vfs.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// How many rows of a user count.
int support_of(Client& client, const std::string& user) {
  const Answer answer = client.post("/api/scenarios/small-ranking/predict",
                                    json{{"task", {{"user_id", user}}}, {"query", {{{"item_id", "item-0"}}}}}.dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.status == 200 ? body_of(answer).at("support").get<int>() : -1;
}

/// Posts events of one user and remembers which were acknowledged.
class Poster {
 public:
  /// The status.
  int post(Client& client) {
    const std::string id = "e" + std::to_string(count_++);
    return post(client, id);
  }
  int post(Client& client, const std::string& id) {
    const Answer answer = client.post("/api/events", event_body(id, "u1", "item-1"));
    if (answer.status == 200) {
      acknowledged.insert(id);
      failed.erase(id);
    } else {
      EXPECT_EQ(answer.status, 503) << answer.body;
      EXPECT_EQ(code_of(answer), "unavailable");
      EXPECT_THAT(answer.body, HasSubstr("nothing was stored"));
      EXPECT_NE(answer.header("retry-after"), "");
      failed.insert(id);
    }
    return answer.status;
  }
  int post_until_taken(Client& client) {
    for (int i = 0; i < 200; ++i) {
      const int status = post(client);
      if (status == 200) return status;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return 0;
  }

  std::set<std::string> acknowledged, failed;

 private:
  int count_ = 0;
};

void expect_questions_answered(Client& client) {
  for (const char* path :
       {"/api/recommend/u1", "/api/recommend/somebody-new", "/api/popular", "/api/item/item-1",
        "/api/recommend/u1?filter=price%3C20", "/api/health/live", "/api/feedback/purchase", "/metrics"})
    EXPECT_EQ(client.get(path).status, 200) << path;
}

class FaultTest : public ::testing::Test {
 protected:
  testing::FaultVfs vfs;
  ShopServe shop{[this](ShopServer::Options& options) { options.vfs = vfs.name(); }};
  std::unique_ptr<Client> client = shop.client();
  Poster poster;

  /// What counts is what was acknowledged, now and after a restart; of what failed each event may be there or not.
  void expect_what_was_acknowledged() {
    EXPECT_EQ(support_of(*client, "u1"), std::ssize(poster.acknowledged));
    restart([] {});
    const int support = support_of(*client, "u1");
    EXPECT_GE(support, std::ssize(poster.acknowledged));
    EXPECT_LE(support, std::ssize(poster.acknowledged) + std::ssize(poster.failed));
  }
  template <class Between>
  void restart(Between&& between) {
    client.reset();
    shop.stop();
    between();
    shop.start();
    client = shop.client();
  }
};

TEST_F(FaultTest, WhileSyncsFailChangesAnswer503AndQuestionsGoOn) {
  ASSERT_EQ(poster.post(*client), 200);
  vfs.fail_sync(1, 40);
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    refused += poster.post(*client) == 503;
    expect_questions_answered(*client);
  }
  EXPECT_GE(refused, 2);
  EXPECT_EQ(client->post("/api/item", R"({"ItemId":"item-3","IsHidden":true})").status, 503);
  vfs.fail_sync(0, 0);
  EXPECT_EQ(poster.post_until_taken(*client), 200);
  // What failed is sent again and counts once.
  for (const std::string& id : std::set<std::string>(poster.failed)) EXPECT_EQ(poster.post(*client, id), 200);
  for (const std::string& id : std::set<std::string>(poster.acknowledged)) EXPECT_EQ(poster.post(*client, id), 200);
  EXPECT_TRUE(poster.failed.empty());
  // The power goes: what was acknowledged after the failures is on the disk.
  vfs.cut_power_after(0);
  restart([&] { vfs.restore_power(3); });
  expect_what_was_acknowledged();
}

TEST_F(FaultTest, APowerCutAtARandomMomentLosesNothingThatWasAcknowledged) {
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    vfs.cut_power_after(3 + 37 * round % 50);
    for (int i = 0; i < 40 && poster.post(*client) == 200; ++i) {
    }
    EXPECT_EQ(client->get("/api/health/live").status, 200);
    vfs.cut_power_after(0);
    restart([&] { vfs.restore_power(static_cast<uint64_t>(round)); });
    const int support = support_of(*client, "u1");
    EXPECT_GE(support, std::ssize(poster.acknowledged));
    EXPECT_LE(support, std::ssize(poster.acknowledged) + std::ssize(poster.failed));
    // From here on it is known what became of each.
    for (const std::string& id : std::set<std::string>(poster.failed)) EXPECT_EQ(poster.post(*client, id), 200);
    EXPECT_EQ(support_of(*client, "u1"), std::ssize(poster.acknowledged));
  }
  expect_what_was_acknowledged();
}

TEST_F(FaultTest, AFullDiskAnswers503AndItGoesOnWhenThereIsRoom) {
  ASSERT_EQ(poster.post(*client), 200);
  vfs.limit_size(1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(poster.post(*client), 503);
  expect_questions_answered(*client);
  vfs.limit_size(-1);
  EXPECT_EQ(poster.post_until_taken(*client), 200);
  for (const std::string& id : std::set<std::string>(poster.failed)) EXPECT_EQ(poster.post(*client, id), 200);
  expect_what_was_acknowledged();
}

/// Files may not grow beyond some bytes, by order of the system.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    before_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    rlimit lower = limit_;
    lower.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &lower);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }

 private:
  rlimit limit_{};
  void (*before_)(int) = nullptr;
};

TEST(Fault, AFileThatMayNotGrowAnswers503AndItGoesOnAfterwards) {
  ShopServe shop;
  auto client = shop.client();
  Poster poster;
  ASSERT_EQ(poster.post(*client), 200);
  {
    // A log that was begun anew would lie below its former size for long.
    while (!shop.server->shop().store().truncate_log()) std::this_thread::yield();
    const SizeLimit limit(20'000);
    int refused = 0;
    for (int i = 0; i < 100 && refused < 5; ++i) refused += poster.post(*client) == 503;
    EXPECT_EQ(refused, 5);
    expect_questions_answered(*client);
  }
  EXPECT_EQ(poster.post_until_taken(*client), 200);
  for (const std::string& id : std::set<std::string>(poster.failed)) EXPECT_EQ(poster.post(*client, id), 200);
  EXPECT_EQ(support_of(*client, "u1"), std::ssize(poster.acknowledged));
  client.reset();
  shop.stop();
  EXPECT_EQ(text_in(shop.database(), "pragma integrity_check"), "ok");
  shop.start();
  EXPECT_EQ(support_of(*shop.client(), "u1"), std::ssize(poster.acknowledged));
}

TEST(Fault, ADiskThatIsReallyFullAnswers503AndItGoesOnWhenThereIsRoom) {
  testing::TempDir disk;
  if (::mount("tmpfs", disk.path().c_str(), "tmpfs", 0, "size=4m") != 0)
    GTEST_SKIP() << "this user may not mount a file system";
  struct Unmount {
    std::string path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{disk.path()};
  {
    ShopServe shop([&](ShopServer::Options& options) { options.config.database.data_store = disk / "shop.db"; });
    auto client = shop.client();
    Poster poster;
    ASSERT_EQ(poster.post(*client), 200);
    { std::ofstream(disk / "filler", std::ios::binary) << std::string(4 << 20, 'x'); }
    int refused = 0;
    for (int i = 0; i < 200 && refused < 5; ++i) refused += poster.post(*client) == 503;
    EXPECT_EQ(refused, 5);
    expect_questions_answered(*client);
    std::filesystem::remove(disk / "filler");
    EXPECT_EQ(poster.post_until_taken(*client), 200);
    for (const std::string& id : std::set<std::string>(poster.failed)) EXPECT_EQ(poster.post(*client, id), 200);
    EXPECT_EQ(support_of(*client, "u1"), std::ssize(poster.acknowledged));
    client.reset();
    shop.stop();
    EXPECT_EQ(text_in(disk / "shop.db", "pragma integrity_check"), "ok");
    shop.start();
    EXPECT_EQ(support_of(*shop.client(), "u1"), std::ssize(poster.acknowledged));
  }
}

TEST(Fault, AClockThatJumpsTakesNoEventBack) {
  std::atomic<Micros> now = 1'700'000'000 * kSecond;
  ShopServe shop([&](ShopServer::Options& options) { options.now = [&] { return now.load(); }; });
  auto client = shop.client();
  int events = 0;
  const auto post = [&] {
    ++events;
    const Answer answer = client->post(
        "/api/events", event_body("e" + std::to_string(events), "u1", fmt::format("item-{}", events % 50)));
    ASSERT_EQ(answer.status, 200) << answer.body;
    // In effect, whatever the clock says by now.
    EXPECT_EQ(support_of(*client, "u1"), events);
  };
  constexpr Micros kHour = 3600 * kSecond;
  for (const Micros jump :
       {Micros{0}, kDay, -2 * kDay, Micros{-1}, 400 * kDay, -kHour, -400 * kDay, Micros{1}, kHour, -kDay}) {
    SCOPED_TRACE(jump);
    post();
    now += jump;
    EXPECT_EQ(support_of(*client, "u1"), events);
    post();
    EXPECT_EQ(client->get("/api/recommend/u1").status, 200);
  }
  // An event of the future waits still.
  const std::string future = R"({"event_id":"f","event":"purchase","user_id":"u1","item_id":"item-1","timestamp":)" +
                             std::to_string(now.load() + 1000 * kDay) + "}";
  ASSERT_EQ(client->post("/api/events", future).status, 200);
  EXPECT_EQ(support_of(*client, "u1"), events);
  now += 1001 * kDay;
  EXPECT_EQ(support_of(*client, "u1"), events + 1);
}

}  // namespace
}  // namespace fewshop::http
