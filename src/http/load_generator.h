#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace fewshop::http {

/// What a load is: connections that each send a request, wait for its answer, send the next.
struct Load {
  std::string host = "127.0.0.1";
  uint16_t port = 8087;
  int connections = 64;
  double seconds = 3;
  double rate = 0;  // requests per second over all connections; 0 = as many as are answered
  /// The bytes of request number i, header and body.
  std::function<std::string(int64_t i)> request;
};

struct LoadResult {
  int64_t requests = 0;             // answered
  std::map<int, int64_t> statuses;  // of the answers
  double seconds = 0;               // that it took
  double cpu_seconds = 0;           // of the generator's own thread
  int64_t closed = 0;               // connections that the server closed
  std::vector<float> milliseconds;  // of every answer, ascending
  double percentile(double share) const;
  int64_t failed() const;  // answers that are not 2xx, and closed connections
};

/// Runs a load on this thread. With a rate, the time of an answer counts from when its request was due, so that a
/// server that stands still is not measured as one that was not asked. Throws Failure where it cannot connect.
LoadResult run_load(const Load& load);

/// "POST /path HTTP/1.1" with headers and the body's length.
std::string request_text(const std::string& method, const std::string& target, const std::string& body = "");

}  // namespace fewshop::http
