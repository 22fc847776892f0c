#pragma once

#include <sqlite3.h>

#include <string>

#include <fmt/format.h>

#include "store/event.h"

namespace fewshop::testing {

inline Event event(const std::string& id, Micros time, const std::string& user, const std::string& item,
                   const std::string& kind = "view_item") {
  Event e;
  e.event_id = id;
  e.time = time;
  e.event = kind;
  e.user_id = user;
  if (!item.empty()) e.items.push_back({item});
  return e;
}

inline Event guest_event(const std::string& id, Micros time, const std::string& client, const std::string& item) {
  Event e = event(id, time, "", item);
  e.client_id = client;
  return e;
}

inline std::string number_text(double number) { return given(number) ? fmt::format("{}", number) : "-"; }

/// All fields, separated by blanks.
inline std::string text_of(const EventRow& r) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", r.event_id, r.position, r.time, r.event, r.user_id,
                     r.client_id, r.session_id, r.item_id, number_text(r.quantity), number_text(r.price),
                     number_text(r.value), number_text(r.rating), r.recommendation_id, r.extra, r.guest ? 1 : 0);
}

/// The number that a statement gives on a connection of another program; -1 where it fails.
inline int64_t count_in(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  int64_t number = -1;
  sqlite3_open(path.c_str(), &db);
  sqlite3_exec(
      db, sql.c_str(),
      [](void* out, int, char** values, char**) {
        *static_cast<int64_t*>(out) = values[0] ? std::atoll(values[0]) : 0;
        return 0;
      },
      &number, nullptr);
  sqlite3_close(db);
  return number;
}

}  // namespace fewshop::testing
