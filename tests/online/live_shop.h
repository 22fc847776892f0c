#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "online/shop.h"
#include "runtime/small_model.h"
#include "support/temp_dir.h"

namespace fewshop::testing {

/// A shop in a folder of its own, with a clock that stands still until it is moved.
class LiveShop {
 public:
  explicit LiveShop(int items = 50) : count_(items) { open(); }

  void open() {
    shop.reset();
    Shop::Options options;
    options.database = folder / "shop.db";
    options.now = [this] { return now.load(); };
    options.recent_ids = recent_ids;
    options.rows = rows;
    options.index_from = index_from;
    options.share_from = share_from;
    options.log = [this](const std::string& line) {
      const std::lock_guard lock(log_mutex_);
      log_.push_back(line);
    };
    shop = std::make_unique<Shop>(options);
  }

  /// The items of the small model, each with its colour; `shown` of them.
  void put_items() {
    Change change;
    for (int i = 0; i < count_; ++i) {
      ItemRecord item;
      item.item_id = "item-" + std::to_string(i);
      item.labels = {{"colour", i % 3 == 0 ? "red" : i % 3 == 1 ? "green" : "blue"}, {"price", i}};
      item.categories = {i % 2 == 0 ? "even" : "odd"};
      change.items.push_back(std::move(item));
    }
    shop->change(std::move(change));
  }

  /// `change`: of its scenario.
  void publish(const std::string& version, Problem problem = Problem::kRanking,
               const std::function<void(Scenario&)>& change = {}) {
    SmallModelOptions options;
    options.problem = problem;
    options.items = count_;
    options.live = true;
    options.centres = centres;
    options.version = version;
    const std::string bundle = folder / ("bundle-" + version);
    const auto model = small_model(options);
    if (change) change(const_cast<Scenario&>(model->scenario()));
    model->save(bundle, nlohmann::json::object(), nlohmann::json::object());
    shop->publish(version, bundle);
  }

  Outcome event(const std::string& id, const std::string& user, const std::string& item,
                const std::string& kind = "purchase", const std::string& client = "") {
    return shop->change(event_change(id, user, item, kind, client));
  }

  Change event_change(const std::string& id, const std::string& user, const std::string& item,
                      const std::string& kind = "purchase", const std::string& client = "") {
    Event event;
    event.event_id = id;
    event.time = now;
    event.event = kind;
    event.user_id = user;
    event.client_id = client;
    event.items.push_back({.item_id = item});
    Change change;
    change.events.push_back(std::move(event));
    return change;
  }

  ListReply recommend(const std::string& user, const ListRequest& request = {}) {
    return shop->recommend(shop->model_or_null(""), {user, "", std::nullopt}, request);
  }
  static std::vector<std::string> ids(const ListReply& reply) {
    std::vector<std::string> ids;
    for (const auto& item : reply.items) ids.push_back(item.id);
    return ids;
  }

  /// Lines of the log that contain this.
  int64_t said(const std::string& part) {
    const std::lock_guard lock(log_mutex_);
    return std::count_if(log_.begin(), log_.end(), [&](const auto& line) { return line.find(part) != line.npos; });
  }

  TempDir folder;
  std::atomic<Micros> now = 1'700'000'000 * kSecond;
  int64_t recent_ids = 1000;
  LiveRows::Options rows;
  int64_t index_from = 100'000, share_from = 1'000;
  int centres = 0;  // of the small model
 private:
  int count_;
  std::mutex log_mutex_;
  std::vector<std::string> log_;

 public:
  std::unique_ptr<Shop> shop;  // last: its threads write to the log
};

}  // namespace fewshop::testing
