// Users and items of ShopWriter.
#include <fmt/format.h>

#include "core/error.h"
#include "store/record_row.h"
#include "store/shop_writer.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// The member as what it has to be.
template <class T>
T member(const json& changes, const char* name) {
  try {
    return changes.at(name).get<T>();
  } catch (const json::exception&) {
    throw InvalidInput(fmt::format("changes: {} is of another type than it has to be", name));
  }
}

/// Refuses members that are not known.
void check_members(const json& changes, std::initializer_list<const char*> known) {
  require(changes.is_object(), "changes: expected an object");
  for (const auto& [name, value] : changes.items()) {
    bool found = false;
    for (const char* one : known) found = found || name == one;
    require(found, "changes: no member '", name, "'");
  }
}

void check_labels(const json& labels) {
  require(labels.is_object() || labels.is_null(), "labels: expected an object of names and values");
}

json merged(json labels, const json& changes) {
  check_labels(changes);
  if (changes.is_object()) labels.merge_patch(changes);
  return labels;
}

}  // namespace

int64_t ShopWriter::put_user(const UserRecord& user) {
  require(!user.user_id.empty(), "a user without user_id");
  check_labels(user.labels);
  const auto before = read_user(context_.connection, user.user_id);
  context_.connection
      .query(
          "insert into users (user_id, labels, comment) values (?, ?, ?) on conflict (user_id) do update set "
          "labels = excluded.labels, comment = excluded.comment")
      .add(user.user_id)
      .add(labels_text(user.labels))
      .add(user.comment)
      .run();
  user_labels_.write(user.user_id, before ? before->labels : json(), user.labels);
  return 1;
}

int64_t ShopWriter::patch_user(const std::string& user_id, const json& changes) {
  check_members(changes, {"labels", "comment"});
  UserRecord user = read_user(context_.connection, user_id).value_or(UserRecord());
  user.user_id = user_id;
  if (changes.contains("labels")) user.labels = merged(std::move(user.labels), changes["labels"]);
  if (changes.contains("comment")) user.comment = member<std::string>(changes, "comment");
  return put_user(user);
}

int64_t ShopWriter::put_item(const ItemRecord& item) {
  require(!item.item_id.empty(), "an item without item_id");
  check_labels(item.labels);
  const auto before = read_item(context_.connection, item.item_id);
  std::string categories;
  for (const auto& category : item.categories) categories += (categories.empty() ? "" : "|") + category;
  auto query = context_.connection.query(
      "insert into items (item_id, hidden, categories, time, labels, comment) values (?, ?, ?, ?, ?, ?) on conflict "
      "(item_id) do update set hidden = excluded.hidden, categories = excluded.categories, time = excluded.time, "
      "labels = excluded.labels, comment = excluded.comment");
  query.add(item.item_id).add(int64_t{item.hidden}).add(categories);
  if (item.time == 0)
    query.add(kNotGiven);
  else
    query.add(item.time);
  query.add(labels_text(item.labels)).add(item.comment).run();
  item_labels_.write(item.item_id, before ? before->labels : json(), item.labels);
  return 1;
}

int64_t ShopWriter::patch_item(const std::string& item_id, const json& changes) {
  check_members(changes, {"hidden", "categories", "add_category", "remove_category", "time", "labels", "comment"});
  ItemRecord item = read_item(context_.connection, item_id).value_or(ItemRecord());
  item.item_id = item_id;
  if (changes.contains("hidden")) item.hidden = member<bool>(changes, "hidden");
  if (changes.contains("categories")) item.categories = member<std::vector<std::string>>(changes, "categories");
  for (const char* name : {"remove_category", "add_category"}) {
    if (!changes.contains(name)) continue;
    const auto category = member<std::string>(changes, name);
    std::erase(item.categories, category);
    if (name == std::string_view("add_category")) item.categories.push_back(category);
  }
  if (changes.contains("time")) item.time = member<Micros>(changes, "time");
  if (changes.contains("labels")) item.labels = merged(std::move(item.labels), changes["labels"]);
  if (changes.contains("comment")) item.comment = member<std::string>(changes, "comment");
  return put_item(item);
}

int64_t ShopWriter::delete_item(const std::string& item_id) {
  drain();
  int64_t rows = change("delete from items where item_id = ?", item_id);
  std::map<std::string, int64_t> removed;
  remove_rows("item_id = ?1", item_id, removed);
  for (const auto& table : removed) {
    removed_rows_ += table.second;
    rows += table.second;
  }
  return rows;
}

}  // namespace fewshop
