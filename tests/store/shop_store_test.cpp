#include "store/shop_store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/error.h"
#include "store/shop_support.h"
#include "store/store.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using namespace testing;

class ShopStoreTest : public ::testing::Test {
 protected:
  void reopen() {
    store.reset();
    store = ShopStore::open(folder / "shop.db", {});
  }
  void append(const std::vector<Event>& events) {
    store->write([&](ShopStore::Writer& writer) { writer.append(events); });
  }
  std::vector<std::string> ids(const std::string& user, const std::string& client = "", int64_t at_most = 100,
                               Micros until = 1'000'000) {
    std::vector<std::string> ids;
    for (const EventRow& row : store->history(user, client, at_most, until)) ids.push_back(row.event_id);
    return ids;
  }
  int64_t count(const std::string& sql) { return count_in(folder / "shop.db", sql); }

  TempDir folder;
  std::unique_ptr<ShopStore> store = ShopStore::open(folder / "shop.db", {});
};

TEST_F(ShopStoreTest, EventsAreSeenBeforeAndAfterIndexingAndAfterOpeningAgain) {
  append({event("e2", 20, "u1", "i2"), event("e1", 10, "u1", "i1"), event("x", 15, "u2", "i1")});
  for (int state = 0; state < 4; ++state) {
    if (state == 1 || state == 3) reopen();
    const int64_t moved = state == 2 ? store->index(1000, 100) : 3;
    EXPECT_EQ(moved, 3);
    EXPECT_THAT(ids("u1"), ElementsAre("e1", "e2")) << state;
    EXPECT_THAT(ids("u1", "", 1), ElementsAre("e2"));
    EXPECT_THAT(ids("u1", "", 100, 19), ElementsAre("e1"));
    EXPECT_TRUE(store->has_event("x"));
    EXPECT_FALSE(store->has_event("y"));
    EXPECT_EQ(store->queued(), state < 2 ? 3 : 0);
    std::vector<std::string> latest;
    store->each_event_id(2, [&](std::string_view id) { latest.emplace_back(id); });
    EXPECT_THAT(latest, ElementsAre("x", "e1"));
  }
}

TEST_F(ShopStoreTest, EveryFieldComesBackFromTheQueueAndFromTheTable) {
  Event e;
  e.event_id = "e";
  e.time = -5;
  e.event = "purchase";
  e.user_id = "u";
  e.client_id = "c";
  e.session_id = "s";
  e.recommendation_id = "r";
  e.items = {{"i1", 2, 9.5, 3, 4}, {"i2"}};
  e.extra = R"({"coupon":"X"})";
  append({e});
  for (int state = 0; state < 3; ++state) {
    const auto rows = store->history("u", "", 10, 100);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(text_of(rows[0]), R"(e 0 -5 purchase u c s i1 2 9.5 3 4 r {"coupon":"X"} 0)");
    EXPECT_EQ(text_of(rows[1]), R"(e 1 -5 purchase u c s i2 - - - - r {"coupon":"X"} 0)");
    state == 0 ? reopen() : static_cast<void>(store->index(10, 100));
  }
}

}  // namespace
}  // namespace fewshop
