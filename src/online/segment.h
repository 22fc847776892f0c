#pragma once

#include <string_view>

#include "online/incoming.h"

namespace fewshop {

/// Reads a body in the form of Segment's clients. `call` is the last part of the path: "batch", "track", "identify",
/// "alias", "page", "screen" or "group"; in a batch each message names its own as `type`.
///
/// `messageId` is the event's id, `userId` and `anonymousId` are user and guest. Names of Segment's ecommerce
/// events become GA4's; `products`, or product_id, sku of a single product, the items; `query` and `order_id` the extra
/// fields search_term and transaction_id. page, screen and group are events page_view, screen_view, group. identify
/// joins the guest to the user and makes the traits labels of the user; alias joins previousId to userId. What is known
/// of the sender (library, ip, integrations) and the write key are not kept.
///
/// Personalization is refused by properties.consent.personalization = false, or by a category "personalization" of
/// context.consent.categoryPreferences that is false; such a message leaves no context, traits or join behind.
Incoming parse_segment(std::string_view body, std::string_view call, const ParseContext& context);

}  // namespace fewshop
