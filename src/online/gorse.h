#pragma once

#include <string>
#include <string_view>

#include "online/incoming.h"
#include "store/shop_store.h"

namespace fewshop {

// Bodies in the form of Gorse's clients: one object, a list, or one object a line, names of members in upper or lower
// case. What does not fit is a refusal; InvalidInput for a body that cannot be read at all.

/// Feedback: {FeedbackType, UserId, ItemId, Value, Timestamp, Labels, Comment}. The type is kept as it is; Value
/// becomes the item's value; Labels and Comment stand in `extra` as "labels" and "comment". With a Timestamp the
/// event's id follows from (type, user, item, time, value), so that a request sent twice is one event; else it is new.
/// `session`: feedback of a session that has no user.
Incoming parse_gorse_feedback(std::string_view body, const ParseContext& context, bool session = false);

/// Users {UserId, Labels, Comment} and items {ItemId, IsHidden, Categories, Timestamp, Labels, Comment}. Labels that
/// are no object are kept as the label "labels".
IncomingRecords<UserRecord> parse_gorse_users(std::string_view body, const ParseContext& context);
IncomingRecords<ItemRecord> parse_gorse_items(std::string_view body, const ParseContext& context);

/// The body of PATCH, one object; the id comes from the path. Throws InvalidInput where it does not fit.
RecordPatch parse_gorse_user_patch(std::string_view body, std::string_view user_id, const ParseContext& context);
RecordPatch parse_gorse_item_patch(std::string_view body, std::string_view item_id, const ParseContext& context);

/// An id of a path or a query, checked as the ids of bodies are; InvalidInput where it does not fit.
std::string check_id(std::string_view id, std::string_view name, const ParseLimits& limits);

/// As Gorse writes them, in one line.
std::string to_gorse_json(const UserRecord& user);
std::string to_gorse_json(const ItemRecord& item);
std::string to_gorse_json(const FeedbackRecord& feedback);

}  // namespace fewshop
