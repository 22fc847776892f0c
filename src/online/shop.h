#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/random.h"
#include "online/ingest.h"
#include "online/item_table.h"
#include "online/item_views.h"
#include "online/kinds.h"
#include "online/live_model.h"
#include "online/live_rows.h"
#include "online/recent_ids.h"
#include "online/recommend.h"
#include "store/shop_store.h"

namespace fewshop {

/// Who a question is about. Rows that are given stand in for those that are stored.
struct Asker {
  std::string user_id, client_id;
  std::optional<std::vector<EventRow>> rows;
};

/// The rules of a list as clients state them; ListRules has their meaning.
struct ListRequest {
  int n = 10, offset = 0;
  std::string category, filter;
  std::vector<std::string> exclude;
  bool include_seen = false;
  struct CapRequest {
    std::string column;
    int most = 1;
  };
  std::vector<CapRequest> caps;
  double diversity = 0;
  struct BoostRequest {
    std::string filter;
    double by = 0;
  };
  std::vector<BoostRequest> boosts;
  struct PinRequest {
    std::string item_id;
    int place = 0;
  };
  std::vector<PinRequest> pins;
  bool explain = false;
};

struct ListReply {
  std::string recommendation_id, scenario, version;  // no model: scenario and version are ""
  std::string served;
  int32_t support = 0;
  struct Reason {
    int32_t row = 0;  // in the support, oldest = 0
    std::string item_id;
    double contribution = 0;
  };
  struct Item {
    std::string id;
    double score = 0, low = 0, high = 0, prior = 0, boost = 0;
    bool pinned = false;
    std::vector<Reason> reasons;
  };
  std::vector<Item> items;
};

/// A shop that is being served: its durable events and records, what serving keeps of them in memory, the models that
/// are live. Everything that a request can do is one call here; HTTP and the command line only translate.
///
/// What is promised (docs/serving.md): a change is durable and in effect when `done` is called; an answer reflects
/// every change that was done before it was asked for.
///
/// Threads: any number may call anything.
class Shop {
 public:
  struct Options {
    std::string database;
    int64_t recent_ids = 10'000'000;
    LiveRows::Options rows;
    Ingest::Options ingest;
    std::string default_scenario;                 // of lists; "" = the only ranking one
    std::string vfs;                              // tests: SQLite's
    std::function<Micros()> now;                  // tests; null = the system's clock
    std::function<void(const std::string&)> log;  // what an operator should know; null = nowhere
  };

  /// Opens the database (locks it, migrates it) and reads what serving needs. Throws InvalidInput, Failure.
  explicit Shop(Options options);
  ~Shop();

  // --- Changes.

  /// Throws Overloaded. `done` is called on the writing thread; it must be quick.
  void submit(Change change, std::function<void(const Outcome&)> done) {
    ingest_->submit(std::move(change), std::move(done));
  }
  /// The same, waiting. Throws InvalidInput or Failure for what could not be done.
  Outcome change(Change change);
  /// What was waiting is committed; nothing is taken any more.
  void stop();

  ShopStore& store() { return *store_; }
  const ItemTable& items() const { return items_; }
  Micros now() const;
  /// A new id, "" never: for events, answers.
  std::string new_id();
  int64_t queued() const { return store_->queued(); }
  LiveRows::Usage usage() const { return rows_.usage(); }
  /// Reads the rows of everybody into memory, as far as there is room, so that nobody's first question waits for the
  /// disk. Ends early when `stop` says so.
  void warm(const std::atomic<bool>& stop);
  bool refused(const std::string& user_id, const std::string& client_id) const;

  // --- Models.

  /// Makes a model live in place of the scenario's present one: knows all items and changes when it answers first, and
  /// no answer mixes two. Throws InvalidInput where it cannot be served.
  void publish(const std::string& version, const std::string& folder);
  void retire(const std::string& scenario);
  /// The live model of a scenario; "" = the default for lists. Throws InvalidInput naming those there are.
  std::shared_ptr<const LiveModel> model(const std::string& scenario) const;
  /// The same, null where the default is asked for and nothing is live.
  std::shared_ptr<const LiveModel> model_or_null(const std::string& scenario) const;
  std::vector<std::shared_ptr<const LiveModel>> models() const;

  // --- Answers. InvalidInput for what was asked wrongly.

  /// For people without a model of their shop yet, what is popular.
  ListReply recommend(const std::string& scenario, const Asker& asker, const ListRequest& request);
  ListReply popular(const ListRequest& request);
  ListReply latest(const ListRequest& request);
  /// `name`: "similar" (learned vectors of the default model) or "also" (what the same people had to do with).
  ListReply item_to_item(const std::string& name, const std::string& item_id, const ListRequest& request);
  /// Users with the most items in common, with score.
  std::vector<std::pair<std::string, double>> similar_users(const std::string& user_id, int n, int offset);
  /// Scores of items for somebody, in their order; items that the shop does not know are answered too.
  ListReply score(const std::string& scenario, const Asker& asker, const std::vector<std::string>& items, bool explain);
  /// The same for a task that the request states itself (score_rows).
  ListReply score(const std::string& scenario, const TextRows& support, const ColumnValues& description,
                  const std::vector<std::string>& items, bool explain);

 private:
  struct TaskState {
    std::vector<LiveRow> rows;
    EncodedEntity description;
    TaskRowsView view() const { return {rows, description.views}; }
  };

  /// Up to when events count: a clock that is set back takes no event back that has counted.
  Micros until() const;
  void load();
  void begin();
  void prepare(Change& change, Outcome& outcome);
  void apply(const Change& change, Outcome& outcome);
  bool duplicate(const std::string& event_id);
  void apply_event(const Event& event);
  void apply_item(const std::string& id);
  int32_t know_item(const std::string& id);
  void read_rows(std::string_view key, std::vector<LiveRow>& rows);
  LiveRow live_row(const EventRow& row, int32_t item, int32_t kind) const;
  TaskState task_state(const Asker& asker, const LiveModel* model);
  ListRules rules(const ListRequest& request);
  ListReply reply(const ListAnswer& answer, const LiveModel* model, bool explain);
  ListReply scores(const ListAnswer& answer, const LiveModel& model, const std::vector<std::string>& ids,
                   const std::function<std::string(const Contribution&)>& item_of);
  ListReply ranked(std::vector<Answered> items, const ListRules& rules, const std::string& served);
  std::vector<std::shared_ptr<LiveModel>> live() const;

  Options options_;
  mutable std::atomic<Micros> latest_ = 0;  // that the clock has shown
  std::unique_ptr<ShopStore> store_;
  ItemTable items_;
  EventKinds kinds_;
  ItemViews views_;
  LiveRows rows_;

  // Of the ingest thread alone.
  RecentIds recent_;
  std::unordered_set<uint64_t> pending_;                      // ids of the group that is being committed
  std::unordered_map<std::string, std::string> group_joins_;  // what the group says before what is prepared: guest ->
                                                              // user, "" = parted
  std::unordered_map<std::string, bool> group_refusals_;      // "u:ID", "c:ID" -> refused
  std::optional<std::vector<std::string>> journal_;           // items changed while a model is being made ready

  mutable std::shared_mutex people_mutex_;
  std::unordered_map<std::string, std::string> joins_;  // guest -> user
  std::unordered_set<std::string> refusals_;            // "u:ID", "c:ID"

  mutable std::shared_mutex models_mutex_;
  std::map<std::string, std::shared_ptr<LiveModel>> models_;
  std::mutex publish_mutex_;  // one at a time

  std::mutex random_mutex_;
  Random random_;

  std::unique_ptr<Ingest> ingest_;  // last: its thread uses all of the above
};

}  // namespace fewshop
