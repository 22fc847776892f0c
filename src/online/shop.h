#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/random.h"
#include "online/housekeeping.h"
#include "online/ingest.h"
#include "online/item_table.h"
#include "online/item_views.h"
#include "online/kinds.h"
#include "online/ledger.h"
#include "online/live_model.h"
#include "online/live_row_model.h"
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

/// Predictions for rows, and the model that made them: one version, from support to answer.
struct RowReply {
  std::shared_ptr<const LiveRowModel> model;
  RowAnswer answer;
};

struct ListReply {
  std::string recommendation_id, scenario, version;  // no model: scenario and version are ""
  std::string served;
  int32_t support = 0;
  double adapt_seconds = 0;  // from the rows to an adapted model
  bool new_items = false;    // some were in no row that training has seen
  bool shared = false;       // worked out together with other lists
  struct Reason {
    int32_t row = 0;  // in the support, oldest = 0
    std::string item_id;
    double contribution = 0;
  };
  struct Item {
    std::string id;
    double score = 0, low = 0, high = 0;
    double link = 0;  // explained: prior + contributions; differs from score where a rating was cut to its range
    double prior = 0, boost = 0, diversity = 0;  // see Answered
    bool pinned = false;
    std::vector<Reason> reasons;  // explained
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
  /// What there is to count of an answer.
  struct Answer {
    const std::string& scenario;  // "" = no model answered
    int32_t support = 0;
    double seconds = 0, adapt_seconds = 0;
    bool new_items = false;  // some were in no row that training has seen
    bool shared = false;     // worked out together with other lists
  };
  struct Options {
    std::string database;
    int64_t recent_ids = 10'000'000;
    LiveRows::Options rows;
    Ingest::Options ingest;
    std::string default_scenario;                 // of lists; "" = the only ranking one
    std::map<std::string, double> retention;      // kind of event ("*" = others) -> days that its rows are kept
    int64_t index_from = 100'000;                 // items from which the search of a model is given an index
    int64_t share_from = 50'000;                  // items from which lists that come at one time are made together
    std::string vfs;                              // tests: SQLite's
    std::function<Micros()> now;                  // tests; null = the system's clock
    std::function<void(const std::string&)> log;  // what an operator should know; null = nowhere
    std::function<void(const Answer&)> answered;  // after every list and score; must be quick
    std::function<void(double seconds)> effect;   // from the submission of events to their effect
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
  int rows_per_user() const { return options_.rows.rows_per_key; }
  /// Reads the rows of everybody into memory, as far as there is room, so that nobody's first question waits for the
  /// disk. Ends early when `stop` says so.
  void warm(const std::atomic<bool>& stop);
  bool refused(const std::string& user_id, const std::string& client_id) const;
  /// The most kinds of event that clients may make up. Kinds are kept for ever: names that never end would fill memory.
  static constexpr int64_t kMostKinds = 10'000;
  /// Whether an event of this kind may be posted: its kind is known, or there is room for another one.
  bool admits_kind(const std::string& kind) const;

  // --- People (docs/privacy.md).

  /// Forgets a user and the guests joined to it. `done` gets the receipt: what was removed from where, that the shop
  /// now answers as it answers a newcomer, which versions of models have counted the user and which parameters were
  /// fitted to the user's rows too, and whether something is still to be done (`pending`, `waits_for`): the database's
  /// log to be cut ("log"), kept versions to be counted anew ("models"). Called on a thread of the shop, once. Throws
  /// Overloaded.
  void forget(const std::string& user_id, std::function<void(const Outcome&, const nlohmann::json& receipt)> done);

  /// Who keeps versions of models (the shelf). Both are called on a thread of the shop.
  struct KeptModels {
    /// What a receipt says of each version; `counts`: of its counts.
    std::function<nlohmann::json(const std::string& counts)> list;
    std::function<void()> recount;               // asks for all of them to be counted anew, without waiting
    std::function<bool()> unfinished = nullptr;  // whether that did not come to its end, for a reason that may pass
  };
  /// Versions that are kept are part of receipts from now on; {} ends that.
  void keep_models(KeptModels kept);
  /// Names of the receipts that wait for versions to be counted anew.
  std::vector<std::string> receipts_without_models() const;
  /// The versions of those of these receipts whose forgetting took effect by `through` are as `models` says now;
  /// `complete`: they wait for them no more.
  void complete_receipts(const std::vector<std::string>& names, const nlohmann::json& models, Micros through,
                         bool complete);
  /// A version came that had read the database at `read` (nothing: nobody knows when): part of the receipts of all who
  /// were forgotten later.
  void add_to_receipts(std::optional<Micros> read, const nlohmann::json& version);
  /// When the forgetting of somebody last took effect: what read the database before may hold that person. Smallest
  /// Micros = never.
  Micros last_forgotten() const { return last_forgotten_; }
  /// Rows of events that the server removed since then, about: of forgotten users, and as
  /// ShopStore::rows_removed_since.
  int64_t rows_removed_since(Micros time);
  /// Whether somebody was forgotten of whom no receipt says yet how many rows were removed.
  bool receipts_unwritten();
  /// The latest receipts of all who were forgotten (of one user, where it is given), by keyed hash, oldest first.
  nlohmann::json receipts(const std::string& user_id = "", int64_t most = 1000);
  /// Everything that is held of a user: record, events wherever they are, guests, consent, and what each live model
  /// makes of it.
  nlohmann::json export_user(const std::string& user_id);
  /// Removes rows that are older than options.retention allows, among the next so many; what was removed, less one and
  /// negative where that was the last of a pass. Runs by itself, an hour after the last pass; for tests.
  int64_t retain(int64_t at_most_scanned);

  // --- What an operator asks.

  struct Figures {
    ShopStore::Counts counts;  // as of some seconds ago, as is the next
    LiveRows::Usage rows;
    int64_t queued = 0, models = 0;
  };
  Figures figures() const;
  /// Events accepted since the start, by kind; what comes after the first 200 kinds is "other".
  std::map<std::string, int64_t> events_by_kind() const;
  /// Rows of these that the live model of a ranking scenario took as positive, by scenario.
  std::map<std::string, int64_t> positives_by_scenario() const;
  /// "", or why changes are refused now.
  std::string problem() const;

  // --- Models.

  /// Makes a model live in place of the scenario's present one: knows all items and changes when it answers first, and
  /// no answer mixes two. Throws InvalidInput where it cannot be served.
  void publish(const std::string& version, const std::string& folder);
  void retire(const std::string& scenario);
  /// A second model of a scenario that answers nobody. It follows items and changes as a live one does, so that it can
  /// be asked what a live one was asked. Throws InvalidInput where it could not be published either.
  void shadow(const std::string& version, const std::string& folder);
  void retire_shadow(const std::string& scenario);
  ListReply shadow_recommend(const std::string& scenario, const Asker& asker, const ListRequest& request);
  /// Called after every answer of recommend() that a model gave, on the answering thread: they must be quick. Added
  /// before the first question; clear_observers() after the last.
  using Observe =
      std::function<void(const Asker& asker, const ListRequest& request, const ListReply& reply, double seconds)>;
  void observe(Observe observe) { observers_.push_back(std::move(observe)); }
  void clear_observers() { observers_.clear(); }
  /// The live model of a scenario that rates or ranks items; "" = the default for lists. Throws InvalidInput naming
  /// those there are, or that the scenario asks about rows.
  std::shared_ptr<const LiveModel> model(const std::string& scenario) const;
  /// The same, null where the default is asked for and nothing is live.
  std::shared_ptr<const LiveModel> model_or_null(const std::string& scenario) const;
  std::vector<std::shared_ptr<const LiveModel>> models() const;
  /// The live model of a scenario that asks about rows; null where it has none.
  std::shared_ptr<const LiveRowModel> row_model(const std::string& scenario) const;
  /// Every scenario that has a live model, of either kind, by name.
  struct LiveScenario {
    std::string name, title, version, folder;
    Problem problem = Problem::kRanking;
  };
  std::vector<LiveScenario> scenarios() const;

  // --- What answers are made of, for checks (live_check.h).

  /// The rows of a user as answers take them now, those in memory included.
  std::vector<LiveRow> rows_of(const std::string& user_id, Micros until);
  /// The rows of a user that answers would be made of with a model of the scenario live, in place of the one that is,
  /// that uses these kinds of event.
  std::vector<EventRow> rows_with(const std::string& user_id, const std::string& scenario,
                                  std::vector<std::string> kinds) const;
  /// A user in logs: a keyed hash, the one of the user's receipts.
  std::string hash_of(const std::string& user_id) const;

  // --- Answers. InvalidInput for what was asked wrongly. Who asks several questions that belong together looks the
  // model up once (model, model_or_null): a swap in between mixes nothing.

  using LiveModelPtr = std::shared_ptr<const LiveModel>;

  /// Whether what a list needs to know of all items' columns (filters, caps, boosts) is worked out. Where not, its
  /// answer may take up to a second for each.
  bool ready(const ListRequest& request) const;
  /// Without a model (null) what is popular.
  ListReply recommend(const LiveModelPtr& model, const Asker& asker, const ListRequest& request);
  struct ListQuestion {
    LiveModelPtr model;
    Asker asker;
    ListRequest request;
  };
  /// The list, or what kept it from being made.
  struct ListOutcome {
    ListReply reply;
    std::exception_ptr error;
  };
  /// Several at once: those of one model share what they can. Each is as recommend() makes it.
  std::vector<ListOutcome> recommend(std::span<const ListQuestion> questions);
  /// Whether lists of this model that are asked for at one time are better asked for together.
  bool shares(const LiveModelPtr& model) const { return model && model->shares_from(options_.share_from); }
  ListReply popular(const ListRequest& request);
  ListReply latest(const ListRequest& request);
  /// Items whose vectors in the model are most like that of the item.
  ListReply similar(const LiveModel& model, const std::string& item_id, const ListRequest& request);
  /// What the same people had to do with.
  ListReply also(const std::string& item_id, const ListRequest& request);
  /// Users with the most items in common, with score.
  std::vector<std::pair<std::string, double>> similar_users(const std::string& user_id, int n, int offset);
  /// Scores of items for somebody, in their order; items that the shop does not know are answered too.
  /// `at`: as of then: ages of rows count from it, and later rows are no support; nothing = now. What is known of the
  /// person beside its rows is as it is now.
  ListReply score(const LiveModel& model, const Asker& asker, const std::vector<std::string>& items, bool explain,
                  std::optional<Micros> at = std::nullopt);
  /// The same for a task that the request states itself (score_rows); all of its rows are support.
  ListReply score(const LiveModel& model, const TextRows& support, const ColumnValues& description,
                  const std::vector<std::string>& items, bool explain, std::optional<Micros> at = std::nullopt);
  /// Predictions for rows. Throws InvalidInput where the scenario has no live model that predicts rows.
  RowReply predict(const std::string& scenario, const RowQuestion& question);

 private:
  static constexpr std::string_view kKindSettings = "kind/";  // before the name of a kind that was posted

  struct TaskState {
    std::vector<LiveRow> rows;
    EncodedEntity description;
    TaskRowsView view() const { return {rows, description.views}; }
  };

  /// Up to when events count: a clock that is set back takes no event back that has counted.
  Micros until() const;
  void load();
  void begin(Micros now);
  void prepare(Change& change, Outcome& outcome);
  void apply(const Change& change, Outcome& outcome);
  class Preparation;
  void apply_join(const GuestJoin& join);
  void apply_consent(const Consent& consent);
  void apply_overwritten(const Event& event);
  int64_t forget_in_memory(const std::string& user_id);  // returns the rows that were there
  bool duplicate(const std::string& event_id);
  void count_due();
  void apply_event(const Event& event, std::span<const std::shared_ptr<const LiveModel>> models);
  void count_or_wait(const Event& event, int32_t item);
  void prepare_forgetting(Change& change);
  bool came_late(const Event& event) const;
  nlohmann::json finish_forgetting(const std::string& user_id, const Outcome& outcome);
  nlohmann::json newcomer_check(const std::string& user_id);
  nlohmann::json models_of_receipt(const std::string& counts);
  nlohmann::json receipt_of(const std::string& name, const nlohmann::json& entry) const;
  void store_receipt(const std::string& name, nlohmann::json receipt);
  Micros in_effect_of_receipt(const std::string& name);
  void finish_pending();
  void ask_for_recount(std::chrono::steady_clock::time_point clock);
  void receipt_failed(const std::string& user_id, const Outcome& outcome);
  nlohmann::json profile_of(const std::string& user_id, const LiveModel& model);
  void tick();
  void apply_item(const std::string& id);
  void build_indexes();
  std::vector<std::vector<LiveRow>> sample_of_users();
  void count_kind(const std::string& kind);
  int32_t know_item(const std::string& id);
  void read_rows(std::string_view key, Micros now, std::vector<LiveRow>& rows);
  void keep_rows_of(const std::shared_ptr<const LiveModel>& model);
  void release_rows();
  void keep_used_kinds();
  /// `at`: with the stored rows up to then; nothing = up to now.
  TaskState task_state(const Asker& asker, const LiveModel* model, std::optional<Micros> at = std::nullopt);
  /// The stored rows of a person up to then, oldest first; nothing = up to now.
  void read_support(std::string_view key, std::optional<Micros> at, std::vector<LiveRow>& rows);
  ListRules rules(const ListRequest& request);
  /// The same for a list of what goes with an item, and which item that is.
  std::pair<ListRules, int32_t> rules_beside(const std::string& item_id, const ListRequest& request);
  ListReply reply_of(const ListAnswer& answer, const LiveModel* model);
  ListReply reply(const ListAnswer& answer, const LiveModel* model);
  ListReply answer_scores(const LiveModel& model, const Asker& asker, const std::vector<std::string>& ids, bool explain,
                          std::optional<Micros> at = std::nullopt);
  void recommend_together(const LiveModel& model, std::span<const ListQuestion> questions,
                          std::span<const size_t> asked, std::vector<ListOutcome>& outcomes);
  /// Tells those who want to know of a list that was begun at `begin`.
  void recommended(const LiveModelPtr& model, const Asker& asker, const ListRequest& request, const ListReply& reply,
                   std::chrono::steady_clock::time_point begin) const;
  /// Tells the observer of an answer that was begun at `begin`; its seconds are those until now.
  void tell(Answer answer, std::chrono::steady_clock::time_point begin) const;
  ListReply scores(const ListAnswer& answer, const LiveModel& model, const std::vector<std::string>& ids,
                   const std::function<std::string(const Contribution&)>& item_of);
  std::shared_ptr<const LiveModel> model_with_vectors() const;
  ListReply ranked(std::vector<Candidate> candidates, const ListRules& rules, const std::string& served);
  std::vector<std::shared_ptr<LiveModel>> following() const;  // live and shadows
  void publish_rows(const std::string& version, const std::string& folder);
  std::string live_names(bool of_rows = false) const;  // with models_mutex_
  void make_ready(const std::string& version, const std::string& folder,
                  const std::function<void(const std::shared_ptr<LiveModel>&)>& swap);

  Options options_;
  mutable std::atomic<Micros> latest_ = 0;  // that the clock has shown
  std::unique_ptr<ShopStore> store_;
  ItemTable items_;
  EventKinds kinds_;
  ItemViews views_;
  LiveRows rows_;

  // Of the ingest thread alone.
  struct KindsOfModel {
    std::weak_ptr<const LiveModel> model;
    std::set<int32_t> kinds;
  };
  std::vector<KindsOfModel> kinds_of_models_;  // of those that answer, or did a moment ago
  RecentIds recent_;
  std::unordered_set<uint64_t> pending_;  // ids of the group that is being committed
  Micros group_now_ = 0;                  // of that group: later events are of the future
  struct Due {
    Micros time;
    std::string event_id;
    int32_t item;
    bool operator>(const Due& other) const { return time > other.time; }
  };
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;  // rows of the future: they are counted in time
  std::optional<std::vector<std::string>> journal_;                 // items changed while a model is being made ready
  std::unordered_set<std::string> forgetting_;                // users whom the group that is being committed forgets
  std::unordered_map<std::string, Micros> group_forgotten_;   // their entries of the ledger
  std::unordered_map<std::string, std::string> group_joins_;  // what the group says before what is prepared: guest ->
                                                              // user, "" = parted
  std::unordered_map<std::string, bool> group_refusals_;      // "u:ID", "c:ID" -> refused

  mutable std::shared_mutex posted_mutex_;
  std::unordered_set<std::string> posted_kinds_;  // that are stored as settings

  mutable std::shared_mutex people_mutex_;
  std::unordered_map<std::string, std::string> joins_;  // guest -> user
  std::unordered_set<std::string> refusals_;            // "u:ID", "c:ID"

  mutable std::shared_mutex models_mutex_;
  std::map<std::string, std::shared_ptr<LiveModel>> models_, shadows_;     // by scenario
  std::map<std::string, std::shared_ptr<const LiveRowModel>> row_models_;  // none of a scenario that models_ has
  std::vector<Observe> observers_;
  std::mutex publish_mutex_;  // one at a time

  std::mutex random_mutex_;
  Random random_;

  Ledger ledger_;
  std::atomic<Micros> last_forgotten_ = std::numeric_limits<Micros>::min();
  mutable std::mutex receipts_mutex_;
  std::set<std::string> pending_receipts_;            // names of their settings
  std::set<std::string> modelless_;                   // of these, those that wait for versions of models
  std::map<std::string, nlohmann::json> removed_of_;  // of those that could not be written: rows by table
  KeptModels kept_;
  std::mutex completing_mutex_;  // of reading a stored receipt and writing it again
  std::atomic<bool> write_failed_ = false;
  mutable std::mutex figures_mutex_;
  Figures figures_;
  std::map<std::string, int64_t> by_kind_, positives_;

  // Of the housekeeping thread alone.
  ShopStore::Place retention_place_;
  std::chrono::steady_clock::time_point next_retention_, next_counts_, next_recount_;
  std::chrono::minutes recount_again_{1};

  std::unique_ptr<Ingest> ingest_;              // its thread uses all of the above
  std::unique_ptr<Housekeeping> housekeeping_;  // its thread uses ingest_, too
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<Housekeeping> indexing_;  // last: indexes are built on its thread
};

}  // namespace fewshop
