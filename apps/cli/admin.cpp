// How commands reach the server of a database that is being served.
#include "admin.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "core/error.h"
#include "http/shop_server.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

/// Whether somebody listens there; a socket that a killed server left is nobody.
bool answers(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int file = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0) return false;
  const bool connected = ::connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(file);
  return connected;
}

}  // namespace

std::string database_path(const std::string& data) {
  constexpr std::string_view kSqlite = "sqlite://";
  return data.starts_with(kSqlite) ? data.substr(kSqlite.size()) : data;
}

std::unique_ptr<Admin> Admin::of(const std::string& data) {
  require(!data.empty(), "--data: expected the shop's database");
  const std::string socket = http::ShopServer::socket_of(data);
  return answers(socket) ? std::unique_ptr<Admin>(new Admin(socket)) : nullptr;
}

json Admin::parse(const http::Answer& answer) {
  json body = json::parse(answer.body, nullptr, false);
  if (answer.status < 300 && !body.is_discarded()) return body;
  std::string message = "the server answered " + std::to_string(answer.status);
  if (body.is_object() && body.contains("error")) message = body["error"].value("message", message);
  if (answer.status >= 400 && answer.status < 500) throw InvalidInput(message);
  throw Failure(message);
}

json Admin::ask(const std::string& method, const std::string& target, const json& body) {
  return parse(
      client_.request(method, target, body.is_null() ? "" : body.dump(), {{"Content-Type", "application/json"}}));
}

json Admin::ask_if_there(const std::string& method, const std::string& target) {
  const auto answer = client_.request(method, target);
  return answer.status == 404 ? json() : parse(answer);
}

}  // namespace fewshop::cli
