#include "store/removed_rows.h"

#include <algorithm>
#include <string>

namespace fewshop {
namespace {

std::string setting_of_day(Micros time) {
  return "removed-rows/" + format_time(std::max<Micros>(time, 0)).substr(0, std::string_view("2026-12-01").size());
}

constexpr const char* kBehindAllDays = "removed-rows/:";  // ':' comes after every digit

}  // namespace

void count_removed_rows(Connection& connection, int64_t rows, Micros now) {
  if (rows == 0) return;
  connection
      .query(
          "insert into fewshop_settings values (?1, ?2) on conflict (name) do update set value = value + "
          "excluded.value")
      .add(setting_of_day(now))
      .add(rows)
      .run();
}

int64_t removed_rows_since(Connection& connection, Micros time) {
  auto query = connection.query(
      "select coalesce(sum(cast(value as integer)), 0) from fewshop_settings where name >= ?1 and name < ?2");
  query.add(setting_of_day(time)).add(kBehindAllDays);
  return query.step() ? query.integer(0) : 0;
}

}  // namespace fewshop
