#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bundle/bundle.h"
#include "core/error.h"
#include "learner/recount.h"
#include "online/shop.h"

namespace fewshop {

/// Somebody was forgotten after the rows had been read that a model was trained with.
class ForgottenSince : public Failure {
 public:
  using Failure::Failure;
};

/// No such scenario or version on the shelf; the message names those that there are.
class UnknownModel : public InvalidInput {
 public:
  using InvalidInput::InvalidInput;
};

/// One version of a scenario's model. Versions are called "3-5f2c9a10": a number that rises, and the beginning of the
/// bundle's checksum.
struct ModelVersion {
  std::string scenario, version, folder;
  Micros published = 0;
  std::string source = {};  // the folder that it was published from
  bool live = false, shadow = false;
};

/// What a shadow has answered so far beside the live version.
struct ShadowCount {
  std::string version;
  int64_t asked = 0, same_first = 0, failed = 0, dropped = 0;
  double overlap = 0;                           // sum over lists: share of the live list that the shadow's has too
  double live_seconds = 0, shadow_seconds = 0;  // sums
};

/// {scenario, version, published, source, live, shadow, quality: as version_quality()}
nlohmann::json to_json(const ModelVersion& version);
/// {version, asked, overlap, same_first, live_ms, shadow_ms, failed, dropped}: shares and means of those asked.
nlohmann::json to_json(const ShadowCount& count);
nlohmann::json to_json(const CellIndex::Report& report);

/// The versions of models of a shop, and which of them answers (docs/models.md).
///
///     FOLDER/SCENARIO/VERSION/     a bundle, copied: complete and on the disk before it has its name
///
/// What is there, live, and to go back to is kept in the database (setting "models"): it is what the next start loads.
/// Everything that changes it is done one after the other; a version that cannot be served is refused and whatever was
/// live stays.
///
/// Threads: any. Calls read whole bundles and wait for each other: not for threads that answer requests. background()
/// is a thread for them.
class ModelShelf {
 public:
  struct Options {
    std::string database;
    std::string folder;                           // "" = the last one that was given, at first DATABASE.models
    int keep = 5;                                 // versions of a scenario; see prune
    bool load = true;                             // make live what was live
    int64_t check_users = 200;                    // compared at publish (live_check.h); 0 = no check
    int shadow_every = 10;                        // one in so many lists is asked of the shadow too
    std::function<void(const std::string&)> log;  // what an operator should know; null = nowhere
  };

  /// Loads what was live. A version that cannot be loaded any more is reported to the log and stays as it is.
  ModelShelf(Shop& shop, Options options);
  ~ModelShelf();

  /// Copies a bundle onto the shelf; `activate` false: without making it live. A bundle that is there already is not
  /// copied again. Throws InvalidInput naming the part that cannot be served, or the first row that [live] makes
  /// otherwise than [rows].
  ///
  /// A bundle whose rows were read before somebody was forgotten is counted anew first (learner/recount.h).
  /// `if_none_forgotten_since`: where somebody was since then, throws ForgottenSince instead.
  ModelVersion publish(const std::string& bundle, bool activate = true,
                       std::optional<Micros> if_none_forgotten_since = std::nullopt);
  /// `version` may be its number alone.
  ModelVersion activate(const std::string& scenario, const std::string& version);
  /// Makes live what was live before; once more: what was live before that.
  ModelVersion rollback(const std::string& scenario);
  /// Asks a version what the live one is asked, without answering anybody; none: no longer.
  void shadow(const std::string& scenario, const std::optional<std::string>& version);
  /// Not the live one, not the shadow.
  void remove(const std::string& scenario, const std::string& version);

  /// By scenario, oldest version first.
  std::vector<ModelVersion> list() const;
  std::optional<ModelVersion> live(const std::string& scenario) const;
  std::vector<std::string> scenarios() const;
  std::map<std::string, ShadowCount> shadows() const;  // by scenario
  /// What became of the last index of each live model, by scenario; none where none was built.
  std::map<std::string, CellIndex::Report> indexes() const;
  const std::string& folder() const { return options_.folder; }
  const std::string& database() const { return options_.database; }
  Shop& shop() { return shop_; }

  /// Counts every version anew whose rows were read before somebody was forgotten, puts those that answer in place of
  /// themselves, and completes the receipts that wait for it. Runs on the shelf's thread where the shop asks for it.
  void recount();

  /// Who trains models for the shelf removes what earlier trainings have left in the shelf's folder ".training", where
  /// somebody was forgotten; nullptr: nobody trains, and all of it goes.
  void on_forgetting(std::function<void()> remove_leftovers);

  /// Runs `work` on the shelf's thread, after what was given before. Errors are `work`'s business.
  void background(std::function<void()> work);
  /// What waits in background() is finished; nothing is taken any more.
  void stop();

 private:
  struct Entry {
    std::string version, checksum, source;
    Micros published = 0;
    Micros counted = 0;  // everybody who was forgotten up to then is out of its counts, as far as that can be
  };
  struct Scenario {
    int64_t next = 1;
    std::string live, shadow;
    std::vector<std::string> before;  // live before, the latest last
    std::vector<Entry> versions;      // oldest first
  };
  using State = std::map<std::string, Scenario>;

  static State read_state(const nlohmann::json& json);
  nlohmann::json to_json(const State& state) const;
  std::string absolute_database() const;
  State copy() const;
  void commit(State state);
  std::string folder_of(const std::string& scenario, const std::string& version) const;
  ModelVersion describe(const std::string& name, const Scenario& scenario, const Entry& entry) const;
  static const Entry& entry_of(const State& state, const std::string& scenario, const std::string& version);
  ModelVersion make_live(State state, const std::string& scenario, const std::string& version, bool back);
  void prune(State& state, const std::string& scenario, std::vector<std::string>& removed) const;
  void remove_folders(const std::vector<std::string>& folders) const;
  void clean() const;
  void load();
  nlohmann::json mend(Bundle& bundle, const std::string& name, const Scenario& scenario, Entry& entry);
  bool read_before_forgetting(const std::string& folder) const;
  std::vector<std::string> uncounted() const;
  void counted_through(const std::vector<ModelVersion>& versions, Micros through);
  void remove_training_leftovers();
  nlohmann::json receipt_list(const std::string& counts) const;
  /// What became of counting a version anew, and what receipts say of it.
  struct Recounted {
    enum { kDone, kSoon, kLater, kNever } state = kNever;  // kSoon: before anything is said of it
    nlohmann::json entry;
  };
  nlohmann::json recount(const ModelVersion& version, Micros through);
  Recounted try_recount(const ModelVersion& version, Micros through);
  void put_in_place(const ModelVersion& version);
  nlohmann::json recount_new(const ModelVersion& version, Micros& counted);
  void name_in_receipts(const ModelVersion& version, nlohmann::json entry);
  void ask_for_recount();
  bool stopping();
  static std::optional<Micros> data_read_of(const std::string& folder);
  void observe(const Asker& asker, const ListRequest& request, const ListReply& reply, double seconds);
  void compare(const Asker& asker, const ListRequest& request, const ListReply& reply, double seconds);
  void loop();

  Shop& shop_;
  Options options_;

  std::mutex work_mutex_;  // one change at a time
  mutable std::mutex state_mutex_;
  State state_;

  mutable std::mutex shadow_mutex_;
  std::map<std::string, ShadowCount> counts_;
  std::atomic<int> shadowed_ = 0;  // scenarios with a shadow
  std::atomic<uint64_t> lists_ = 0;

  /// Folders of versions in the course of recounts; with work_mutex_.
  struct Folders {
    struct Counted {
      Micros through = 0;    // up to whose forgetting
      nlohmann::json entry;  // of receipts
    };
    std::map<std::string, Counted> counted;  // what came of the last recount
    std::set<std::string> changed;           // files were counted anew, and who answers with them does not know
    std::set<std::string> later;             // receipts do not name them yet, or as to be counted later
    /// Its files are others than they were.
    void replaced(const std::string& folder) {
      counted.erase(folder);
      changed.erase(folder);
      later.erase(folder);
    }
  } folders_;
  std::atomic<bool> unfinished_ = false;  // the last recount left something for a reason that may pass
  std::atomic<bool> asked_ = false;       // for a recount that has not begun

  std::mutex leftovers_mutex_;
  std::function<void()> remove_leftovers_;

  std::mutex queue_mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fewshop
