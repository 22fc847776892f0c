#include "online/live_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "bundle/bundle.h"
#include "core/error.h"
#include "online/live_model.h"
#include "online/shop.h"
#include "runtime/row_model.h"
#include "scenario/names.h"
#include "store/store.h"
#include "task/model_data.h"

namespace fewshop {
namespace {

constexpr int kTries = 3;       // events may be indexed between the two readings of one user
constexpr int kMostTries = 50;  // while events wait to be indexed: memory has them, the tables do not
constexpr auto kBetweenTries = std::chrono::milliseconds(100);

/// A support row in words that both sides share.
struct Row {
  std::string item, kind;
  float target = 0, weight = 1, age = 0;
  bool begins_group = true;
};

/// The model in this folder, where the shop serves it.
std::shared_ptr<const LiveModel> served_model(Shop* shop, const std::string& bundle) {
  if (!shop) return nullptr;
  for (const auto& model : shop->models())
    if (model->folder() == bundle) return model;
  return nullptr;
}

class Checker {
 public:
  Checker(const std::string& bundle, const std::string& database, Shop* shop)
      : shop_(shop),
        offline_(Model::load(bundle)),
        data_(*offline_, database),
        live_("check", bundle, Model::load(bundle), kinds_),
        served_(served_model(shop, bundle)),
        store_(open_store(database, Store::Access::kRead)) {
    kinds_.use(live_.scenario());
    for (const int32_t kind : live_.kinds()) used_.push_back(kinds_.name(kind));
  }

  LiveCheck run(int64_t most_users) {
    LiveCheck check;
    for (const std::string& user : users(most_users)) {
      std::string difference;
      for (int i = 0; i < (shop_ && shop_->queued() > 0 ? kMostTries : kTries); ++i) {
        if (i > 0 && shop_) std::this_thread::sleep_for(kBetweenTries);
        difference = compare(user, check.rows);
        if (difference.empty()) break;
      }
      ++check.users;
      if (difference.empty()) continue;
      const auto sentence = [&](const std::string& who) {
        return fmt::format("{}: [live] does not make the rows that [rows] reads: {}, {}", live_.name(), who,
                           difference);
      };
      check.difference = sentence("user '" + user + "'");
      check.for_log = sentence(shop_ ? "the user with the keyed hash " + shop_->hash_of(user) : "a user");
      break;
    }
    return check;
  }

 private:
  /// Spread evenly over the users in order of their ids.
  std::vector<std::string> users(int64_t most) {
    std::vector<std::string> ids;
    if (!store_->has_table("events")) return ids;
    const auto cursor = store_->query("select distinct user_id from events where user_id is not null order by user_id");
    while (cursor->next()) ids.push_back(cursor->at(0).to_text());
    const auto count = std::ssize(ids);
    if (count <= most) return ids;
    std::vector<std::string> some;
    for (int64_t i = 0; i < most; ++i) some.push_back(ids[i * count / most]);
    return some;
  }

  /// The user's stored rows in order of time, then of acceptance, as the server reads them.
  void read(const std::string& user) {
    stored_.clear();
    const auto cursor = store_->read("events",
                                     {"event_id", "position", "time", "event", "item_id", "quantity", "price", "value",
                                      "rating", "session_id", "client_id", "recommendation_id", "extra", "user_id"},
                                     {{"user_id", user}});
    while (cursor->next()) {
      const auto number = [&](int column) {
        const Value value = cursor->at(column);
        return value.is_null() ? kNotGiven : value.number();
      };
      EventRow row;
      row.event_id = cursor->at(0).to_text();
      row.position = static_cast<int32_t>(cursor->at(1).integer);
      row.time = cursor->at(2).integer;
      row.event = cursor->at(3).to_text();
      row.item_id = cursor->at(4).to_text();
      row.quantity = number(5);
      row.price = number(6);
      row.value = number(7);
      row.rating = number(8);
      row.session_id = cursor->at(9).to_text();
      row.client_id = cursor->at(10).to_text();
      row.recommendation_id = cursor->at(11).to_text();
      row.extra = cursor->at(12).to_text();
      if (!row.item_id.empty()) stored_.push_back(std::move(row));
    }
    std::stable_sort(stored_.begin(), stored_.end(),
                     [](const EventRow& a, const EventRow& b) { return a.time < b.time; });
  }

  std::string kind_name(const Model& model, uint8_t kind) const {
    return kind < model.kinds().size() ? model.kinds()[kind] : "";
  }

  std::string compare(const std::string& user, int64_t& rows) {
    read(user);
    Micros at = std::numeric_limits<Micros>::min();
    for (const EventRow& row : stored_) at = std::max(at, row.time);

    const std::vector<LiveRow> taken = served_ ? shop_->rows_of(user, at) : rows_to_serve(user, at);
    const ItemTable& items = served_ ? shop_->items() : items_;
    const LiveModel::Access access(served_ ? *served_ : live_);
    std::vector<ArrivedRow> arrived;
    access.support(taken, at, arrived);
    std::vector<Row> live;
    for (const ArrivedRow& row : arrived)
      live.push_back({ItemTable::Reader(items).at(taken[row.source].item).id, kind_name(access.model(), row.row.kind),
                      row.row.target, row.row.weight, row.row.age,
                      live.empty() || row.row.group != arrived[live.size() - 1].row.group});

    const TaskInput task = data_.task(user, at);
    std::vector<Row> offline;
    for (size_t i = 0; i < task.support.size(); ++i) {
      const SupportRow& row = task.support[i];
      offline.push_back({task.item_ids[i], kind_name(*offline_, row.kind), row.target, row.weight, row.age,
                         i == 0 || row.group != task.support[i - 1].group});
    }
    std::string text = difference(live, offline, at, rows);
    if (!text.empty() && shop_ && std::ssize(taken) >= shop_->rows_per_user())
      text += fmt::format("; answers take the latest {} rows of a user (database.rows_per_user)", taken.size());
    return text;
  }

  /// The rows of a model that is not live: with a shop, those that it would get.
  std::vector<LiveRow> rows_to_serve(const std::string& user, Micros at) {
    const std::vector<EventRow> rows = shop_ ? shop_->rows_with(user, live_.name(), used_) : stored_;
    std::vector<LiveRow> taken;
    for (const EventRow& row : rows)
      if (row.time <= at) taken.push_back(live_row(row, items_.add(row.item_id), kinds_.add(row.event), kinds_));
    return taken;
  }

  std::string describe(const Row& row, Micros at) const {
    std::string text = fmt::format("item '{}'", row.item);
    if (!row.kind.empty()) text += ", " + row.kind;
    if (row.weight != 1) text += fmt::format(", weight {}", row.weight);
    return text + fmt::format(", target {}, {}{}", row.target, format_time(at - static_cast<Micros>(row.age) * kSecond),
                              row.begins_group ? "" : ", held together with the row before it");
  }

  std::string difference(const std::vector<Row>& live, const std::vector<Row>& offline, Micros at,
                         int64_t& rows) const {
    for (size_t i = 0; i < std::max(live.size(), offline.size()); ++i) {
      if (i < live.size() && i < offline.size()) {
        const Row &a = live[i], &b = offline[i];
        if (a.item == b.item && a.kind == b.kind && a.target == b.target && a.weight == b.weight &&
            std::abs(a.age - b.age) <= 1e-6F * b.age && a.begins_group == b.begins_group)
          continue;
      }
      return fmt::format("support row {}: [rows] gives {}, [live] gives {} ({} rows against {})", i + 1,
                         i < offline.size() ? describe(offline[i], at) : "none",
                         i < live.size() ? describe(live[i], at) : "none", offline.size(), live.size());
    }
    rows += std::ssize(offline);
    return {};
  }

  Shop* shop_;  // null: none
  std::shared_ptr<Model> offline_;
  ModelData data_;
  EventKinds kinds_;
  ItemTable items_;
  LiveModel live_;
  std::shared_ptr<const LiveModel> served_;  // null: the shop does not serve this bundle
  std::vector<std::string> used_;            // kinds of event
  std::unique_ptr<Store> store_;
  std::vector<EventRow> stored_;
};

}  // namespace

LiveCheck check_live(const std::string& bundle, const std::string& database, int64_t most_users, Shop* shop) {
  const Problem problem = bundle_problem(read_manifest(bundle), bundle);
  require(!is_row_problem(problem), bundle, ": a ", problem_name(problem),
          " model is not fed by events: its rows come with the questions, so there is nothing to check");
  return Checker(bundle, database, shop).run(most_users);
}

}  // namespace fewshop
