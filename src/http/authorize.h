#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "http/route.h"
#include "online/keys.h"

namespace fewshop::http {

/// "localhost", an address 127.x.x.x, or ::1: what only this machine reaches.
bool is_loopback(const std::string& host);

/// Who may do what (docs/keys.md): the hook `authorize` of a server.
///
/// Open to everybody are routes without a scope (health, the API document). The admin socket may do everything: who can
/// open it can read the database. Everything else needs a key with the route's scope, and, where the key is limited to
/// scenarios, a request about one of them, as the route says where it takes that from (Route::scenario); only while a
/// database has never had a key, none is required, and the server listens on a loopback address, requests need none.
/// Even then a web page of another site gets nothing: requests whose Host or Origin is neither this machine nor an
/// allowed origin are refused, so that a name that was made to point here (DNS rebinding) or a form that posts here
/// reaches no data.
class Authorizer {
 public:
  struct Options {
    bool loopback = true;  // the server listens on this machine only
    bool require_key = false;
    std::vector<std::string> origins;  // of web pages that may ask, as ServerOptions::cors_origins
    std::function<Micros()> now;
    /// That answers where a request names none: "" = none does, nothing = several could.
    std::function<std::optional<std::string>()> default_scenario;
  };

  /// The keys must outlive it.
  Authorizer(KeyRing& keys, Options options) : keys_(keys), options_(std::move(options)) {}

  /// Notes in the request which scenarios its key is limited to. Throws HttpError 401 (no key, an unknown, revoked or
  /// expired one), 403 (not allowed), 429 (too fast).
  void operator()(Request& request, const Route* route) const;

  /// Whether requests need no key now.
  bool open() const { return options_.loopback && !options_.require_key && !keys_.any(); }

 private:
  void check_site(const Request& request) const;
  void check_scenarios(const Request& request, const Route& route) const;

  KeyRing& keys_;
  Options options_;
};

}  // namespace fewshop::http
