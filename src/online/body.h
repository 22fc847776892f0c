#pragma once

// Inside the parsers of this room only: bodies as values of simdjson, and the parts that every kind of event shares.
#include <fmt/format.h>
#include <simdjson.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "online/incoming.h"

namespace fewshop::body {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

/// One value of a body does not fit; caught where values are counted, and made a Refusal.
struct BadValue {
  std::string reason;
};

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw BadValue{fmt::format(format, std::forward<Args>(args)...)};
}

/// A value as a reason names it: as JSON, cut after 60 bytes.
std::string shown(element value);

/// Without the blanks of JSON around it.
std::string_view trimmed(std::string_view text);

/// What a body is read into.
struct Reader {
  /// The object around a list of values; called before the values.
  std::function<void(object)> envelope;
  /// A value, from the first on.
  std::function<void(int64_t index, element)> value;
  /// A value that is no JSON by itself although the body can be told apart into values.
  std::function<void(int64_t index, const std::string& reason)> broken;
};

/// Reads one object, a list of values, or a value in each line; with a `list` also an object whose member of that name
/// is the list. Returns the number of values. Where the whole is no JSON, but its brackets and quotes show where each
/// value ends, only the values that are broken are lost. Throws InvalidInput where nothing can be read, naming the
/// byte, and where there are more values than the limit.
int64_t read(std::string_view text, const ParseContext& context, const Reader& reader, std::string_view list = "");

/// The object that a value must be.
object object_of(element value, std::string_view name);

/// "" for null and, unless `required`, the empty text. Else text or an integer, of 1 to limits.id_bytes bytes without
/// control characters.
std::string id_of(element value, std::string_view name, const ParseLimits& limits, bool required = false);

/// A number, or a text that is one, finite and below 1e15; kNotGiven for null and the empty text.
double number_of(element value, std::string_view name);

/// Times of events lie before it: 2200-01-01.
inline constexpr Micros kTimeEnd = 7'258'118'400 * kSecond;
/// ISO-8601, or epoch s, ms, us as number or text, in the years 1970 to 2199; `now` for null and the empty text.
Micros time_of(element value, std::string_view name, Micros now);

bool boolean_of(element value, std::string_view name);

/// Appends the value as JSON without blanks. Refuses what is nested deeper than `depth`.
void append_json(element value, std::string& out, int depth);
void append_json_text(std::string_view text, std::string& out);
void append_json_number(double number, std::string& out);

/// A copy for records, whose labels are nlohmann's.
nlohmann::json copy_of(element value, int depth);

/// A JSON object that grows member by member.
class JsonObject {
 public:
  /// Starts a member; what is appended to text() next is its value.
  std::string& member(std::string_view key);
  void add(std::string_view key, element value, int depth) { append_json(value, member(key), depth); }
  void add(std::string_view key, std::string_view text) { append_json_text(text, member(key)); }
  bool empty() const { return text_.empty(); }
  /// The object as text, "" where it has no member.
  std::string take() &&;
  /// The same, "{}" where it has no member.
  std::string take_object() &&;

 private:
  std::string text_;
};

/// What stands around events and is no part of them (the device, the place, the page): members by name, as JSON. Each
/// event keeps it as the member `context` of `extra`, which the store takes from events without a name.
using Surroundings = std::map<std::string, std::string>;
/// Notes a member. Refuses what is nested too deeply to be read again as a canonical event.
void note(std::string_view name, element value, Surroundings& around, const ParseLimits& limits);
/// Refuses what is too large to be kept with each of many events.
void check_shared(const Surroundings& around, const ParseLimits& limits);

/// An id that no other event has: a random UUID.
std::string new_id(Random& random);

/// Builds one event from the members of a canonical event, GA4's parameters or Segment's properties.
class EventBuilder {
 public:
  EventBuilder(Event& event, const ParseContext& context) : event_(event), context_(context) {}

  /// Takes a member that has the same name and meaning in all of them: items, item_id, session_id, recommendation_id,
  /// value, price, quantity, rating. False: it is none of these.
  bool take(std::string_view key, element value);

  /// The list of items; members with one of `id_names` are the id, the first that is given.
  void items(element list, std::string_view name, std::initializer_list<std::string_view> id_names);
  /// The one item of an event that names it without a list; ignored beside a list.
  void single_item(element value, std::string_view name);

  /// Keeps what has no column. `prefix` goes before names that a canonical event has for something else.
  void keep(std::string_view key, element value, std::string_view prefix = "");
  /// Keeps what stood around the event; once.
  void keep_context(const Surroundings& around);
  JsonObject& extra() { return extra_; }

  /// Completes items, value, extra, id, guest. Refuses what is beyond the limits.
  void finish();

 private:
  Event& event_;
  const ParseContext& context_;
  JsonObject extra_;
  std::string items_extra_, single_item_;
  size_t items_with_extra_ = 0;
  double price_ = kNotGiven, quantity_ = kNotGiven, rating_ = kNotGiven;
};

/// A name that a canonical event has a place for.
bool reserved(std::string_view key);

}  // namespace fewshop::body
