#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fewshop::http {

struct ReplayOptions {
  std::string log;            // file of canonical events, one JSON object a line
  std::string against;        // a bundle folder, or http://, https://, unix: of a server
  std::string data;           // bundle: a database whose items and users are known from the start; "" = none
  std::string scenario, key;  // server: whose model answers, a key; "" = the only ranking one, none
  int64_t limit = 0;          // events; 0 = all
  std::vector<std::string> bought = {"purchase"};  // kinds of event that a list is judged by
};

/// Feeds a log to a server in order of time, asking for lists on the way (docs/replay.md): for a bundle, a whole server
/// in this process on a temporary database, whose clock is the log's.
///
///     {"events", "users", "rejected", "seconds", "rows": {"users", "rows", "difference"},
///      "curve": [{"k", "questions", "recall@10", "mrr@10", "popular": {"recall@10", "mrr@10"}}],
///      "effect_ms": {"count", "p50", "p99"}, "value": {"bought", "in_list", "share", "popular_share"}}
///
/// Throws InvalidInput for a log that cannot be read or a model that cannot be served, Failure where the server fails.
nlohmann::json replay(const ReplayOptions& options);

}  // namespace fewshop::http
