#include "store/event_codec.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fewshop {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr unsigned char kVersion = 1;
constexpr uint64_t kGuest = 1, kValue = 2;
constexpr int kItemsShift = 8;

class Encoder {
 public:
  void byte(unsigned char value) { bytes_.push_back(static_cast<char>(value)); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<unsigned char>(value | 0x80));
    byte(static_cast<unsigned char>(value));
  }
  void zigzag(int64_t value) { varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63)); }
  void text(std::string_view value) {
    varint(value.size());
    bytes_.append(value);
  }
  void number(double value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  std::string_view take(uint64_t size) {
    require(size <= bytes_.size(), "the queue of events: a batch is cut short");
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  unsigned char byte() { return static_cast<unsigned char>(take(1)[0]); }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const unsigned char next = byte();
      value |= static_cast<uint64_t>(next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
    throw InvalidInput("the queue of events: a batch is damaged");
  }
  int64_t zigzag() {
    const uint64_t value = varint();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string text() { return std::string(take(varint())); }
  double number() {
    double value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  /// A count of things of at least one byte each.
  uint64_t count(uint64_t value) const {
    require(value <= bytes_.size(), "the queue of events: a batch is damaged");
    return value;
  }

 private:
  std::string_view bytes_;
};

int64_t difference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t sum(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }

}  // namespace

std::string encode_events(std::span<const Event> events) {
  Encoder out;
  out.byte(kVersion);
  out.varint(events.size());
  Micros before = 0;
  for (const Event& event : events) {
    out.varint((event.guest ? kGuest : 0) | (given(event.value) ? kValue : 0) | event.items.size() << kItemsShift);
    out.zigzag(difference(event.time, before));
    before = event.time;
    for (const auto* text : {&event.event_id, &event.event, &event.user_id, &event.client_id, &event.session_id,
                             &event.recommendation_id, &event.extra})
      out.text(*text);
    if (given(event.value)) out.number(event.value);
    for (const EventItem& item : event.items) {
      out.text(item.item_id);
      const double numbers[] = {item.quantity, item.price, item.value, item.rating};
      unsigned char which = 0;
      for (int i = 0; i < 4; ++i)
        if (given(numbers[i])) which |= static_cast<unsigned char>(1 << i);
      out.byte(which);
      for (const double number : numbers)
        if (given(number)) out.number(number);
    }
  }
  return out.take();
}

std::vector<Event> decode_events(std::string_view bytes) {
  Decoder in(bytes);
  const int version = in.byte();
  require(version == kVersion, "the queue of events: a batch of version ", version, "; this program reads ",
          static_cast<int>(kVersion));
  std::vector<Event> events(in.count(in.varint()));
  Micros before = 0;
  for (Event& event : events) {
    const uint64_t flags = in.varint();
    event.guest = flags & kGuest;
    event.time = before = sum(before, in.zigzag());
    for (auto* text : {&event.event_id, &event.event, &event.user_id, &event.client_id, &event.session_id,
                       &event.recommendation_id, &event.extra})
      *text = in.text();
    if (flags & kValue) event.value = in.number();
    event.items.resize(in.count(flags >> kItemsShift));
    for (EventItem& item : event.items) {
      item.item_id = in.text();
      const unsigned char which = in.byte();
      double* numbers[] = {&item.quantity, &item.price, &item.value, &item.rating};
      for (int i = 0; i < 4; ++i)
        if (which & 1 << i) *numbers[i] = in.number();
    }
  }
  require(in.at_end(), "the queue of events: a batch is longer than its events");
  return events;
}

EventRow row_of(const Event& event, size_t position) {
  EventRow row;
  row.event_id = event.event_id;
  row.position = static_cast<int32_t>(position);
  row.time = event.time;
  row.event = event.event;
  row.user_id = event.user_id;
  row.client_id = event.client_id;
  row.session_id = event.session_id;
  row.recommendation_id = event.recommendation_id;
  row.extra = event.extra;
  row.guest = event.guest;
  if (event.items.empty()) {
    row.value = event.value;
    return row;
  }
  const EventItem& item = event.items[position];
  row.item_id = item.item_id;
  row.quantity = item.quantity;
  row.price = item.price;
  row.value = item.value;
  row.rating = item.rating;
  if (!given(event.value)) return row;
  if (event.items.size() == 1 && !given(item.value)) {
    row.value = event.value;
  } else if (event.extra.empty()) {
    row.extra = nlohmann::json{{"value", event.value}}.dump();
  } else if (auto extra = nlohmann::json::parse(event.extra, nullptr, false);
             extra.is_object() && !extra.contains("value")) {
    extra["value"] = event.value;
    row.extra = extra.dump();
  }
  return row;
}

std::vector<EventRow> rows_of(const Event& event) {
  std::vector<EventRow> rows;
  for (size_t position = 0; position < row_count(event); ++position) rows.push_back(row_of(event, position));
  return rows;
}

}  // namespace fewshop
