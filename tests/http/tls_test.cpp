#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "serve.h"
#include "shop_serve.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

// A certificate for 127.0.0.1, signed by itself, and its key.
void write_certificate(const std::string& certificate_path, const std::string& key_path) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(certificate, key, EVP_sha256());
  FILE* file = std::fopen(certificate_path.c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen(key_path.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class Tls : public ::testing::Test {
 protected:
  Tls() { write_certificate(certificate_, key_); }
  Serve::Options options() const { return {.tls_certificate = certificate_, .tls_key = key_}; }
  std::unique_ptr<Client> client(Serve& serve) {
    return std::make_unique<Client>("https://127.0.0.1:" + std::to_string(serve.server().port()), 30, certificate_);
  }

  testing::TempDir folder_;
  std::string certificate_ = folder_ / "certificate.pem", key_ = folder_ / "key.pem";
};

TEST_F(Tls, RequestsBodiesAndPipelines) {
  Serve serve(options());
  const auto https = client(serve);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(https->get("/ping").status, 200);
  const std::string body(3 << 20, 'x');
  EXPECT_EQ(https->post("/echo", body).body, body);
  const std::string request = "GET /user/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /user/2 HTTP/1.1\r\nHost: x\r\n\r\n";
  https->send(request);
  EXPECT_EQ(body_of(https->receive())["id"], "1");
  EXPECT_EQ(body_of(https->receive())["id"], "2");
  EXPECT_EQ(serve.server().connections(), 1);
}

TEST_F(Tls, SeveralClientsAtOnce) {
  Serve serve(options());
  serve.server();
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      const auto https = client(serve);
      for (int i = 0; i < 50; ++i) right += https->post("/echo", std::to_string(i)).body == std::to_string(i);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST_F(Tls, RefusalsAndTimeLimitsHoldAsWell) {
  Serve::Options limited = options();
  limited.max_body = 1000;
  limited.header_seconds = 0.3;
  Serve serve(limited);
  const auto https = client(serve);
  EXPECT_EQ(https->post("/echo", std::string(5000, 'x')).status, 413);
  https->send("GET /ping HT");
  EXPECT_EQ(https->receive().status, 408);
  EXPECT_TRUE(https->closed_by_server());
  // Nobody shakes hands here.
  const auto silent = serve.client();
  silent->send("G");
  EXPECT_TRUE(silent->closed_by_server());
}

TEST_F(Tls, StopsWithOpenConnections) {
  Serve serve(options());
  const auto https = client(serve);
  EXPECT_EQ(https->get("/ping").status, 200);
  serve.server().stop();
  EXPECT_TRUE(https->closed_by_server());
}

TEST_F(Tls, UntrustedCertificatesAreRefusedByTheClient) {
  Serve serve(options());
  Client stranger("https://127.0.0.1:" + std::to_string(serve.server().port()), 30);
  EXPECT_THROW(stranger.get("/ping"), Failure);
}

TEST_F(Tls, ARenewedCertificateIsShownWithoutARestart) {
  std::mutex mutex;
  std::string problems;
  Server::Hooks hooks;
  hooks.log_error = [&](const Request&, const Route*, const std::string& message) {
    const std::lock_guard lock(mutex);
    problems += message;
  };
  Serve serve(options(), hooks);
  const auto before = client(serve);
  EXPECT_EQ(before->get("/ping").status, 200);
  // What does not fit changes nothing.
  const std::string old = folder_ / "old.pem";
  std::filesystem::copy_file(certificate_, old);
  folder_.write("certificate.pem", "none");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  Client still("https://127.0.0.1:" + std::to_string(serve.server().port()), 30, old);
  EXPECT_EQ(still.get("/ping").status, 200);
  {
    const std::lock_guard lock(mutex);
    EXPECT_THAT(problems, ::testing::HasSubstr("certificate.pem: not a PEM certificate"));
  }
  write_certificate(certificate_, key_);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_EQ(client(serve)->get("/ping").status, 200);
  Client untrusting("https://127.0.0.1:" + std::to_string(serve.server().port()), 30, old);
  EXPECT_THROW(untrusting.get("/ping"), Failure);
  EXPECT_EQ(before->get("/ping").status, 200);  // a connection keeps what it began with
}

TEST_F(Tls, AShopIsServedWithTheCertificateOfItsConfiguration) {
  const ShopServe shop([&](ShopServer::Options& options) {
    options.config.server.tls_certificate = certificate_;
    options.config.server.tls_key = key_;
  });
  const std::string address = "127.0.0.1:" + std::to_string(shop.server->port());
  Client https("https://" + address, 30, certificate_);
  EXPECT_EQ(https.post("/api/events", event_body("e1", "u", "item-1")).status, 200);
  EXPECT_EQ(body_of(https.get("/api/recommend/u?n=3")).size(), 3);
  Client plain("http://" + address, 5);
  EXPECT_THROW(plain.get("/api/health/live"), Failure) << "nothing is answered in the open";
}

TEST_F(Tls, FilesThatAreNoCertificatesAreTold) {
  Router router;
  EXPECT_THROW(Server(router, {.tls_certificate = certificate_}), InvalidInput);
  Server swapped(router, {.tls_certificate = key_, .tls_key = certificate_});
  EXPECT_THROW(swapped.start(), InvalidInput);
  Server missing(router, {.tls_certificate = folder_ / "none.pem", .tls_key = key_});
  EXPECT_THROW(missing.start(), InvalidInput);
}

}  // namespace
}  // namespace fewshop::http
