#include "store/removed_ids.h"

#include <string>

#include "core/hash.h"

namespace fewshop {
namespace {

std::string key_of(std::string_view event_id) {
  return to_hex(hash64(event_id)) + Fingerprint().add("removed").add(event_id).hex();
}

}  // namespace

void note_removed_id(Connection& connection, std::string_view event_id, Micros now) {
  connection.query("insert or replace into fewshop_removed (hash, time) values (?, ?)")
      .add(key_of(event_id))
      .add(now)
      .run();
}

void restore_removed_id(Connection& connection, std::string_view event_id) {
  connection.query("delete from fewshop_removed where hash = ?").add(key_of(event_id)).run();
}

void drop_old_removed_ids(Connection& connection, Micros now) {
  connection.query("delete from fewshop_removed where time < ?").add(now - kRemovedIdsKept).run();
}

bool has_removed_ids(Connection& connection) {
  return connection.query("select 1 from fewshop_removed limit 1").step();
}

bool is_removed_id(Connection& connection, std::string_view event_id) {
  auto query = connection.query("select 1 from fewshop_removed where hash = ?");
  query.add(key_of(event_id));
  return query.step();
}

std::vector<uint64_t> removed_id_hashes(Connection& connection) {
  std::vector<uint64_t> hashes;
  auto query = connection.query("select substr(hash, 1, 16) from fewshop_removed order by time");
  while (query.step()) hashes.push_back(std::stoull(query.text(0), nullptr, 16));
  return hashes;
}

}  // namespace fewshop
