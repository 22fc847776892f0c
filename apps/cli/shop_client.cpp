#include "shop_client.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/error.h"
#include "http/shop_server.h"

namespace fewshop::cli {

void ServerArguments::add_to(CLI::App& command) {
  command.add_option("--data", data, "the shop's database; a server that has it is asked")->type_name("DB");
  command.add_option("--server", server, "address of a server: http://host:8087")->type_name("URL");
  command.add_option("--key", key, "a key of that server that allows this")->type_name("KEY");
}

std::unique_ptr<ShopClient> ShopClient::connect(const ServerArguments& arguments) {
  require(arguments.data.empty() != arguments.server.empty(),
          "expected one of --data shop.db (a server on this machine, or none) and --server http://host:8087");
  if (!arguments.server.empty()) return std::unique_ptr<ShopClient>(new ShopClient(arguments.server, arguments.key));
  const std::string socket = http::ShopServer::socket_of(arguments.data);
  std::error_code error;
  if (!std::filesystem::exists(socket, error)) return nullptr;
  try {
    http::Client("unix:" + socket, 10).get("/api/health/live");
  } catch (const Failure&) {
    return nullptr;  // a server that was killed leaves its socket
  }
  return std::unique_ptr<ShopClient>(new ShopClient("unix:" + socket, arguments.key));
}

std::unique_ptr<ShopClient> ShopClient::need(const ServerArguments& arguments, const std::string& what) {
  auto client = connect(arguments);
  if (!client)
    throw Failure(fmt::format("{}: no server has this database; {}: start one with `fewshop serve --data {}`",
                              arguments.data, what, arguments.data));
  return client;
}

nlohmann::json ShopClient::call(const std::string& method, const std::string& target, const nlohmann::json& body) {
  http::Client::Headers headers;
  if (!key_.empty()) headers.emplace_back("X-API-Key", key_);
  if (!body.is_null()) headers.emplace_back("Content-Type", "application/json");
  const http::Answer answer = client_.request(method, target, body.is_null() ? "" : body.dump(), headers);
  nlohmann::json json = nlohmann::json::parse(answer.body, nullptr, false);
  if (answer.status < 300) {
    if (json.is_discarded()) throw Failure(target + ": the server answered something that is not JSON");
    return json;
  }
  const bool ours = json.is_object() && json.contains("error") && json["error"].is_object();
  const std::string message = ours ? json["error"].value("message", "") : fmt::format("status {}", answer.status);
  if (answer.status < 500) throw InvalidInput(message);
  throw Failure(message);
}

}  // namespace fewshop::cli
