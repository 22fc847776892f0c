#pragma once

#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace fewshop::http {

/// The certificate and key that a server shows. Where the files change (a certificate is renewed), connections that
/// come a second later get the new ones; those that are open keep theirs. What cannot be loaded is told and changes
/// nothing.
///
/// Threads: any.
class TlsContext {
 public:
  using Context = boost::asio::ssl::context;

  /// Throws InvalidInput naming the file.
  TlsContext(std::string certificate, std::string key, std::function<void(const std::string&)> problem);

  /// For one connection, which keeps it until it ends.
  std::shared_ptr<Context> current();

 private:
  std::shared_ptr<Context> load() const;
  std::string stamp() const;

  std::string certificate_, key_;
  std::function<void(const std::string&)> problem_;
  std::mutex mutex_;
  std::string stamp_;  // of the files when they were last tried
  std::shared_ptr<Context> context_;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace fewshop::http
