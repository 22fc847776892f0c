#include "online/event_names.h"

#include <cstdint>
#include <unordered_map>

namespace fewshop {
namespace {

constexpr EventAlias kAliases[] = {
    {"view_item", "view_item", "GA4"},
    {"view_item_list", "view_item_list", "GA4"},
    {"select_item", "select_item", "GA4"},
    {"search", "search", "GA4"},
    {"add_to_cart", "add_to_cart", "GA4"},
    {"remove_from_cart", "remove_from_cart", "GA4"},
    {"add_to_wishlist", "add_to_wishlist", "GA4"},
    {"view_cart", "view_cart", "GA4"},
    {"begin_checkout", "begin_checkout", "GA4"},
    {"add_shipping_info", "add_shipping_info", "GA4"},
    {"add_payment_info", "add_payment_info", "GA4"},
    {"purchase", "purchase", "GA4"},
    {"refund", "refund", "GA4"},
    {"view_promotion", "view_promotion", "GA4"},
    {"select_promotion", "select_promotion", "GA4"},
    {"page_view", "page_view", "GA4"},
    {"screen_view", "screen_view", "GA4"},
    {"view_homepage", "view_homepage", "GA4"},
    {"select_suggestion", "select_suggestion", "fewshop"},
    {"rate", "rate", "fewshop"},
    {"like", "like", "fewshop"},
    {"dislike", "dislike", "fewshop"},
    {"return", "return", "fewshop"},

    {"detail-page-view", "view_item", "Google Retail"},
    {"category-page-view", "view_item_list", "Google Retail"},
    {"add-to-cart", "add_to_cart", "Google Retail"},
    {"remove-from-cart", "remove_from_cart", "Google Retail"},
    {"shopping-cart-page-view", "view_cart", "Google Retail"},
    {"purchase-complete", "purchase", "Google Retail"},
    {"home-page-view", "view_homepage", "Google Retail"},

    {"Product Viewed", "view_item", "Segment"},
    {"Product List Viewed", "view_item_list", "Segment"},
    {"Product Clicked", "select_item", "Segment"},
    {"Products Searched", "search", "Segment"},
    {"Product Added", "add_to_cart", "Segment"},
    {"Product Removed", "remove_from_cart", "Segment"},
    {"Product Added to Wishlist", "add_to_wishlist", "Segment"},
    {"Cart Viewed", "view_cart", "Segment"},
    {"Checkout Started", "begin_checkout", "Segment"},
    {"Payment Info Entered", "add_payment_info", "Segment"},
    {"Order Completed", "purchase", "Segment"},
    {"Order Refunded", "refund", "Segment"},
    {"Promotion Viewed", "view_promotion", "Segment"},
    {"Promotion Clicked", "select_promotion", "Segment"},
    {"Product Reviewed", "rate", "Segment"},

    {"View", "view_item", "Personalize, Algolia"},
    {"Click", "select_item", "Personalize, Algolia"},
    {"AddToCart", "add_to_cart", "Personalize, Algolia (eventSubtype)"},
    {"Impression", "view_item_list", "Personalize"},

    {"read", "view_item", "Gorse"},
    {"star", "like", "Gorse"},
};

constexpr size_t kLongest = 32;  // no alias is longer

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

struct LowerHash {
  size_t operator()(std::string_view name) const {
    uint64_t hash = 14695981039346656037U;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(lower(c))) * 1099511628211U;
    return hash;
  }
};
struct LowerEqual {
  bool operator()(std::string_view a, std::string_view b) const {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (lower(a[i]) != lower(b[i])) return false;
    return true;
  }
};

}  // namespace

std::span<const EventAlias> event_aliases() { return kAliases; }

std::string_view canonical_event(std::string_view name) {
  static const auto names = [] {
    std::unordered_map<std::string_view, std::string_view, LowerHash, LowerEqual> map;
    for (const EventAlias& row : kAliases) map.emplace(row.alias, row.canonical);
    return map;
  }();
  if (name.size() > kLongest) return name;
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

}  // namespace fewshop
