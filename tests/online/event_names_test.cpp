#include "online/event_names.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace fewshop {
namespace {

TEST(EventNamesTest, NamesOfOtherSystemsBecomeGa4Names) {
  for (const char* name : {"view_item", "detail-page-view", "Product Viewed", "View", "view", "read"})
    EXPECT_EQ(canonical_event(name), "view_item") << name;
  for (const char* name : {"purchase", "purchase-complete", "Order Completed", "Purchase"})
    EXPECT_EQ(canonical_event(name), "purchase") << name;
  for (const char* name : {"add_to_cart", "add-to-cart", "Product Added", "AddToCart", "addToCart"})
    EXPECT_EQ(canonical_event(name), "add_to_cart") << name;
  EXPECT_EQ(canonical_event("Products Searched"), "search");
  EXPECT_EQ(canonical_event("product viewed"), "view_item");
}

TEST(EventNamesTest, OtherNamesStayAsTheyAre) {
  for (const std::string name : {"Watched Video", "neighbors_like", "", "PRODUCT  VIEWED"})
    EXPECT_EQ(canonical_event(name), name);
  const std::string longer = "view_item" + std::string(100, '_');
  EXPECT_EQ(canonical_event(longer), longer);
}

TEST(EventNamesTest, AnAliasStandsInTheTableOnce) {
  std::set<std::string_view> seen;
  for (const EventAlias& row : event_aliases()) {
    EXPECT_TRUE(seen.insert(row.alias).second) << row.alias;
    EXPECT_EQ(canonical_event(row.alias), row.canonical) << row.alias << " is too long, or shadowed";
    EXPECT_EQ(canonical_event(row.canonical), row.canonical);
  }
}

}  // namespace
}  // namespace fewshop
