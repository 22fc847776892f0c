#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "store/connection.h"
#include "store/event.h"

namespace fewshop {

/// The columns of EventRow in the order in which read_row() takes them.
inline constexpr const char* kRowColumns =
    "event_id, position, time, event, user_id, client_id, session_id, item_id, quantity, price, value, rating, "
    "recommendation_id, extra, guest";
EventRow read_row(const Connection::Query& query, int first = 0);

/// The statement for rows of a person in one of the tables, rowid last; parameters: the id, the kind of event where it
/// is one, a time, the most rows. The index gives rows of one kind in their order, so that no more are read than are
/// wanted; those of all kinds are read and sorted.
struct RowsOfPerson {
  const char* table = "events";
  bool guest = false;      // by client_id, those without user_id
  bool one_kind = false;   // of one kind of event; else of all
  bool after = false;      // the first ones after the time; else the latest ones up to it
  bool with_item = false;  // others are passed over
};
std::string rows_sql(const RowsOfPerson& rows);

/// The tables that hold indexed events, changed inside the writer's transaction:
///
///     events            what counts
///     events_future     what will count when its time has come
///     events_withheld   rows of those who refused personalization
///
/// The rowid of a row is its place in the order of acceptance over all three, and goes with it from table to table.
class EventTables {
 public:
  static constexpr const char* kAll[] = {"events", "events_future", "events_withheld"};

  /// `columns`: event_columns().
  EventTables(Connection& connection, std::string columns);

  /// Inserts the event, into the future where its time is after `now`, unless one with its id is there, or was and has
  /// been removed as feedback (removed_ids.h). The users and
  /// items that it names are there from then on. Returns whether it was inserted.
  bool insert(const Event& event, Micros now);
  bool has(const std::string& event_id);
  /// Moves up to `at_most` rows whose time has come to `events`.
  int64_t come_due(Micros now, int64_t at_most);

  /// Moves those of the rows with `condition` ("client_id = ?1 and guest = 1"; ?1 is `parameter`) that are refused by
  /// now to events_withheld, and those that are not back; how many moved.
  int64_t settle(const std::string& condition, const std::string& parameter, Micros now);

 private:
  /// Rows with the condition, which may name the parameters ?1 and ?2.
  int64_t move(const std::string& from, const std::string& to, const std::string& condition,
               const std::string& parameter, int64_t number);

  Connection& connection_;
  std::string columns_;
  int64_t next_row_ = 0;
  bool any_removed_ = false;  // an id of removed_ids.h; what this transaction removes has left the queue before
  std::unordered_set<std::string> users_, items_;  // named in this transaction
};

}  // namespace fewshop
