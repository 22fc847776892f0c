#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/route.h"

namespace fewshop::http {

/// The log of a server: one JSON object a line, to standard error or a file.
///   {"time":"2026-11-26T06:05:15.123456Z","level":"info","request_id":"b45676d047fcf031","method":"GET",
///    "route":"/api/user/{user-id}","status":200,"ms":0.412,"bytes":0}
/// Routes are templates: no id, key, query or address is ever written, so a log need not be searched when a user is to
/// be forgotten. Lines are queued and written by a thread of the log; where the queue (8,192 lines) is full the oldest
/// go, so that a slow disk slows no request, and a line says how many. Safe from any thread.
class AccessLog {
 public:
  enum class Level { kDebug, kInfo, kWarning, kError };

  /// "" = standard error. Throws Failure where the file cannot be opened. Lines below `least` are not written; answered
  /// requests are info, those with 5xx error.
  explicit AccessLog(const std::string& path = "", Level least = Level::kInfo);
  ~AccessLog();  // writes what is queued
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// What Server's hook `observe` passes on.
  void request(const Request& request, const Route* route, int status, double seconds, size_t bytes);
  /// What Server's hook `log_error` passes on.
  void error(const Request& request, const Route* route, const std::string& message);
  /// Anything else that an operator should read.
  void message(Level level, std::string_view text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fewshop::http
