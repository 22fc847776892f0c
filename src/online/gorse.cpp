#include "online/gorse.h"

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "core/time.h"
#include "online/body.h"

namespace fewshop {
namespace {

using namespace body;

/// Gorse's server takes names in upper or lower case.
bool named(std::string_view key, std::string_view name) {
  return key.size() == name.size() && std::equal(key.begin(), key.end(), name.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a + 32 : a) == (b >= 'A' && b <= 'Z' ? b + 32 : b);
         });
}

std::string text_of(element value, std::string_view name, const ParseLimits& limits) {
  if (value.is_null()) return "";
  std::string_view text;
  if (value.get(text)) refuse("{}: expected a text, got {}", name, shown(value));
  if (text.size() > static_cast<size_t>(limits.extra_bytes))
    refuse("{}: expected up to {} bytes, got {}", name, limits.extra_bytes, text.size());
  return std::string(text);
}

/// Go writes its zero time where there is none.
bool timed(element value) {
  std::string_view text;
  return value.get(text) ? !value.is_null() : !text.empty() && text.substr(0, 19) != "0001-01-01T00:00:00";
}

Micros timestamp_of(element value, Micros otherwise) {
  return timed(value) ? time_of(value, "Timestamp", otherwise) : otherwise;
}

nlohmann::json labels_of(element value, const ParseLimits& limits) {
  if (value.is_null()) return nlohmann::json::object();
  std::string text;
  append_json(value, text, limits.depth);
  if (text.size() > static_cast<size_t>(limits.extra_bytes))
    refuse("Labels: expected up to {} bytes, got {}", limits.extra_bytes, text.size());
  nlohmann::json labels = copy_of(value, limits.depth);
  if (!labels.is_object()) labels = {{"labels", std::move(labels)}};
  return labels;
}

/// Labels as they came: a list that stands alone is a list again.
const nlohmann::json& gorse_labels(const nlohmann::json& labels) {
  return labels.size() == 1 && labels.contains("labels") && labels["labels"].is_array() ? labels["labels"] : labels;
}

std::vector<std::string> categories_of(element value, const ParseLimits& limits) {
  std::vector<std::string> categories;
  if (value.is_null()) return categories;
  array list;
  if (value.get(list)) refuse("Categories: expected a list, got {}", shown(value));
  if (list.size() > static_cast<size_t>(limits.items))
    refuse("Categories: expected up to {}, got {}", limits.items, list.size());
  for (const element category : list) categories.push_back(id_of(category, "Categories", limits, true));
  return categories;
}

/// Runs `read` for every value of the body and keeps what it returns, or why it could not.
template <class Record, class Read>
IncomingRecords<Record> parse_records(std::string_view body, const ParseContext& context, Read&& read_record) {
  IncomingRecords<Record> incoming;
  Reader reader;
  reader.value = [&](int64_t index, element value) {
    try {
      Record record;
      read_record(value, record);
      incoming.records.push_back(std::move(record));
      incoming.index.push_back(index);
    } catch (const BadValue& bad) {
      incoming.refusals.push_back({index, "", bad.reason});
    }
  };
  reader.broken = [&](int64_t index, const std::string& reason) { incoming.refusals.push_back({index, "", reason}); };
  incoming.total = read(body, context, reader);
  return incoming;
}

/// The one object that a patch is.
template <class Read>
RecordPatch parse_patch(std::string_view body, std::string_view id, std::string_view name, const ParseContext& context,
                        Read&& read_member) {
  RecordPatch patch;
  patch.id = check_id(id, name, context.limits);
  Reader reader;
  reader.value = [&](int64_t index, element value) {
    try {
      if (index) refuse("expected one object, got several");
      for (const auto [key, member] : object_of(value, "the body")) read_member(key, member, patch.changes);
    } catch (const BadValue& bad) {
      throw InvalidInput(bad.reason);
    }
  };
  reader.broken = [&](int64_t, const std::string& reason) { throw InvalidInput(reason); };
  read(body, context, reader);
  return patch;
}

void read_feedback(element value, const ParseContext& context, bool session, Event& event) {
  const ParseLimits& limits = context.limits;
  event.time = context.now;
  bool has_time = false;
  JsonObject extra;
  EventItem& item = event.items.emplace_back();
  for (const auto [key, member] : object_of(value, "the feedback")) {
    if (named(key, "FeedbackType")) {
      event.event = id_of(member, "FeedbackType", limits);
    } else if (named(key, "UserId")) {
      event.user_id = id_of(member, "UserId", limits);
    } else if (named(key, "ItemId")) {
      item.item_id = id_of(member, "ItemId", limits);
    } else if (named(key, "Value")) {
      item.value = number_of(member, "Value");
    } else if (named(key, "Timestamp")) {
      has_time = timed(member);
      event.time = timestamp_of(member, context.now);
    } else if (named(key, "Labels")) {
      if (!member.is_null()) extra.add("labels", member, limits.depth);
    } else if (named(key, "Comment")) {
      if (const std::string comment = text_of(member, "Comment", limits); !comment.empty())
        extra.add("comment", std::string_view(comment));
    } else if (!named(key, "Updated")) {  // when Gorse's store last changed it
      extra.add(reserved(key) ? "feedback." + std::string(key) : std::string(key), member, limits.depth);
    }
  }
  if (event.event.empty()) refuse("FeedbackType: expected a name such as \"like\", got none");
  if (event.user_id.empty() && !session) refuse("UserId: expected an id, got none");
  if (item.item_id.empty()) refuse("ItemId: expected an id, got none");
  event.guest = event.user_id.empty();
  event.extra = std::move(extra).take();
  if (event.extra.size() > static_cast<size_t>(limits.extra_bytes))
    refuse("expected up to {} bytes of labels and comment, got {}", limits.extra_bytes, event.extra.size());
  if (!has_time) {
    event.event_id = new_id(*context.random);
    return;
  }
  const auto id = [&](std::string_view part) {
    Fingerprint print;
    print.add(part).add(event.event).add(event.user_id).add(item.item_id).add(event.time);
    return print.add(given(item.value) ? item.value : 0.0).hex();
  };
  event.event_id = "gorse-" + id("high") + id("low");
}

}  // namespace

std::string check_id(std::string_view id, std::string_view name, const ParseLimits& limits) {
  require(!id.empty() && id.size() <= static_cast<size_t>(limits.id_bytes), name, ": expected 1 to ", limits.id_bytes,
          " bytes, got ", id.size());
  require(std::none_of(id.begin(), id.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }),
          name, ": expected no control characters");
  require(simdjson::validate_utf8(id.data(), id.size()), name, ": expected UTF-8");
  return std::string(id);
}

Incoming parse_gorse_feedback(std::string_view body, const ParseContext& context, bool session) {
  auto events = parse_records<Event>(
      body, context, [&](element value, Event& event) { read_feedback(value, context, session, event); });
  Incoming incoming;
  incoming.total = events.total;
  incoming.events = std::move(events.records);
  incoming.index = std::move(events.index);
  incoming.refusals = std::move(events.refusals);
  return incoming;
}

IncomingRecords<UserRecord> parse_gorse_users(std::string_view body, const ParseContext& context) {
  return parse_records<UserRecord>(body, context, [&](element value, UserRecord& user) {
    for (const auto [key, member] : object_of(value, "the user")) {
      if (named(key, "UserId"))
        user.user_id = id_of(member, "UserId", context.limits);
      else if (named(key, "Labels"))
        user.labels = labels_of(member, context.limits);
      else if (named(key, "Comment"))
        user.comment = text_of(member, "Comment", context.limits);
    }
    if (user.user_id.empty()) refuse("UserId: expected an id, got none");
  });
}

IncomingRecords<ItemRecord> parse_gorse_items(std::string_view body, const ParseContext& context) {
  return parse_records<ItemRecord>(body, context, [&](element value, ItemRecord& item) {
    for (const auto [key, member] : object_of(value, "the item")) {
      if (named(key, "ItemId"))
        item.item_id = id_of(member, "ItemId", context.limits);
      else if (named(key, "IsHidden"))
        item.hidden = !member.is_null() && boolean_of(member, "IsHidden");
      else if (named(key, "Categories"))
        item.categories = categories_of(member, context.limits);
      else if (named(key, "Timestamp"))
        item.time = timestamp_of(member, 0);
      else if (named(key, "Labels"))
        item.labels = labels_of(member, context.limits);
      else if (named(key, "Comment"))
        item.comment = text_of(member, "Comment", context.limits);
    }
    if (item.item_id.empty()) refuse("ItemId: expected an id, got none");
  });
}

RecordPatch parse_gorse_user_patch(std::string_view body, std::string_view user_id, const ParseContext& context) {
  return parse_patch(body, user_id, "UserId", context,
                     [&](std::string_view key, element member, nlohmann::json& changes) {
                       if (member.is_null()) return;
                       if (named(key, "Labels"))
                         changes["labels"] = labels_of(member, context.limits);
                       else if (named(key, "Comment"))
                         changes["comment"] = text_of(member, "Comment", context.limits);
                     });
}

RecordPatch parse_gorse_item_patch(std::string_view body, std::string_view item_id, const ParseContext& context) {
  return parse_patch(body, item_id, "ItemId", context,
                     [&](std::string_view key, element member, nlohmann::json& changes) {
                       if (member.is_null()) return;
                       if (named(key, "IsHidden"))
                         changes["hidden"] = boolean_of(member, "IsHidden");
                       else if (named(key, "Categories"))
                         changes["categories"] = categories_of(member, context.limits);
                       else if (named(key, "Timestamp"))
                         changes["time"] = timestamp_of(member, 0);
                       else if (named(key, "Labels"))
                         changes["labels"] = labels_of(member, context.limits);
                       else if (named(key, "Comment"))
                         changes["comment"] = text_of(member, "Comment", context.limits);
                     });
}

std::string to_gorse_json(const UserRecord& user) {
  JsonObject out;
  out.add("UserId", std::string_view(user.user_id));
  out.member("Labels") += gorse_labels(user.labels).dump();
  out.add("Comment", std::string_view(user.comment));
  return std::move(out).take();
}

std::string to_gorse_json(const ItemRecord& item) {
  JsonObject out;
  out.add("ItemId", std::string_view(item.item_id));
  out.member("IsHidden") += item.hidden ? "true" : "false";
  out.member("Categories") += nlohmann::json(item.categories).dump();
  out.add("Timestamp", std::string_view(item.time ? format_time(item.time) : "0001-01-01T00:00:00Z"));
  out.member("Labels") += gorse_labels(item.labels).dump();
  out.add("Comment", std::string_view(item.comment));
  return std::move(out).take();
}

std::string to_gorse_json(const FeedbackRecord& feedback) {
  JsonObject out;
  out.add("FeedbackType", std::string_view(feedback.event));
  out.add("UserId", std::string_view(feedback.user_id));
  out.add("ItemId", std::string_view(feedback.item_id));
  append_json_number(given(feedback.value) ? feedback.value : 0.0, out.member("Value"));
  out.add("Timestamp", std::string_view(format_time(feedback.time)));
  out.add("Updated", std::string_view(format_time(feedback.time)));
  out.member("Labels") += gorse_labels(feedback.labels).dump();
  out.add("Comment", std::string_view(feedback.comment));
  return std::move(out).take();
}

}  // namespace fewshop
