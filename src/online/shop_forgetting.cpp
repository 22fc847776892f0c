// Forgetting somebody: the ledger, the receipt, what is still to be done afterwards.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/hash.h"
#include "online/receipt.h"
#include "online/secret.h"
#include "online/shop.h"
#include "store/person_key.h"
#include "task/problem.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr int kCompared = 100;  // items of the lists that a newcomer and somebody forgotten get

}  // namespace

void Shop::prepare_forgetting(Change& change) {
  for (const auto& id : change.forgotten_users) {
    const Micros time = options_.now();
    change.settings.push_back(ledger_.key());
    const auto enter = [&](const std::string& who, bool guest) {
      const std::string name = ledger_.name_of(who);
      json entry = {{"time", time}};
      entry[guest ? "guest" : "pending"] = true;
      change.settings.emplace_back(name, std::move(entry));
      // What comes later in the same commit is late already; the ledger has it when it is committed.
      group_forgotten_[name] = time;
    };
    enter(user_key(id), false);
    for (const auto& [guest, user] : joins_)
      if (user == id) enter(guest_key(guest), true);
    forgetting_.insert(id);
  }
}

bool Shop::came_late(const Event& event) const {
  if (event.time >= ledger_.newest() && group_forgotten_.empty()) return false;
  const auto before = [&](const std::string& who) {
    if (const auto time = ledger_.forgotten_at(who); time && event.time < *time) return true;
    if (group_forgotten_.empty()) return false;
    const auto found = group_forgotten_.find(ledger_.name_of(who));
    return found != group_forgotten_.end() && event.time < found->second;
  };
  return (!event.user_id.empty() && before(user_key(event.user_id))) ||
         (!event.client_id.empty() && before(guest_key(event.client_id)));
}

void Shop::forget(const std::string& user_id, std::function<void(const Outcome&, const json& receipt)> done) {
  Change change;
  change.forgotten_users.push_back(user_id);
  submit(std::move(change), [this, user_id, done = std::move(done)](const Outcome& outcome) {
    if (outcome.stored) receipt_failed(user_id, outcome);
    // The check and the cut of the log take longer than the writing thread may wait.
    if (!outcome.error.empty() || !housekeeping_->run([this, user_id, outcome, done] {
          json receipt;
          try {
            receipt = finish_forgetting(user_id, outcome);
          } catch (const std::exception& problem) {
            options_.log(fmt::format("forgetting: the receipt is not complete: {}", problem.what()));
            receipt_failed(user_id, outcome);
            receipt = {{"pending", true}, {"removed", outcome.removed}};
          }
          done(outcome, receipt);
        }))
      done(outcome, {{"pending", true}, {"removed", outcome.removed}});
  });
}

/// The receipt is completed later, as if the process had ended before it was written.
void Shop::receipt_failed(const std::string& user_id, const Outcome& outcome) {
  const std::string name = ledger_.name_of(user_key(user_id));
  const std::lock_guard lock(receipts_mutex_);
  pending_receipts_.insert(name);
  modelless_.insert(name);
  removed_of_[name] = outcome.removed;
  try {
    if (kept_.recount) kept_.recount();
  } catch (const Error&) {
    // The server is stopping: the next start goes on.
  }
}

json Shop::newcomer_check(const std::string& user_id) {
  json check = {{"user", store_->user(user_id).has_value()},
                {"rows", std::ssize(store_->history(user_id, "", ShopStore::kAllRows, ShopStore::kAllTime)) +
                             std::ssize(store_->withheld(user_id))}};
  bool equal = true;
  const std::string nobody = "newcomer-" + hex_of(random_bytes(16));
  ListRequest request;
  request.n = kCompared;
  json asked = json::array();
  for (const auto& model : models()) {
    std::vector<std::string> ids;
    {
      const ItemTable::Reader items(items_);
      for (int32_t item = 0; item < std::min(items.size(), kCompared); ++item) ids.push_back(items.at(item).id);
    }
    const auto a = answer_scores(*model, {user_id, "", std::nullopt}, ids, false);
    const auto b = answer_scores(*model, {nobody, "", std::nullopt}, ids, false);
    bool same = a.support == 0 && a.served == b.served;
    for (size_t i = 0; i < ids.size() && same; ++i)
      same = a.items[i].score == b.items[i].score && a.items[i].low == b.items[i].low &&
             a.items[i].high == b.items[i].high;
    asked.push_back(model->name());
    equal = equal && same;
  }
  check["asked"] = asked;
  check["answers_equal_a_newcomers"] = equal;
  check["newcomer"] = equal && check["rows"] == 0 && check["user"] == false;
  return check;
}

json Shop::models_of_receipt(const std::string& counts) {
  {
    const std::lock_guard lock(receipts_mutex_);
    if (kept_.list) return kept_.list(counts);
  }
  json models = json::array();
  for (const auto& model : this->models()) {
    std::vector<std::string> members;
    const LiveModel::Access access(*model);
    for (const auto& member : access.model().parts().members) members.emplace_back(member->name());
    models.push_back(version_of_receipt(model->name(), model->version(), true, members, counts));
  }
  for (const auto& [name, title, version, folder, problem] : scenarios())
    if (const auto model = row_model(name); model && model->version() == version)
      models.push_back(version_of_receipt(name, version, true, model->model().parts().names, counts));
  return models;
}

json Shop::finish_forgetting(const std::string& user_id, const Outcome& outcome) {
  const std::string name = ledger_.name_of(user_key(user_id));
  json removed = json::object();
  int64_t rows = 0;
  for (const auto& [table, count] : outcome.removed) {
    removed[table] = count;
    if (table.starts_with("events")) rows += count;
  }
  removed["memory_rows"] = outcome.dropped_rows;
  remove_column_cache(options_.database);
  json receipt = {{"id", name.substr(Ledger::kEntries.size())},
                  {"time", format_time(ledger_.forgotten_at(user_key(user_id)).value_or(options_.now()))},
                  {"removed", removed},
                  {"guests", outcome.removed.count("joins") > 0 ? outcome.removed.at("joins") : 0},
                  {"popularity", "counts of items were reduced by the rows removed"},
                  {"other_tables", store_->rows_elsewhere(user_id)},
                  {"check", newcomer_check(user_id)},
                  {"out_of_reach", kOutOfReach}};
  // Rows that were here when a model was trained may have gone since, one by one.
  const auto had = [&](const char* table) { return outcome.removed.count(table) > 0 && outcome.removed.at(table) > 0; };
  const bool known = rows > 0 || had("users") || had("joins");
  bool kept = false;
  {
    const std::lock_guard lock(receipts_mutex_);
    kept = known && kept_.recount;
  }
  // A version that is published meanwhile is in the list, or comes to the receipt that is stored here.
  std::unique_lock completing(completing_mutex_);
  receipt["models"] = models_of_receipt(kept    ? "to be counted anew"
                                        : known ? "as trained: the model is on no shelf"
                                                : "as trained: nothing of the user was held");
  kept = kept && !receipt["models"].empty();
  settle(receipt, "models", kept);
  settle(receipt, "log", !store_->truncate_log());
  store_receipt(name, receipt);
  completing.unlock();
  const std::lock_guard lock(receipts_mutex_);
  try {
    // Also where there is no version yet: what trainings have left goes with it.
    if (known && kept_.recount) kept_.recount();
  } catch (const Error&) {
    // The server is stopping: the next start goes on.
  }
  return receipt;
}

void Shop::store_receipt(const std::string& name, json receipt) {
  const auto time = parse_time(receipt.value("time", ""));
  Change change;
  change.settings.emplace_back(name, json{{"time", time.value_or(0)},
                                          {"in_effect", in_effect_of_receipt(name)},
                                          {"pending", receipt["pending"]},
                                          {"receipt", receipt}});
  this->change(std::move(change));
  const auto note = [&](std::set<std::string>& names, bool there) {
    if (there)
      names.insert(name);
    else
      names.erase(name);
  };
  const std::lock_guard lock(receipts_mutex_);
  removed_of_.erase(name);
  note(pending_receipts_, receipt["pending"] == true);
  note(modelless_, waits_for(receipt, "models"));
}

/// As it is stored; the first time, now: the change has been in effect since a moment ago.
Micros Shop::in_effect_of_receipt(const std::string& name) {
  const auto entry = store_->setting(name);
  const bool known = entry && entry->contains("receipt");
  return known ? in_effect_of(*entry).value_or(last_forgotten_) : last_forgotten_.load();
}

void Shop::add_to_receipts(std::optional<Micros> read, const json& version) {
  const std::lock_guard one(completing_mutex_);
  Change change;
  for (auto& [name, entry] : store_->settings(std::string(Ledger::kEntries))) {
    if (!entry.contains("receipt") || (read && in_effect_of(entry).value_or(*read) < *read)) continue;
    json& models = entry["receipt"]["models"];
    if (!models.is_array()) models = json::array();
    const auto same = [&](const json& other) {
      return other.value("scenario", "") == version.at("scenario") &&
             other.value("version", "") == version.at("version");
    };
    const auto known = std::find_if(models.begin(), models.end(), same);
    if (known == models.end())
      models.push_back(version);
    else
      *known = version;
    change.settings.emplace_back(name, entry);
  }
  if (!change.settings.empty()) this->change(std::move(change));
}

json Shop::receipt_of(const std::string& name, const json& entry) const {
  json receipt = entry.value("receipt", json::object());
  receipt["id"] = name.substr(Ledger::kEntries.size());
  receipt["pending"] = entry.value("pending", true);
  if (!receipt.contains("removed")) {
    const std::lock_guard lock(receipts_mutex_);
    if (const auto found = removed_of_.find(name); found != removed_of_.end()) receipt["removed"] = found->second;
  }
  if (!receipt.contains("time")) receipt["time"] = format_time(entry.value("time", Micros{0}));
  return receipt;
}

void Shop::keep_models(KeptModels kept) {
  const std::lock_guard lock(receipts_mutex_);
  kept_ = std::move(kept);
}

std::vector<std::string> Shop::receipts_without_models() const {
  const std::lock_guard lock(receipts_mutex_);
  return {modelless_.begin(), modelless_.end()};
}

void Shop::complete_receipts(const std::vector<std::string>& names, const json& models, Micros through, bool complete) {
  for (const auto& name : names) {
    const std::lock_guard one(completing_mutex_);
    const auto entry = store_->setting(name);
    if (!entry || in_effect_of(*entry).value_or(through) > through) continue;
    json receipt = receipt_of(name, *entry);
    if (!receipt.contains("waits_for")) settle(receipt, "log", true);  // it could not be written then
    if (!complete && receipt.value("models", json()) == models) continue;
    receipt["models"] = models;
    settle(receipt, "models", !complete);
    store_receipt(name, std::move(receipt));
  }
}

int64_t Shop::rows_removed_since(Micros time) {
  int64_t rows = store_->rows_removed_since(time);
  for (const auto& [name, entry] : store_->settings(std::string(Ledger::kEntries)))
    if (entry.contains("receipt") && in_effect_of(entry).value_or(time) >= time)
      rows += entry["receipt"].value("/removed/events"_json_pointer, int64_t{0});
  return rows;
}

bool Shop::receipts_unwritten() {
  const auto entries = store_->settings(std::string(Ledger::kEntries));
  return std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
    return !entry.second.value("guest", false) && !entry.second.contains("receipt");
  });
}

void Shop::finish_pending() {
  std::set<std::string> pending;
  {
    const std::lock_guard lock(receipts_mutex_);
    pending = pending_receipts_;
  }
  if (pending.empty() || !store_->truncate_log()) return;
  for (const auto& name : pending) {
    const std::lock_guard one(completing_mutex_);
    const auto entry = store_->setting(name);
    if (!entry) continue;
    json receipt = receipt_of(name, *entry);
    if (!receipt.contains("waits_for")) {  // the process ended before there was one
      settle(receipt, "log", true);
      settle(receipt, "models", std::ranges::count(receipts_without_models(), name) > 0);
    }
    if (!waits_for(receipt, "log")) continue;
    settle(receipt, "log", false);
    store_receipt(name, std::move(receipt));
  }
}

/// Versions that could not be counted anew for now (a full disk) are tried again, ever more seldom.
void Shop::ask_for_recount(std::chrono::steady_clock::time_point clock) {
  constexpr std::chrono::minutes kFirst(1), kMost(60);
  const std::lock_guard lock(receipts_mutex_);
  if (!kept_.unfinished || !kept_.unfinished()) {
    recount_again_ = kFirst;
    next_recount_ = {};
    return;
  }
  if (!kept_.recount || clock < next_recount_) return;
  next_recount_ = clock + recount_again_;
  recount_again_ = std::min(2 * recount_again_, kMost);
  try {
    kept_.recount();
  } catch (const Error&) {
    // The server is stopping.
  }
}

json Shop::receipts(const std::string& user_id, int64_t most) {
  json list = json::array();
  const std::string prefix = user_id.empty() ? std::string(Ledger::kEntries) : ledger_.name_of(user_key(user_id));
  for (const auto& [name, entry] : store_->settings(prefix)) {
    if (entry.value("guest", false)) continue;
    list.push_back(receipt_of(name, entry));
  }
  std::sort(list.begin(), list.end(),
            [](const json& a, const json& b) { return a["time"].get<std::string>() < b["time"].get<std::string>(); });
  if (std::ssize(list) > most) list.erase(list.begin(), list.end() - most);
  return list;
}

}  // namespace fewshop
