#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fewshop {

/// Everything of a shop's database in a file of JSON lines (docs/deployment.md), compressed with zstd where the name
/// ends in ".zst":
///
///     {"fewshop_dump": 1, "tables": {"users": [["user_id", "TEXT"], ...], ...}}
///     {"setting": "live/rank", "value": {...}}        keys as records without their hash: they open nothing
///     {"users": {"user_id": "u1", "labels": "{\"age\":31}"}}
///     {"events": {"rowid": 17, "event_id": "e1", ...}}     also events_future, events_withheld, and queue
///     {"joins": {...}} {"refusals": {...}}
///     {"end": {"rows": 12345}}
///
/// Columns that are NULL are left out; bytes that are no UTF-8 are {"base64url": "..."}.

struct DumpReport {
  std::map<std::string, int64_t> rows;  // by table
  int64_t forgotten = 0;                // rows left out because whom they are about has been forgotten since
};

/// One state of the database, served or not: nobody waits for it. The file is there when it is complete. Throws
/// InvalidInput for what is no shop's database, Failure for the disk's.
DumpReport dump(const std::string& database, const std::string& file);

/// Puts a dump into a database that is new or has neither users, items nor events: all of it or nothing. Whoever is in
/// the ledger of that database, or of `ledger` (another database, "" = none), and was not yet when the dump was made,
/// is left out with the guests that were joined. Throws InvalidInput naming the line for a file that is no complete
/// dump.
DumpReport restore(const std::string& file, const std::string& database, const std::string& ledger);

}  // namespace fewshop
