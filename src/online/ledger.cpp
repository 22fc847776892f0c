#include "online/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <mutex>

#include "core/error.h"
#include "online/secret.h"

namespace fewshop {
namespace {

constexpr size_t kKeyBytes = 32, kKeyIdBytes = 4;
constexpr size_t kHashDigits = 32;  // 128 bits: enough never to meet by chance

std::string name_with(const std::string& key_id, const std::string& key, std::string_view who) {
  return fmt::format("{}{}/{}", Ledger::kEntries, key_id, hex_of(keyed_hash(key, who)).substr(0, kHashDigits));
}

}  // namespace

Ledger::Ledger(const std::map<std::string, nlohmann::json>& settings) : newest_(std::numeric_limits<Micros>::min()) {
  for (const auto& [name, value] : settings) {
    if (name.starts_with(kKeys)) keys_[name.substr(kKeys.size())] = value.get<std::string>();
    if (name.starts_with(kEntries)) put(name, value.value("time", Micros{0}));
  }
  if (keys_.empty()) keys_[hex_of(random_bytes(kKeyIdBytes))] = hex_of(random_bytes(kKeyBytes));
}

Ledger::Setting Ledger::key() const {
  const std::shared_lock lock(mutex_);
  return {fmt::format("{}{}", kKeys, keys_.begin()->first), keys_.begin()->second};
}

std::string Ledger::name_of(std::string_view who) const {
  const std::shared_lock lock(mutex_);
  return name_with(keys_.begin()->first, keys_.begin()->second, who);
}

void Ledger::put(const std::string& name, Micros time) {
  const std::unique_lock lock(mutex_);
  auto& known = forgotten_.emplace(name, time).first->second;
  known = std::max(known, time);
  newest_ = std::max(newest_, time);
}

std::optional<Micros> Ledger::forgotten_at(std::string_view who) const {
  const std::shared_lock lock(mutex_);
  std::optional<Micros> time;
  if (forgotten_.empty()) return time;
  for (const auto& [id, key] : keys_)
    if (const auto found = forgotten_.find(name_with(id, key, who)); found != forgotten_.end())
      time = std::max(time.value_or(found->second), found->second);
  return time;
}

Micros Ledger::newest() const {
  const std::shared_lock lock(mutex_);
  return newest_;
}

bool Ledger::has(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  return forgotten_.count(name) > 0;
}

}  // namespace fewshop
