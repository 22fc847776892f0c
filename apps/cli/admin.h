#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "http/client.h"

namespace fewshop::cli {

/// The server of a database, asked through its admin socket (DATABASE.sock).
class Admin {
 public:
  /// Nothing where no server is running. Throws InvalidInput where `data` is "".
  static std::unique_ptr<Admin> of(const std::string& data);

  /// The answer's JSON. Throws InvalidInput for a 4xx, Failure for a 5xx, each with the server's message.
  nlohmann::json ask(const std::string& method, const std::string& target, const nlohmann::json& body = nullptr);
  /// The same; null where there is no such route or record.
  nlohmann::json ask_if_there(const std::string& method, const std::string& target);

 private:
  explicit Admin(const std::string& socket) : client_("unix:" + socket, 120) {}
  nlohmann::json parse(const http::Answer& answer);

  http::Client client_;
};

/// A path below which `--data` can be: "sqlite://PATH" and PATH are the same.
std::string database_path(const std::string& data);

}  // namespace fewshop::cli
