#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "http/access_log.h"
#include "http/config.h"
#include "http/metrics.h"
#include "http/router.h"
#include "http/server.h"
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

  /// Opens the database and listens. Throws InvalidInput, Failure.
  explicit ShopServer(Options options);
  ~ShopServer();

  /// Finishes what is in flight, commits what is waiting, closes.
  void stop();

  uint16_t port() const { return server_->port(); }
  Shop& shop() { return *shop_; }
  ModelShelf& shelf() { return *shelf_; }
  ModelTrainer& trainer() { return *trainer_; }
  const Jobs& jobs() const { return *jobs_; }
  Router& router() { return router_; }
  AccessLog& log() { return *log_; }

  /// The admin socket of a database.
  static std::string socket_of(const std::string& database);

 private:
  void add_models();
  void add_routes();

  Options options_;
  std::unique_ptr<AccessLog> log_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Shop> shop_;
  std::unique_ptr<ModelShelf> shelf_;
  std::unique_ptr<Jobs> jobs_;
  std::unique_ptr<ModelTrainer> trainer_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::atomic<bool> stopping_ = false;
  std::thread warmer_;  // reads rows of users behind
};

}  // namespace fewshop::http
