#include "http/client.h"

#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/error.h"
#include "core/text.h"

namespace fewshop::http {
namespace {

using boost::beast::string_view;
using ErrorCode = boost::beast::error_code;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kMostBody = uint64_t{1} << 30;

class AnswerReader final : public boost::beast::http::basic_parser<false> {
 public:
  explicit AnswerReader(bool head) {
    header_limit(64 << 10);
    body_limit(kMostBody);
    eager(true);
    skip(head);
  }
  Answer answer;

 protected:
  void on_response_impl(int status, string_view, int, ErrorCode&) override { answer.status = status; }
  void on_field_impl(boost::beast::http::field, string_view name, string_view value, ErrorCode&) override {
    std::string key = ascii_lower({name.data(), name.size()});
    answer.headers.emplace_back(std::move(key), std::string(value.data(), value.size()));
  }
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, ErrorCode&) override {}
  size_t on_body_impl(string_view data, ErrorCode&) override {
    answer.body.append(data.data(), data.size());
    return data.size();
  }
  void on_chunk_header_impl(uint64_t, string_view, ErrorCode&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view data, ErrorCode&) override {
    answer.body.append(data.data(), data.size());
    return data.size();
  }
  void on_finish_impl(ErrorCode&) override {}
  void on_request_impl(boost::beast::http::verb, string_view, string_view, int, ErrorCode&) override {}
};

/// OpenSSL writes with write(2): a connection that the server closed would end the program with SIGPIPE.
class NoSigpipe {
 public:
  NoSigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    if (!::sigismember(&before_, SIGPIPE)) {
      const timespec none{};
      while (::sigtimedwait(&pipe_, nullptr, &none) > 0) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
};

std::string system_text() { return std::strerror(errno); }

std::string tls_text() {
  char text[256] = "closed";
  if (const unsigned long code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  return text;
}

}  // namespace

std::string_view Answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

struct Client::Connection {
  int fd = -1;
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
  std::string pending;  // bytes read beyond the last answer

  ~Connection() {
    if (ssl) {
      const NoSigpipe guard;
      SSL_shutdown(ssl);
      SSL_free(ssl);
    }
    if (context) SSL_CTX_free(context);
    if (fd >= 0) ::close(fd);
  }

  // Each wait for the socket ends after this time.
  void limit(double seconds) const {
    timeval time{};
    time.tv_sec = static_cast<time_t>(seconds);
    time.tv_usec = static_cast<suseconds_t>((seconds - static_cast<double>(time.tv_sec)) * 1e6);
    if (time.tv_sec == 0 && time.tv_usec == 0) time.tv_usec = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  }

  // > 0 bytes, 0 the end, < 0 an error or the time limit.
  ssize_t read(char* data, size_t size) {
    if (!ssl) return ::recv(fd, data, size, 0);
    const NoSigpipe guard;
    const int n = SSL_read(ssl, data, static_cast<int>(size));
    return n > 0 ? n : SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
  }

  void write(std::string_view bytes, const std::string& address) {
    const NoSigpipe guard;
    while (!bytes.empty()) {
      const size_t piece = std::min<size_t>(bytes.size(), 1 << 20);
      const ssize_t n =
          ssl ? SSL_write(ssl, bytes.data(), static_cast<int>(piece)) : ::send(fd, bytes.data(), piece, MSG_NOSIGNAL);
      if (n <= 0) throw Failure(address + ": cannot send: " + (ssl ? tls_text() : system_text()));
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  // Whether the server closed it, or sent what nobody asked for, since the last answer.
  bool stale() const {
    pollfd wait{fd, POLLIN, 0};
    return !pending.empty() ||
           (::poll(&wait, 1, 0) > 0 && !(ssl && SSL_pending(ssl) == 0 && !(wait.revents & POLLHUP)));
  }
};

Client::Client(const std::string& address, double seconds, const std::string& trusted)
    : address_(address), trusted_(trusted), seconds_(seconds) {
  if (address.starts_with("unix:")) {
    unix_path_ = address.substr(5);
    require(unix_path_.size() < sizeof(sockaddr_un::sun_path), "the path of a socket is too long: ", unix_path_);
    return;
  }
  tls_ = address.starts_with("https://");
  require(tls_ || address.starts_with("http://"), "'", address, "' is not http://host:port, https:// or unix:/path");
  std::string rest = address.substr(tls_ ? 8 : 7);
  rest = rest.substr(0, rest.find('/'));
  const size_t colon = rest.rfind(':');
  if (colon != std::string::npos && rest.find(']', colon) == std::string::npos) {
    port_ = rest.substr(colon + 1);
    rest.resize(colon);
  } else {
    port_ = tls_ ? "443" : "80";
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  host_ = rest;
}

Client::~Client() = default;
void Client::close() { connection_.reset(); }

void Client::send(std::string_view bytes) {
  if (!connection_) {
    auto connection = std::make_unique<Connection>();
    if (!unix_path_.empty()) {
      connection->fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un path{};
      path.sun_family = AF_UNIX;
      std::memcpy(path.sun_path, unix_path_.data(), unix_path_.size());
      connection->limit(seconds_);
      if (::connect(connection->fd, reinterpret_cast<const sockaddr*>(&path), sizeof path) != 0)
        throw Failure(address_ + ": cannot connect: " + system_text());
    } else {
      addrinfo hints{};
      hints.ai_socktype = SOCK_STREAM;
      addrinfo* found = nullptr;
      if (const int error = ::getaddrinfo(host_.c_str(), port_.c_str(), &hints, &found))
        throw Failure(address_ + ": " + ::gai_strerror(error));
      int reason = 0;
      for (const addrinfo* at = found; at; at = at->ai_next) {
        connection->fd = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        connection->limit(seconds_);
        if (::connect(connection->fd, at->ai_addr, at->ai_addrlen) == 0) break;
        reason = errno;
        ::close(connection->fd);
        connection->fd = -1;
      }
      ::freeaddrinfo(found);
      if (connection->fd < 0) throw Failure(address_ + ": cannot connect: " + std::strerror(reason));
    }
    if (tls_) {
      connection->context = SSL_CTX_new(TLS_client_method());
      SSL_CTX_set_verify(connection->context, SSL_VERIFY_PEER, nullptr);
      if (trusted_.empty())
        SSL_CTX_set_default_verify_paths(connection->context);
      else if (SSL_CTX_load_verify_locations(connection->context, trusted_.c_str(), nullptr) != 1)
        throw InvalidInput(trusted_ + ": not a PEM certificate");
      connection->ssl = SSL_new(connection->context);
      SSL_set_fd(connection->ssl, connection->fd);
      SSL_set_tlsext_host_name(connection->ssl, host_.c_str());
      X509_VERIFY_PARAM* check = SSL_get0_param(connection->ssl);
      if (X509_VERIFY_PARAM_set1_ip_asc(check, host_.c_str()) != 1)
        X509_VERIFY_PARAM_set1_host(check, host_.c_str(), host_.size());
      const NoSigpipe guard;
      if (SSL_connect(connection->ssl) != 1) throw Failure(address_ + ": no TLS connection: " + tls_text());
    }
    connection_ = std::move(connection);
  }
  connection_->write(bytes, address_);
}

Answer Client::receive(std::string_view method) {
  if (!connection_) throw Failure(address_ + ": not connected");
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds_);
  std::string& pending = connection_->pending;
  std::unique_ptr<AnswerReader> reader;
  std::vector<char> piece(64 << 10);
  const auto fail = [&](const std::string& why) -> void {
    connection_.reset();
    throw Failure(address_ + ": " + why);
  };
  for (;;) {
    if (!reader) reader = std::make_unique<AnswerReader>(method == "HEAD");
    ErrorCode error;
    while (!pending.empty() && !error && !reader->is_done())
      pending.erase(0, reader->put(boost::asio::buffer(pending), error));
    if (error && error != boost::beast::http::error::need_more) fail("not an HTTP answer: " + error.message());
    if (reader->is_done()) {
      if (reader->answer.status / 100 == 1) {  // "100 Continue" comes before the answer
        reader.reset();
        continue;
      }
      Answer answer = std::move(reader->answer);
      if (!reader->keep_alive()) connection_.reset();
      return answer;
    }
    const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
    if (left <= 0) fail("no answer in time");
    connection_->limit(left);
    const ssize_t n = connection_->read(piece.data(), piece.size());
    if (n < 0) fail(errno == EAGAIN || errno == EWOULDBLOCK ? "no answer in time" : "the connection broke");
    if (n == 0) {
      if (reader->got_some() && reader->is_header_done()) {
        reader->put_eof(error);
        if (!error && reader->is_done()) {
          Answer answer = std::move(reader->answer);
          connection_.reset();
          return answer;
        }
      }
      fail("the server closed the connection before its answer was complete");
    }
    pending.append(piece.data(), static_cast<size_t>(n));
  }
}

Answer Client::request(std::string_view method, std::string_view target, std::string_view body,
                       const Headers& headers) {
  // Before anything is sent: what the server closed meanwhile is opened anew.
  if (connection_ && connection_->stale()) connection_.reset();
  std::string bytes = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, target, host_.empty() ? "local" : host_);
  for (const auto& [name, value] : headers) bytes += fmt::format("{}: {}\r\n", name, value);
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH")
    bytes += fmt::format("Content-Length: {}\r\n", body.size());
  bytes += "\r\n";
  bytes += body;
  try {
    send(bytes);
  } catch (const Failure&) {
    // A server that refuses a large body answers before it has read it all.
    if (!connection_) throw;
  }
  return receive(method);
}

bool Client::closed_by_server() {
  if (!connection_) return true;
  if (!connection_->pending.empty()) return false;
  char byte;
  connection_->limit(seconds_);
  errno = 0;
  const ssize_t n = connection_->read(&byte, 1);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace fewshop::http
