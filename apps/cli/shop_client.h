#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "http/client.h"

namespace fewshop::cli {

/// Which server a command talks to: that of a database on this machine (through its admin socket), or any by URL.
struct ServerArguments {
  std::string data, server, key;
  void add_to(CLI::App& command);
};

/// Calls of a running server.
class ShopClient {
 public:
  /// Null where --data is given and no server has that database. Throws InvalidInput where neither is given.
  static std::unique_ptr<ShopClient> connect(const ServerArguments& arguments);
  /// The same; Failure where there is no server, saying that `what` needs one.
  static std::unique_ptr<ShopClient> need(const ServerArguments& arguments, const std::string& what);

  /// The JSON of the answer. Throws InvalidInput (4xx) or Failure (5xx) with the server's message.
  nlohmann::json call(const std::string& method, const std::string& target, const nlohmann::json& body = nullptr);

 private:
  ShopClient(const std::string& address, std::string key) : client_(address, 3600), key_(std::move(key)) {}

  http::Client client_;
  std::string key_;
};

}  // namespace fewshop::cli
