#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/time.h"

namespace fewshop {

/// Who was forgotten when, without saying who: keyed hashes (HMAC-SHA-256, key and hashes in the settings) of users
/// ("u:ID") and of the guests joined to them ("c:ID"). Without the key a hash cannot be tried out on a list of ids.
///
/// It is asked where somebody's data could come back: events that arrive late, and dumps that are restored.
///
/// Settings: "ledger/KEY-ID" is a key (hexadecimal), "forgotten/KEY-ID/HASH" an entry: {"time": microseconds,
/// "guest": true} or, of a user, the receipt. A database that took over a dump may have several keys; the first in
/// order makes new entries.
///
/// Threads: any number.
class Ledger {
 public:
  static constexpr std::string_view kKeys = "ledger/", kEntries = "forgotten/";
  using Setting = std::pair<std::string, nlohmann::json>;

  /// `settings`: those that begin with kKeys and kEntries; others are passed over. Where there is no key one is made.
  explicit Ledger(const std::map<std::string, nlohmann::json>& settings = {});

  /// The setting of the key that makes entries, to be stored with them.
  Setting key() const;
  /// The name of the setting for somebody ("u:ID", "c:ID").
  std::string name_of(std::string_view who) const;

  /// From now on the entry counts; of two times of one entry the later.
  void put(const std::string& name, Micros time);
  /// When somebody was last forgotten; nothing where never.
  std::optional<Micros> forgotten_at(std::string_view who) const;
  /// The latest time of all entries; smallest Micros where there is none: what is later needs no look-up.
  Micros newest() const;
  /// Whether there is this entry.
  bool has(const std::string& name) const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::string> keys_;            // by id
  std::unordered_map<std::string, Micros> forgotten_;  // by name of the setting
  Micros newest_;
};

}  // namespace fewshop
