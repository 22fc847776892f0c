#include "store/record_row.h"

#include <fmt/format.h>

namespace fewshop {

using nlohmann::json;

std::string labels_text(const json& labels) { return labels.is_object() && !labels.empty() ? labels.dump() : ""; }

json labels_of(std::string_view text) {
  if (text.empty()) return json::object();
  json labels = json::parse(text, nullptr, false);
  return labels.is_object() ? labels : json::object();
}

UserRecord user_of(const Connection::Query& row) { return {row.text(0), labels_of(row.view(1)), row.text(2)}; }

ItemRecord item_of(const Connection::Query& row) {
  ItemRecord item;
  item.item_id = row.text(0);
  item.hidden = row.integer(1) != 0;
  std::string_view categories = row.view(2);
  while (!categories.empty()) {
    const size_t end = categories.find('|');
    item.categories.emplace_back(categories.substr(0, end));
    categories.remove_prefix(end == std::string_view::npos ? categories.size() : end + 1);
  }
  item.time = row.integer(3);
  item.labels = labels_of(row.view(4));
  item.comment = row.text(5);
  return item;
}

std::optional<UserRecord> read_user(Connection& connection, const std::string& user_id) {
  auto query = connection.query(fmt::format("select {} from users where user_id = ?", kUserColumns));
  query.add(user_id);
  if (!query.step()) return std::nullopt;
  return user_of(query);
}

std::optional<ItemRecord> read_item(Connection& connection, const std::string& item_id) {
  auto query = connection.query(fmt::format("select {} from items where item_id = ?", kItemColumns));
  query.add(item_id);
  if (!query.step()) return std::nullopt;
  return item_of(query);
}

}  // namespace fewshop
