#include "http/listeners.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "core/error.h"

namespace fewshop::http {

void Listeners::open(const ServerOptions& options, asio::io_context& context) {
  try {
    if (options.tcp) open_tcp(options, context);
    if (!options.unix_socket.empty()) open_unix(options.unix_socket, context);
  } catch (...) {
    close();
    clear();
    throw;
  }
}

void Listeners::open_tcp(const ServerOptions& options, asio::io_context& context) {
  using asio::ip::tcp;
  ErrorCode error;
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty())
    throw InvalidInput("host '" + options.host + "' is not an address of this machine: " + error.message());
  const tcp::endpoint endpoint = found.begin()->endpoint();
  auto& acceptor = this->tcp.emplace(context.get_executor());
  acceptor.open(endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  if (acceptor.bind(endpoint, error); !error) acceptor.listen(4096, error);
  if (error) throw Failure(fmt::format("cannot listen on {} port {}: {}", options.host, options.port, error.message()));
  port = acceptor.local_endpoint().port();
}

void Listeners::open_unix(const std::string& path, asio::io_context& context) {
  require(path.size() < sizeof(sockaddr_un::sun_path), "the path of a Unix socket has at most ",
          sizeof(sockaddr_un::sun_path) - 1, " characters: ", path);
  ErrorCode error;
  const asio::local::stream_protocol::endpoint endpoint(path);
  // What a killed server left is in the way; a living one is not pushed aside.
  asio::local::stream_protocol::socket probe(context);
  if (probe.connect(endpoint, error); !error) throw Failure(path + ": another server answers there");
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    require(S_ISSOCK(status.st_mode), path, ": is there and is not a socket");
    ::unlink(path.c_str());
  }
  auto& acceptor = unix_socket.emplace(context.get_executor());
  acceptor.open();
  // Before bind, so that nobody can connect in between.
  ::fchmod(acceptor.native_handle(), 0600);
  error = {};
  if (acceptor.bind(endpoint, error); !error) acceptor.listen(128, error);
  if (error) throw Failure(path + ": cannot listen: " + error.message());
  ::chmod(path.c_str(), 0600);
  owned_path_ = path;
}

void Listeners::close() {
  ErrorCode ignored;
  if (tcp) tcp->close(ignored);
  if (unix_socket) unix_socket->close(ignored);
  if (!owned_path_.empty()) ::unlink(owned_path_.c_str());
  owned_path_.clear();
}

void Listeners::clear() {
  tcp.reset();
  unix_socket.reset();
}

}  // namespace fewshop::http
