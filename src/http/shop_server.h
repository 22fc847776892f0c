#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "http/access_log.h"
#include "http/answer_log.h"
#include "http/authorize.h"
#include "http/config.h"
#include "http/metrics.h"
#include "http/router.h"
#include "http/server.h"
#include "http/shop_metrics.h"
#include "online/keys.h"
#include "online/model_trainer.h"
#include "online/shop.h"

namespace fewshop::http {

/// One shop behind HTTP: the database, what is live of it, all routes, metrics, the log. What `fewshop serve` runs, and
/// what tests and the playground run.
class ShopServer {
 public:
  struct Options {
    Config config;
    bool tcp = true;            // false: the admin socket only
    bool admin_socket = true;   // DATABASE.sock, for the commands of the same machine
    std::string vfs;            // tests: SQLite's
    std::string program;        // that trains; "" = this one
    int64_t check_users = 200;  // ModelShelf::Options
    std::function<Micros()> now;
  };

  /// Opens the database and listens. Throws InvalidInput (an address that others reach, and no key, among others),
  /// Failure.
  explicit ShopServer(Options options);
  ~ShopServer();

  /// Finishes what is in flight, commits what is waiting, closes.
  void stop();

  uint16_t port() const { return server_->port(); }
  size_t in_flight() const { return server_->in_flight(); }
  Shop& shop() { return *shop_; }
  ModelShelf& shelf() { return *shelf_; }
  ModelTrainer& trainer() { return *trainer_; }
  const Jobs& jobs() const { return *jobs_; }
  Router& router() { return router_; }
  AccessLog& log() { return *log_; }
  KeyRing& keys() { return *keys_; }
  /// Whether requests need no key: it has none, and listens to this machine only.
  bool open() const { return authorizer_->open(); }

  /// The admin socket of a database.
  static std::string socket_of(const std::string& database);

 private:
  void add_models();
  /// Of the model that answers where no scenario is named; "" = none is live, nothing = several are.
  std::optional<std::string> default_scenario() const;
  void add_routes();
  /// "", or why requests should not be sent here.
  std::string not_ready() const;

  Options options_;
  std::unique_ptr<AccessLog> log_;
  std::unique_ptr<AnswerLog> answers_;  // null: not asked for
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<ShopMetrics> shop_metrics_;
  std::unique_ptr<Shop> shop_;
  std::unique_ptr<ModelShelf> shelf_;
  std::unique_ptr<Jobs> jobs_;
  std::unique_ptr<ModelTrainer> trainer_;
  std::unique_ptr<KeyRing> keys_;
  std::unique_ptr<Authorizer> authorizer_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::atomic<bool> stopping_ = false;
  std::thread warmer_;  // reads rows of users behind
};

}  // namespace fewshop::http
