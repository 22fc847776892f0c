#pragma once

#include <span>
#include <string_view>

namespace fewshop {

/// The name under which an event is stored: GA4's for every name that Google Retail, Segment, Amazon Personalize,
/// Algolia or Gorse give to the same thing ("detail-page-view", "Product Viewed", "View", "view", "read" ->
/// "view_item"), in upper or lower case; any other name as it is. The result points into `name` or lives for ever.
std::string_view canonical_event(std::string_view name);

/// One row of the table behind canonical_event. Canonical names stand in it with themselves as alias.
struct EventAlias {
  std::string_view alias, canonical, source;
};
std::span<const EventAlias> event_aliases();

}  // namespace fewshop
