#include "http/tls_context.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/error.h"

namespace fewshop::http {
namespace {

constexpr auto kBetweenLooks = std::chrono::seconds(1);

int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned in_size,
                    void*) {
  static constexpr unsigned char kProtocol[] = "\x08http/1.1";
  return SSL_select_next_proto(const_cast<unsigned char**>(out), size, kProtocol, sizeof kProtocol - 1, in, in_size) ==
                 OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

TlsContext::TlsContext(std::string certificate, std::string key, std::function<void(const std::string&)> problem)
    : certificate_(std::move(certificate)),
      key_(std::move(key)),
      problem_(std::move(problem)),
      stamp_(stamp()),
      context_(load()),
      looked_(std::chrono::steady_clock::now()) {}

std::shared_ptr<TlsContext::Context> TlsContext::load() const {
  auto context = std::make_shared<Context>(Context::tls_server);
  boost::system::error_code error;
  context->set_options(Context::default_workarounds | Context::no_tlsv1 | Context::no_tlsv1_1 |
                       SSL_OP_NO_RENEGOTIATION);
  if (context->use_certificate_chain_file(certificate_, error); error)
    throw InvalidInput(certificate_ + ": not a PEM certificate: " + error.message());
  if (context->use_private_key_file(key_, Context::pem, error); error)
    throw InvalidInput(key_ + ": not the PEM key of that certificate: " + error.message());
  // Idle connections give their record buffers back.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_protocol, nullptr);
  return context;
}

/// Changes whenever one of the files does: renewed certificates are written anew or linked to.
std::string TlsContext::stamp() const {
  std::string stamp;
  for (const std::string& path : {certificate_, key_}) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) == 0)
      stamp +=
          fmt::format("{} {} {}.{} ", status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    else
      stamp += "none ";
  }
  return stamp;
}

std::shared_ptr<TlsContext::Context> TlsContext::current() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < kBetweenLooks) return context_;
  looked_ = now;
  std::string found = stamp();
  if (found == stamp_) return context_;
  stamp_ = std::move(found);
  try {
    context_ = load();
  } catch (const std::exception& problem) {
    problem_(fmt::format("{}; the certificate from before is still shown", problem.what()));
  }
  return context_;
}

}  // namespace fewshop::http
