#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "online/feature_source.h"
#include "online/item_table.h"
#include "online/kinds.h"
#include "online/live_rows.h"
#include "runtime/cell_index.h"
#include "runtime/model.h"
#include "scenario/condition.h"
#include "task/arrange_support.h"

namespace fewshop {

class BayesMember;

/// Values of an entity's columns as text, for its features.
using ColumnValues = std::map<std::string, std::optional<std::string>>;

/// A model that answers: a bundle, the shop's items as it numbers them, and how live events become its support rows.
/// What came after training (items, changes of their features) is made known to it as it comes.
///
/// Threads: any number. An Access holds the model still for one answer; changes of items wait for it.
class LiveModel {
 public:
  /// Checks that the model can be served: its [live] says how events become rows, and nothing in it lacks a runtime
  /// form. Throws InvalidInput naming the part.
  LiveModel(std::string version, std::string folder, std::shared_ptr<Model> model, EventKinds& kinds);

  const std::string& name() const { return model_->scenario().name; }
  const std::string& version() const { return version_; }
  const std::string& folder() const { return folder_; }
  const Scenario& scenario() const { return model_->scenario(); }
  bool ranking() const { return scenario().problem == Problem::kRanking; }
  /// Whether a row is a positive of a model that ranks: what its lists are there to foresee.
  bool positive(const LiveRow& row) const;
  /// Numbers of the kinds of event that its support is made of.
  std::set<int32_t> kinds() const;

  /// From now on features of items and tasks are those that the scenario's [items] and [tasks] give in this database,
  /// where they are not plainly the tables items and users, whose columns the caller gives. What such a source does not
  /// have is as those columns say. The log hears of sources that cannot be read.
  void read_sources(const std::string& database, const FeatureSource::Log& log);

  /// The shop's item `item` (of the ItemTable) is now as `columns` say, features that training had included; one that
  /// the model does not know becomes known. nullptr: the shop has no record of it, and what training knew holds.
  /// `shown` false: never an answer.
  void put_item(int32_t item, const std::string& id, const ColumnValues* columns, bool shown);
  /// Many at once, after loading: one lock.
  using PutItem = std::function<void(int32_t item, const std::string& id, const ColumnValues* columns, bool shown)>;
  void put_items(const std::function<void(const PutItem&)>& each);

  class Access;
  /// Keeps the model as it is, for answers that are worked out together.
  class Hold {
   public:
    explicit Hold(const LiveModel& model) : live_(model), lock_(model.mutex_) {}
    const Model& model() const { return *live_.model_; }

   private:
    friend class Access;
    const LiveModel& live_;
    std::shared_lock<std::shared_mutex> lock_;
  };

  /// One answer's hold on the model, with a session of its own.
  class Access {
   public:
    explicit Access(const LiveModel& model);
    /// Under a hold that outlives it.
    explicit Access(const Hold& hold);
    ~Access();
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;

    const Model& model() const { return *live_.model_; }
    /// The member with learned item vectors; null where the model has none.
    const BayesMember* vectors() const { return live_.vectors_; }
    ModelSession& session() { return *session_; }
    /// The model's number of a shop item, and back; -1 = none.
    int32_t model_item(int32_t item) const {
      return item >= 0 && item < std::ssize(live_.model_item_) ? live_.model_item_[item] : -1;
    }
    int32_t shop_item(int32_t model_item) const { return live_.shop_item_[model_item]; }
    /// Items of the model that are never an answer.
    const ItemSet& not_shown() const { return live_.not_shown_; }
    /// What a filter (a set of shop items) leaves of the model's items. Worked out once for each filter, then follows
    /// the items.
    std::shared_ptr<const ItemSet> passing(const std::shared_ptr<const ItemSet>& filter) const {
      return live_.passing(filter);
    }

    /// The support of a task from its rows, in episode order; row.source is the position in `rows`.
    void support(std::span<const LiveRow> rows, Micros now, std::vector<ArrivedRow>& out) const;

   private:
    const LiveModel& live_;
    std::shared_lock<std::shared_mutex> lock_;  // empty under the hold of others
    std::unique_ptr<ModelSession> session_;
  };

  /// Whether there are so many items, all of them read, that lists which are asked for at one time are better worked
  /// out together.
  bool shares_from(int64_t items) const;

  /// Whether the search of item vectors wants an index: there are `from` items or more and none was tried, or so much
  /// has changed since that a new one pays.
  bool wants_index(int64_t from) const;
  /// Builds one beside the answers and puts it in use where it finds enough (cell_index.h); else everything is read, as
  /// before. `users`: rows of some people, whose heads it is chosen and measured by; tasks that are drawn from the
  /// training's items stand in for those that lack. One call at a time; true from `stopped` ends it.
  void build_index(std::span<const std::vector<LiveRow>> users, Micros now, const std::function<bool()>& stopped);
  /// What became of the last build; nothing where there was none.
  std::optional<CellIndex::Report> index_report() const;

  /// Encoded description of a task: of the user, where [tasks] is not plainly the table users, else from its columns.
  EncodedEntity describe(const std::string& user_id, const std::function<ColumnValues()>& columns) const;
  /// Of nobody.
  EncodedEntity describe_nobody() const { return encode_entity(model_->encoders().tasks, {}); }
  bool has_description() const { return !model_->encoders().tasks.empty(); }
  /// Whether it has learned vectors of items.
  bool has_vectors() const { return vectors_ != nullptr; }

 private:
  /// What [live] makes of one kind of event.
  struct KindUse {
    bool used = false;
    bool constant = false;
    float value = 0;
    uint8_t model_kind = 0;
  };

  std::unique_ptr<ModelSession> take_session() const;
  struct IndexQueries;
  IndexQueries index_queries(std::span<const std::vector<LiveRow>> users, Micros now) const;
  void put_item_locked(int32_t item, const std::string& id, std::optional<EncodedEntity> now, bool shown);
  std::optional<EncodedEntity> encoded(const std::string& id, const ColumnValues* columns) const;
  std::vector<ColumnView> features_before(int32_t own) const;
  std::shared_ptr<const ItemSet> passing(const std::shared_ptr<const ItemSet>& filter) const;
  std::optional<float> target(const LiveRow& row) const;

  std::string version_, folder_;
  std::shared_ptr<Model> model_;
  BayesMember* vectors_ = nullptr;  // one of the model's members
  std::vector<KindUse> uses_;       // [kinds of event]
  std::optional<Condition> positive_;
  std::unique_ptr<FeatureSource> item_source_, task_source_;  // null: the tables items and users

  mutable std::shared_mutex mutex_;     // of what follows, and of the model's items
  std::vector<int32_t> model_item_;     // [shop items] -1 = not yet known
  std::vector<int32_t> shop_item_;      // [model items] -1 = the shop has no such item
  ItemSet not_shown_;                   // model items
  std::vector<EncodedEntity> encoded_;  // [model items] features as they were last put; empty where never

  /// A filter in the numbers of both. Kept while the shop's set is the one that requests come with.
  struct Passing {
    std::shared_ptr<const ItemSet> filter;
    std::shared_ptr<ItemSet> items;
  };
  mutable std::mutex passing_mutex_;
  mutable std::list<Passing> passing_;  // used last first

  mutable std::mutex report_mutex_;
  std::optional<CellIndex::Report> report_;

  mutable std::mutex sessions_mutex_;
  mutable std::vector<std::unique_ptr<ModelSession>> sessions_;
};

}  // namespace fewshop
