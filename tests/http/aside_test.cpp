#include "http/aside.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "http/client.h"
#include "http/shop_serve.h"
#include "http/url.h"

namespace fewshop::http {
namespace {

TEST(Aside, DoesOneAfterTheOtherAndRefusesWhatIsTooMuch) {
  Aside aside(3);
  std::promise<void> begun, go;
  std::vector<int> done;
  ASSERT_TRUE(aside.post([&] {
    begun.set_value();
    go.get_future().wait();
    done.push_back(0);
  }));
  begun.get_future().wait();
  std::promise<void> last;
  for (int i = 1; i <= 3; ++i)
    EXPECT_TRUE(aside.post([&, i] {
      done.push_back(i);
      if (i == 3) last.set_value();
    }));
  EXPECT_FALSE(aside.post([] {})) << "three wait";
  go.set_value();
  last.get_future().wait();
  EXPECT_EQ(done, (std::vector<int>{0, 1, 2, 3}));
}

TEST(Aside, StoppingDropsWhatWaits) {
  std::atomic<int> done = 0;
  Aside aside(10);
  std::promise<void> begun, go;
  aside.post([&] {
    begun.set_value();
    go.get_future().wait();
    ++done;
  });
  begun.get_future().wait();
  aside.post([&] { ++done; });
  std::thread later([&] { go.set_value(); });
  aside.stop();
  later.join();
  EXPECT_LE(done, 2);
  EXPECT_GE(done, 1);
  EXPECT_FALSE(aside.post([] {}));
}

TEST(Aside, ANewFilterHoldsUpNobodyElse) {
  ShopServe shop([](ShopServer::Options& options) { options.config.server.threads = 1; }, 200);
  // Takes some milliseconds an item, a second and more for all.
  const std::string filter = percent_encode("instr(hex(zeroblob(800000 + price)), 'x') = 0");
  std::atomic<bool> done = false;
  std::thread slow([&] {
    const auto client = shop.client();
    EXPECT_EQ(client->get("/api/recommend/u?n=5&filter=" + filter).status, 200);
    done = true;
  });
  const auto client = shop.client();
  while (shop.server->in_flight() == 0 && !done) std::this_thread::yield();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client->get("/api/recommend/u?n=5").status, 200);
  EXPECT_EQ(client->post("/api/events", event_body("e1", "u", "item-1")).status, 200);
  EXPECT_FALSE(done) << "the filter was not slow enough for this test, or others waited for it";
  slow.join();
  // Now it is known, also to the other form of the question.
  const auto answer = client->post("/api/recommend",
                                   R"({"user_id":"u","n":5,"filter":"instr(hex(zeroblob(800000 + price)), 'x') = 0"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(nlohmann::json::parse(answer.body).at("items").size(), 5);
  // What is no condition is said there, too.
  EXPECT_EQ(client->get("/api/recommend/u?filter=" + percent_encode("prize < 3")).status, 400);
  EXPECT_EQ(client->post("/api/recommend", R"([{"user_id":"u","filter":"prize < 3"}])").status, 400);
}

}  // namespace
}  // namespace fewshop::http
