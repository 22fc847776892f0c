#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time.h"

namespace fewshop {

/// What a key may do. An action is the scope of routes: "events:write", "recommend", "data:read", "data:write",
/// "models", "admin"; `admin` includes all others, since who may make keys may make any.
struct Key {
  std::string id, name;
  std::string prefix;                  // the first characters of the secret, to tell keys apart by
  std::vector<std::string> actions;    // at least one
  std::vector<std::string> scenarios;  // whose models it may use; none = all
  Micros created = 0, expires_at = 0;  // 0 = never
  double rate = 0;                     // requests a second, 0 = no limit; a second's worth may come at once
  Micros revoked_at = 0;               // 0 = it has not been
};

/// A key for people and programs, without its secret: what GET /api/keys lists.
nlohmann::json to_json(const Key& key);

/// The keys of a database.
///
/// The secret of a key is 256 random bits ("fs_" and 43 characters); shown once, when the key is made. Stored is its
/// SHA-256: a slow hash protects secrets that can be guessed, and these cannot. A secret that is asked about is hashed,
/// looked up by the first bytes of the hash and compared in constant time.
///
/// A key that has been revoked stays as a record without a hash, so that lists tell what there was, and so that a
/// database that has had keys is never open again by losing the last.
///
/// Durable as settings "keys/ID" (ShopStore::put_setting), which the caller writes: make() and revoked() give the
/// setting, put() brings it into effect once it is durable.
///
/// Threads: any number.
class KeyRing {
 public:
  static constexpr std::string_view kSettings = "keys/";

  /// `settings`: all that begin with "keys/".
  explicit KeyRing(const std::map<std::string, nlohmann::json>& settings = {});

  /// What is wanted of a new key, from JSON: {"name", "actions": [...], "scenarios": [...], "expires_at": time or
  /// epoch, "rate": 10}. Throws InvalidInput for unknown members and actions, and for an expiry that has passed.
  static Key parse(const nlohmann::json& wanted, Micros now);
  /// Action names in the order of docs/keys.md.
  static const std::vector<std::string>& actions();

  struct Setting {
    std::string name;
    nlohmann::json value;
  };
  struct Made {
    Key key;
    std::string secret;
    Setting setting;
  };
  static Made make(Key key, Micros now);
  /// The setting that revokes a key. Throws InvalidInput where there is no such key. Revoking again changes nothing.
  Setting revoked(const std::string& id, Micros now) const;
  /// From now on the key is as the setting says.
  void put(const Setting& setting);

  std::vector<Key> list() const;
  /// Whether there is, or ever was, a key.
  bool any() const;
  /// Whether a key is valid now.
  bool any_valid(Micros now) const;

  enum class Verdict { kGranted, kUnknown, kExpired, kNotAllowed, kTooFast };
  struct Checked {
    Verdict verdict = Verdict::kUnknown;
    int retry_after = 0;                 // seconds, with kTooFast
    std::string id;                      // of the key; "" with kUnknown
    std::vector<std::string> scenarios;  // that it may use; none = all
  };
  /// May the bearer of this secret do `action` now? Counts against the key's rate where it may. `seconds`: a steady
  /// clock's.
  Checked check(std::string_view secret, std::string_view action, Micros now, double seconds) {
    return check(secret, std::vector{action}, now, seconds);
  }
  /// The same of a request that is several actions.
  Checked check(std::string_view secret, const std::vector<std::string_view>& actions, Micros now, double seconds);

 private:
  struct Entry {
    Key key;
    std::string hash;  // 32 bytes; "" = revoked
    std::mutex mutex;  // of the bucket
    double tokens = 0, filled_at = 0;
    bool started = false;
  };
  std::shared_ptr<Entry> find(std::string_view secret) const;

  mutable std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;              // by id
  std::unordered_multimap<uint64_t, std::shared_ptr<Entry>> by_hash_;  // by the first bytes of the hash
};

}  // namespace fewshop
