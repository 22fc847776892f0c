#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewshop::http {

struct Answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  /// The first value; "" where it is absent.
  std::string_view header(std::string_view name) const;
};

/// A blocking HTTP client for our own commands and tests: one connection, kept while the server keeps it. Not for use
/// by several threads at once. Throws Failure when the server cannot be reached, ends early or is late; any status is
/// an answer. Nothing is sent twice.
class Client {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  /// "http://host:port", "https://host:port" or "unix:/path/of/socket". With https the server's certificate is checked
  /// against `trusted`, a PEM file, or against the system's certificates where that is "".
  explicit Client(const std::string& address, double seconds = 30, const std::string& trusted = "");
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Answer request(std::string_view method, std::string_view target, std::string_view body = {},
                 const Headers& headers = {});
  Answer get(std::string_view target, const Headers& headers = {}) { return request("GET", target, {}, headers); }
  Answer post(std::string_view target, std::string_view body, const Headers& headers = {}) {
    return request("POST", target, body, headers);
  }

  /// For tests: bytes as they are, and the next answer, to a request of `method`, on the same connection.
  void send(std::string_view bytes);
  Answer receive(std::string_view method = "GET");
  /// Waits until the server closed; false where the time passed, or where it sent something.
  bool closed_by_server();
  void close();

 private:
  struct Connection;

  std::string address_, host_, port_, unix_path_, trusted_;
  bool tls_ = false;
  double seconds_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace fewshop::http
