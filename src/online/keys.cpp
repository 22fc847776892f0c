#include "online/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "online/secret.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr std::string_view kMark = "fs_";  // so that secret scanners and people know what they have found
constexpr size_t kSecretBytes = 32, kPrefix = 9, kIdBytes = 6;
constexpr size_t kMostName = 200, kMostScenarios = 1000;

uint64_t first_bytes(std::string_view hash) {
  uint64_t number = 0;
  std::memcpy(&number, hash.data(), sizeof number);
  return number;
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

std::vector<std::string> texts(const json& list, const char* name) {
  std::vector<std::string> texts;
  require(list.is_array(), name, ": expected a list of texts, got ", list.type_name());
  for (const auto& text : list) {
    require(text.is_string() && !text.get_ref<const std::string&>().empty(), name, ": expected texts, got ",
            text.dump());
    texts.push_back(text);
  }
  return texts;
}

json time_or_null(Micros time) { return time == 0 ? json() : json(format_time(time)); }

Key key_of(const std::string& id, const json& value) {
  Key key;
  key.id = id;
  key.name = value.value("name", "");
  key.prefix = value.value("prefix", "");
  key.actions = value.value("actions", std::vector<std::string>());
  key.scenarios = value.value("scenarios", std::vector<std::string>());
  key.created = value.value("created", Micros{0});
  key.expires_at = value.value("expires_at", Micros{0});
  key.rate = value.value("rate", 0.0);
  key.revoked_at = value.value("revoked_at", Micros{0});
  return key;
}

json stored(const Key& key, const std::string& hash) {
  json value = {{"name", key.name},          {"prefix", key.prefix},         {"actions", key.actions},
                {"created", key.created},    {"expires_at", key.expires_at}, {"rate", key.rate},
                {"scenarios", key.scenarios}};
  if (key.revoked_at != 0) value["revoked_at"] = key.revoked_at;
  if (!hash.empty()) value["hash"] = hex_of(hash);
  return value;
}

bool valid(const Key& key, Micros now) { return key.expires_at == 0 || now < key.expires_at; }

}  // namespace

json to_json(const Key& key) {
  return {{"id", key.id},
          {"name", key.name},
          {"prefix", key.prefix},
          {"actions", key.actions},
          {"scenarios", key.scenarios},
          {"created", format_time(key.created)},
          {"expires_at", time_or_null(key.expires_at)},
          {"rate", key.rate > 0 ? json(key.rate) : json()},
          {"revoked_at", time_or_null(key.revoked_at)}};
}

KeyRing::KeyRing(const std::map<std::string, json>& settings) {
  for (const auto& [name, value] : settings) put({name, value});
}

const std::vector<std::string>& KeyRing::actions() {
  static const std::vector<std::string> actions = {"events:write", "recommend", "data:read",
                                                   "data:write",   "models",    "admin"};
  return actions;
}

Key KeyRing::parse(const json& wanted, Micros now) {
  require(wanted.is_object(), "a key: expected a JSON object, got ", wanted.type_name());
  for (const auto& [name, value] : wanted.items())
    require(name == "name" || name == "actions" || name == "scenarios" || name == "expires_at" || name == "rate",
            "a key: no member '", name.substr(0, 100), "'; there are name, actions, scenarios, expires_at, rate");
  Key key;
  if (wanted.contains("name")) {
    require(wanted["name"].is_string(), "name: expected a text, got ", wanted["name"].type_name());
    key.name = wanted["name"];
    require(key.name.size() <= kMostName, "name: expected at most ", kMostName, " bytes, got ", key.name.size());
  }
  require(wanted.contains("actions"), "actions: expected at least one of ",
          fmt::format("{}", fmt::join(actions(), ", ")));
  key.actions = texts(wanted["actions"], "actions");
  require(!key.actions.empty(), "actions: expected at least one of ", fmt::format("{}", fmt::join(actions(), ", ")));
  for (const auto& action : key.actions)
    require(std::find(actions().begin(), actions().end(), action) != actions().end(), "actions: no action '",
            action.substr(0, 100), "'; there are ", fmt::format("{}", fmt::join(actions(), ", ")));
  if (wanted.contains("scenarios") && !wanted["scenarios"].is_null())
    key.scenarios = texts(wanted["scenarios"], "scenarios");
  require(key.scenarios.size() <= kMostScenarios, "scenarios: expected at most ", kMostScenarios);
  const bool admin = std::find(key.actions.begin(), key.actions.end(), "admin") != key.actions.end();
  require(!admin || key.scenarios.empty(), "scenarios: a key with the action admin has all; leave them out");
  if (wanted.contains("expires_at") && !wanted["expires_at"].is_null()) {
    const json& value = wanted["expires_at"];
    const auto time = parse_time(value.is_string() ? value.get<std::string>() : value.dump());
    require(time.has_value(), "expires_at: expected a time such as 2030-01-31T12:00:00Z, got ", value.dump());
    require(*time > now, "expires_at: expected a time to come, got ", value.dump());
    key.expires_at = *time;
  }
  if (wanted.contains("rate") && !wanted["rate"].is_null()) {
    require(wanted["rate"].is_number(), "rate: expected a number, got ", wanted["rate"].type_name());
    key.rate = wanted["rate"];
    require(key.rate > 0 && key.rate <= 1e9, "rate: expected requests a second, more than 0, got ",
            wanted["rate"].dump());
  }
  return key;
}

KeyRing::Made KeyRing::make(Key key, Micros now) {
  Made made;
  made.secret = std::string(kMark) + base64url_of(random_bytes(kSecretBytes));
  key.id = hex_of(random_bytes(kIdBytes));
  key.prefix = made.secret.substr(0, kPrefix);
  key.created = now;
  made.setting = {fmt::format("{}{}", kSettings, key.id), stored(key, sha256(made.secret))};
  made.key = std::move(key);
  return made;
}

KeyRing::Setting KeyRing::revoked(const std::string& id, Micros now) const {
  const std::shared_lock lock(mutex_);
  const auto found = entries_.find(id);
  require(found != entries_.end(), "no key '", id.substr(0, 100), "'; `fewshop key list` has their ids");
  Key key = found->second->key;
  if (key.revoked_at == 0) key.revoked_at = now;
  return {fmt::format("{}{}", kSettings, id), stored(key, "")};
}

void KeyRing::put(const Setting& setting) {
  auto entry = std::make_shared<Entry>();
  const std::string id = setting.name.substr(kSettings.size());
  entry->key = key_of(id, setting.value);
  entry->hash = from_hex(setting.value.value("hash", ""));
  require(entry->hash.empty() || entry->hash.size() == 32, setting.name, ": expected a hash of 32 bytes");
  const std::unique_lock lock(mutex_);
  std::erase_if(by_hash_, [&](const auto& known) { return known.second->key.id == id; });
  if (!entry->hash.empty()) by_hash_.emplace(first_bytes(entry->hash), entry);
  entries_[id] = std::move(entry);
}

std::vector<Key> KeyRing::list() const {
  const std::shared_lock lock(mutex_);
  std::vector<Key> keys;
  for (const auto& [id, entry] : entries_) keys.push_back(entry->key);
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return a.created < b.created || (a.created == b.created && a.id < b.id);
  });
  return keys;
}

bool KeyRing::any() const {
  const std::shared_lock lock(mutex_);
  return !entries_.empty();
}

bool KeyRing::any_valid(Micros now) const {
  const std::shared_lock lock(mutex_);
  return std::any_of(by_hash_.begin(), by_hash_.end(),
                     [&](const auto& known) { return valid(known.second->key, now); });
}

std::shared_ptr<KeyRing::Entry> KeyRing::find(std::string_view secret) const {
  const std::string hash = sha256(secret);
  const std::shared_lock lock(mutex_);
  // Which hashes share their first bytes tells nobody anything: whoever asks cannot choose the hash.
  const auto [begin, end] = by_hash_.equal_range(first_bytes(hash));
  for (auto at = begin; at != end; ++at)
    if (equal_secrets(at->second->hash, hash)) return at->second;
  return nullptr;
}

KeyRing::Checked KeyRing::check(std::string_view secret, const std::vector<std::string_view>& actions, Micros now,
                                double seconds) {
  const auto entry = find(secret);
  if (!entry) return {};
  const Key& key = entry->key;
  Checked checked{Verdict::kGranted, 0, key.id, key.scenarios};
  const auto has = [&](std::string_view name) {
    return std::find(key.actions.begin(), key.actions.end(), name) != key.actions.end();
  };
  if (!valid(key, now)) {
    checked.verdict = Verdict::kExpired;
    return checked;
  }
  if (!has("admin") && !std::all_of(actions.begin(), actions.end(), has)) {
    checked.verdict = Verdict::kNotAllowed;
    return checked;
  }
  if (key.rate <= 0) return checked;
  const std::lock_guard lock(entry->mutex);
  const double most = std::max(1.0, key.rate);
  if (!entry->started) entry->tokens = most;
  if (entry->started) entry->tokens = std::min(most, entry->tokens + (seconds - entry->filled_at) * key.rate);
  entry->started = true;
  entry->filled_at = seconds;
  if (entry->tokens >= 1) {
    entry->tokens -= 1;
    return checked;
  }
  checked.verdict = Verdict::kTooFast;
  checked.retry_after = static_cast<int>(std::min(86'400.0, std::ceil((1 - entry->tokens) / key.rate)));
  return checked;
}

}  // namespace fewshop
