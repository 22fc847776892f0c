#include <atomic>
#include <thread>

#include "store/shop_store.h"
#include "store/shop_support.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using namespace testing;

TEST(ShopThreadsTest, ReadersSeeEveryAcknowledgedEventOnceWhileOthersWriteAndIndex) {
  const TempDir folder;
  const auto store = ShopStore::open(folder / "shop.db", {});
  constexpr int kBatches = 300;
  std::atomic<int> acknowledged = 0, wrong = 0, reads = 0;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int n = 1; n <= kBatches; ++n) {
      const std::vector<Event> events = {event(fmt::format("a{}", n), n, "u", "i1"),
                                         event(fmt::format("b{}", n), n, "v", "i2")};
      store->write([&](ShopStore::Writer& w) {
        w.append(events);
        if (n % 40 == 0) w.put_item({"i1", false, {}, 0, {{fmt::format("label{}", n), n}}, ""});
        if (n % 50 == 0) w.join(fmt::format("c{}", n), "u");
      });
      acknowledged = n;
    }
    done = true;
  });
  std::thread indexer([&] {
    while (!done) store->index(20, 1'000'000);
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r)
    readers.emplace_back([&, r] {
      while (!done) {
        const int before = acknowledged;
        const auto rows = store->history("u", "", 1'000'000, 1'000'000);
        const int after = acknowledged + 1;  // one more may be on its way
        const auto count = static_cast<int>(rows.size());
        bool right = count >= before && count <= after;
        for (int i = 0; i < count; ++i)
          right = right && rows[static_cast<size_t>(i)].event_id == fmt::format("a{}", i + 1);
        if (r == 0) {
          int all = 0;
          const int least = acknowledged;
          store->each_event([&](const EventRow&) { ++all; });
          right = right && all >= 2 * least && all % 2 == 0;
          store->item_columns("i1");
        } else if (r == 1) {
          const int least = acknowledged;
          const auto page = store->feedback("", "u", "", 10, "");
          right = right && (least == 0 || page.records.size() == 1) && (least == 0 || page.records[0].time >= least);
        }
        if (!right) ++wrong;
        ++reads;
      }
    });
  writer.join();
  indexer.join();
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reads, 0);
}

}  // namespace
}  // namespace fewshop
