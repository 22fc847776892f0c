#pragma once

#include <sqlite3.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include <fmt/format.h>

#include "http/client.h"
#include "http/shop_server.h"
#include "runtime/small_model.h"
#include "support/temp_dir.h"

namespace fewshop::http {

/// A whole server in this process, on a free port and a database of its own, with the small model live.
class ShopServe {
 public:
  using Change = std::function<void(ShopServer::Options&)>;

  explicit ShopServe(Change change = {}, int items = 50) : change_(std::move(change)), count_(items) {
    testing::SmallModelOptions options;
    options.items = count_;
    options.live = true;
    options.support_max = 1000;  // every row counts
    testing::small_model(options)->save(folder / "bundle", nlohmann::json::object(), nlohmann::json::object());
    start();
    put_items();
  }

  /// Also again, after stop(), on the same database.
  void start() {
    ShopServer::Options options;
    options.config.database.data_store = folder / "shop.db";
    options.config.server.port = 0;
    options.config.server.log = folder / "log";
    options.admin_socket = false;
    if (change_) change_(options);
    database_ = options.config.database.data_store;
    server = std::make_unique<ShopServer>(std::move(options));
    server->shop().publish("1", folder / "bundle");
  }
  void stop() { server.reset(); }

  /// A bundle of another small model over the same items.
  std::string bundle(const std::string& scenario, const std::string& version, Problem problem = Problem::kRanking) {
    testing::SmallModelOptions options;
    options.problem = problem;
    options.items = count_;
    options.live = true;
    options.support_max = 1000;
    options.name = scenario;
    options.version = scenario + version;
    std::string path = folder / ("bundle-" + options.version);
    testing::small_model(options)->save(path, nlohmann::json::object(), nlohmann::json::object());
    return path;
  }
  /// Such a model, live beside the others or in place of the one of its scenario.
  void publish(const std::string& scenario, const std::string& version, Problem problem = Problem::kRanking) {
    server->shop().publish(version, bundle(scenario, version, problem));
  }

  /// The items of the small model, each with its colour.
  void put_items() {
    fewshop::Change change;
    for (int i = 0; i < count_; ++i) {
      ItemRecord item;
      item.item_id = "item-" + std::to_string(i);
      item.labels = {{"colour", i % 3 == 0 ? "red" : i % 3 == 1 ? "green" : "blue"}, {"price", i}};
      item.categories = {i % 2 == 0 ? "even" : "odd"};
      change.items.push_back(std::move(item));
    }
    server->shop().change(std::move(change));
  }

  const std::string& database() const { return database_; }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(server->port()); }
  std::unique_ptr<Client> client(double seconds = 60) const { return std::make_unique<Client>(address(), seconds); }

  testing::TempDir folder;
  std::unique_ptr<ShopServer> server;

 private:
  Change change_;
  int count_;
  std::string database_;
};

/// An event of one item, as POST /api/events takes it.
inline std::string event_body(const std::string& id, const std::string& user, const std::string& item,
                              const std::string& kind = "purchase") {
  return fmt::format(R"({{"event_id":"{}","event":"{}","user_id":"{}","item_id":"{}"}})", id, kind, user, item);
}

/// The first column of the first row that a statement gives on a database that no server holds.
inline std::string text_in(const std::string& database, const std::string& sql) {
  sqlite3* handle = nullptr;
  std::string text = "cannot be read";
  if (sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
      const auto* value = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
      text = value ? value : "";
    }
    sqlite3_finalize(statement);
  }
  sqlite3_close(handle);
  return text;
}

}  // namespace fewshop::http
