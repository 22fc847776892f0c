#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "store/connection.h"
#include "store/shop_store.h"

namespace fewshop {

/// Rows of `users` and `items` as records, by any connection.
inline constexpr const char* kUserColumns = "user_id, labels, comment";
inline constexpr const char* kItemColumns = "item_id, hidden, categories, time, labels, comment";
UserRecord user_of(const Connection::Query& row);
ItemRecord item_of(const Connection::Query& row);

std::optional<UserRecord> read_user(Connection& connection, const std::string& user_id);
std::optional<ItemRecord> read_item(Connection& connection, const std::string& item_id);

/// Labels as the column holds them, "" (NULL) for none; and back: an empty object for what is no JSON object.
std::string labels_text(const nlohmann::json& labels);
nlohmann::json labels_of(std::string_view text);

}  // namespace fewshop
