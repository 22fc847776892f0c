#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <optional>

#include "http/connection.h"
#include "http/server.h"

namespace fewshop::http {

/// Where a server listens: an address, a Unix socket for administrators, or both. Included by server.cpp and its own
/// source only: connection.h is costly.
///
/// Threads: used by the thread of `context`, and before and after that runs.
class Listeners {
 public:
  template <class Protocol>
  using Acceptor = std::optional<asio::basic_socket_acceptor<Protocol, Executor>>;

  /// Takes the address and the path. Throws InvalidInput (no such address; something else than a socket lies at the
  /// path), Failure (taken; another server answers at the path); then nothing is listened to.
  void open(const ServerOptions& options, asio::io_context& context);
  /// Gives them back: nobody can connect any more. What waits for a connection ends with an error. Can be repeated.
  void close();
  /// After close(), when nothing waits for a connection any more.
  void clear();

  Acceptor<asio::ip::tcp> tcp;
  Acceptor<asio::local::stream_protocol> unix_socket;
  uint16_t port = 0;  // of tcp

 private:
  void open_tcp(const ServerOptions& options, asio::io_context& context);
  void open_unix(const std::string& path, asio::io_context& context);

  std::string owned_path_;  // of the Unix socket, where it is ours
};

}  // namespace fewshop::http
