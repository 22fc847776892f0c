// The shop of random numbers that a server is measured with is served as a training would leave it.
#include "online/synthetic_shop.h"

#include <gtest/gtest.h>

#include "bundle/tensor_file.h"
#include "learner/catalogue.h"
#include "online/live_shop.h"

namespace fewshop {
namespace {

using testing::LiveShop;

TEST(SyntheticShop, HasAllDefaultBaselinesInItsStackAndTheUsersEventsAsSessions) {
  const SyntheticShop::Size size{.items = 1000, .users = 30, .events = 6, .d = 8};
  const SyntheticShop synthetic(size);
  LiveShop live;
  synthetic.fill(*live.shop);
  synthetic.write_model(live.folder / "synthetic");
  const auto model = Model::load(live.folder / "synthetic");

  std::vector<std::string> names, expected = default_baselines(model->scenario());
  expected.insert(expected.begin(), "bayes");
  const Member* session_knn = nullptr;
  for (const int m : model->parts().stack.members) {
    names.emplace_back(model->parts().members[m]->name());
    if (names.back() == "session-knn") session_knn = model->parts().members[m].get();
  }
  EXPECT_EQ(names, expected);
  std::vector<double> weight(names.size() + 1);
  for (int cell = 0; cell < kItemCells; ++cell) {
    model->parts().stack.weights(size.events, cell, weight);
    for (size_t m = 0; m < names.size(); ++m) EXPECT_GT(weight[m], 0) << names[m];
  }

  ASSERT_NE(session_knn, nullptr);
  TensorFile file;
  session_knn->save(file);
  const auto begin = file.get<int64_t>("session.begin");
  const auto item = file.get<int32_t>("session.item");
  ASSERT_EQ(begin.size(), size.users + 1);
  // So few users have their last events in the order of their numbers.
  for (int u = 0; u < size.users; ++u) {
    std::vector<std::string> session, served;
    for (int64_t e = begin[u]; e < begin[u + 1]; ++e) session.push_back(model->item_ids()[item[e]]);
    for (const LiveRow& row : live.shop->rows_of("user-" + std::to_string(u), live.now))
      served.push_back(ItemTable::Reader(live.shop->items()).at(row.item).id);
    EXPECT_EQ(served.size(), size.events);
    EXPECT_EQ(session, served) << "user " << u;
  }
}

}  // namespace
}  // namespace fewshop
