#pragma once

#include <span>
#include <string>
#include <vector>

#include "store/connection.h"
#include "store/store.h"

namespace fewshop {

/// What `pragma user_version` says once a server has opened the database; 0: none has yet.
inline constexpr int kSchemaVersion = 1;

/// Gives rows that share an event_id, its items, their places in the order in which they came; run at every start.
inline constexpr const char* kPlaceRows =
    "update events set position = n from (select rowid as r, row_number() over (partition by event_id order by rowid) "
    "- 1 as n from events where position is null) where events.rowid = r";

/// A step from the version before it to `version`: SQL, run in one transaction with all other steps.
struct Migration {
  int version;
  const char* sql;
};

/// Brings the database to `newest` and creates what it lacks of the server's tables, columns and indexes, in one
/// transaction. An older version is copied first to DATABASE.before-vN (never over a file that is there); a newer one
/// is refused with InvalidInput. Tables that were imported under a canonical name are completed: missing columns are
/// added, event_id becomes 'import-' and the row's number, position counts the rows of one event_id.
void prepare_schema(Connection& connection, std::span<const Migration> migrations = {}, int newest = kSchemaVersion);

/// The columns of `events` as they are now, quoted and joined by commas: what rows that move between tables carry.
std::string event_columns(Connection& connection);

/// Columns of a table and their declared types, in order.
std::vector<std::pair<std::string, std::string>> columns_of(Connection& connection, const std::string& table);

/// Adds a column inside a transaction; the typed store then computes the table's fingerprint anew.
void add_column(Connection& connection, const std::string& table, const std::string& column, ColumnType type);

}  // namespace fewshop
