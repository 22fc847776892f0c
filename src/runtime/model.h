#pragma once

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "bundle/bundle.h"
#include "core/time.h"
#include "feature/encoders.h"
#include "runtime/member.h"
#include "runtime/stack.h"
#include "scenario/scenario.h"

namespace fewshop {

/// What one task needs of a model while it is answered: a workspace per member and buffers. One thread each.
struct ModelSession;

/// Which rows a model that can be served was trained with, so that what it has counted of somebody can be counted anew
/// without (learner/recount.h). Tasks are known by hash only.
struct TrainedOn {
  int64_t events_through = -1;        // rows of the table `events` after this number came later
  Micros latest = 0;                  // no row was later than this
  int64_t rows = 0;                   // of the last fit
  std::vector<int64_t> train, valid;  // hashes of the tasks of the last fit (hash_of), ascending

  static int64_t hash_of(const std::string& split, const std::string& task);
};

/// A whole bundle in memory, immutable once loaded (add_item apart): members, stack, gate, items. Answers for one task
/// without libtorch and, after the first calls, without allocation.
class Model {
 public:
  /// Methods are numbered: 0 served, 1 adapted (the stack, or the learner alone where stack = false), 2.. members.
  static constexpr int kServed = 0, kAdapted = 1, kFirstMember = 2;

  /// Reads a bundle folder. Throws InvalidInput when it is damaged, of another format, or absent.
  static std::shared_ptr<Model> load(const std::string& folder);
  static std::shared_ptr<Model> from_bundle(const Bundle& bundle, const std::string& folder);

  const Scenario& scenario() const { return p_.scenario; }
  const Encoders& encoders() const { return p_.encoders; }
  const nlohmann::json& manifest() const { return p_.manifest; }
  /// Adds a fact of the training that only the finished model tells: save writes it into the manifest.
  void set_fact(const std::string& key, nlohmann::json value) { p_.manifest[key] = std::move(value); }
  const std::vector<std::string>& item_ids() const { return p_.item_ids; }
  const std::vector<std::string>& kinds() const { return p_.kinds; }
  /// -1 for an unknown id.
  int32_t find_item(const std::string& id) const;
  /// How often each item was seen in training: [items].
  const std::vector<int32_t>& item_counts() const { return p_.item_counts; }
  /// Makes an item known that came after training; returns its index.
  int32_t add_item(const std::string& id, std::span<const ColumnView> features);

  /// Follows a change of the features of a known item.
  void change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after);

  int methods() const { return kFirstMember + static_cast<int>(p_.members.size()); }
  std::string method_name(int method) const;
  /// The position of the learner among the members; -1 = a bundle of baselines only.
  int learner() const { return learner_; }
  /// Members that are baselines of the report (in order of the scenario), as method numbers.
  std::vector<int> baseline_methods() const;

  std::unique_ptr<ModelSession> session() const;

  /// Adapts every member that a later call needs. The spans of `task` must live until the last such call.
  void adapt(const TaskView& task, ModelSession& session) const;
  /// As adapt, for the members that the served answer needs only.
  void adapt_served(const TaskView& task, ModelSession& session) const;

  /// Scores of items by one method: score [n], variance [n] or empty. Rating scores are clipped to the range of
  /// training targets.
  void score(ModelSession& session, int method, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const;
  /// Scores of all items.
  void score_all(ModelSession& session, int method, std::span<float> score) const;
  /// Scores of all items by every member, each once: score [members, items]. With adapted_of_members this answers for
  /// all methods at the cost of one (evaluation).
  void score_all_members(ModelSession& session, std::span<float> score) const;
  /// What score_all gives for kAdapted, from the members' scores.
  void adapted_of_members(const ModelSession& session, std::span<const float> members, std::span<float> score) const;

  /// Whether the served answer for `item` is adapted (true) or the baseline's. For ranks it is the same for all items.
  bool served_adapted(const ModelSession& session, int32_t item) const;
  /// The baseline that is served where the gate is shut at this session's support size, as a method number.
  int served_baseline(const ModelSession& session) const;

  /// The score of one method before clipping, as prior (returned) plus contribution [support rows].
  double explain(ModelSession& session, int method, int32_t item, std::span<double> contribution) const;

  /// What the full stack ranks for a list of n, of the items that are not excluded: the best depth_for(n) of the
  /// learner (by the stack's mix, mix_at) and of every sparse member, and the most frequent, 2/5 as many and n; all of
  /// them where seeks_candidates() says so. Each once, in no order. docs/stack-and-gate.md.
  void candidates(ModelSession& session, int n, const ItemSet& excluded, std::vector<int32_t>& out) const {
    candidates(session, n, depth_for(n), excluded, out);
  }
  /// The same at another depth.
  void candidates(ModelSession& session, int n, int depth, const ItemSet& excluded, std::vector<int32_t>& out) const;

  static constexpr int kDefaultDepth = 500, kMeasuredList = 10;
  /// How many items a member names for a list of kMeasuredList: chosen when training (candidate_depth.h), the default
  /// where nothing was. Kept in the manifest.
  int candidate_depth() const { return depth_; }
  void set_candidate_depth(int depth);
  /// The same for a list of n: in proportion where that is longer, up to the default, and n at least.
  int depth_for(int n) const;
  /// Whether members are asked which items to rank; else all of them are: 700 or fewer, or the problem is no ranking.
  bool seeks_candidates(const ItemSet& excluded) const;

  /// The best n items by the served score, best first: of the candidates where the stack is served, of all items where
  /// a baseline is.
  struct Scored {
    int32_t item;
    float score, low, high;  // low, high: central 95 % interval
  };
  void recommend(ModelSession& session, int n, const ItemSet& excluded, std::vector<Scored>& out) const;

  /// How the stack mixes the learner's score with what depends on the item alone, for a support of k groups: what the
  /// search for the learner's candidates ranks by. False where there is no such search, and where the stack weighs the
  /// learner below 0 anywhere, which no fit does. The mix refers to the model until the next add_item.
  bool mix_at(int support, ItemMix& mix) const;
  /// Groups of support rows, as stack and gate count them.
  static int groups_of(std::span<const SupportRow> support);

  /// Before recommend() of several adapted sessions, with the same n and excluded each: members whose search reads all
  /// items read them once for all. The lists are the same as without.
  struct ListSought {
    ModelSession* session;
    int n;
    const ItemSet* excluded;
  };
  void seek(std::span<const ListSought> lists) const;

  /// The central 95 % interval of a score with the variance that score() stated.
  static std::pair<float, float> interval(float score, float variance);

  /// Writes the bundle folder: complete under a temporary name first, then in one step under its own. `report` is what
  /// evaluate prints without timing, `run` what no checksum covers. docs/bundle-format.md has the files.
  void save(const std::string& folder, const nlohmann::json& report, const nlohmann::json& run) const;

  /// What the trainer or load fills; the constructor builds what is derived from it.
  struct Parts {
    Scenario scenario;
    Encoders encoders;
    nlohmann::json manifest = nlohmann::json::object();  // facts of the training: fingerprints, seed, constants
    std::vector<std::string> item_ids, kinds;
    std::vector<int32_t> item_counts;
    std::optional<Columns> item_features;  // [items] encoded as training had them; of scenarios with [live]
    std::vector<std::unique_ptr<Member>> members;
    std::vector<std::string> baselines;  // names of the members that the report calls baselines
    std::string learner;                 // the member that the learner itself fitted; "" = baselines only
    std::string best_baseline;           // chosen on validation
    Stack stack;
    Gate gate;
    float target_low = 0, target_high = 0;
    std::optional<TrainedOn> trained_on;  // of scenarios with [live]
  };
  /// The parts of a bundle, to make another one of them. Throws as load does.
  static Parts read_parts(const std::string& folder);
  static Parts read_parts(const Bundle& bundle, const std::string& folder);
  explicit Model(Parts parts);
  const Parts& parts() const { return p_; }

 private:
  int member_index(const std::string& name) const;
  std::array<bool, kItemCells> served_cells(const ModelSession& session) const;
  int cell_of(int32_t item) const {
    return item_cell(item >= 0 && item < p_.item_counts.size() ? p_.item_counts[item] : 0);
  }
  bool ranking() const { return p_.scenario.problem == Problem::kRanking; }
  void put_mix(int32_t item);
  bool mix_of(std::span<const double> weights, ItemMix& mix) const;
  Member::Sought sought_of(ModelSession& session, int member, int depth, const ItemSet& excluded) const;
  void member_scores(ModelSession& session, int member, std::span<const int32_t> items, std::span<float> score,
                     std::span<float> variance) const;

  Parts p_;
  int learner_ = -1, depth_ = kDefaultDepth;
  std::unordered_map<std::string, int32_t> item_index_;
  std::vector<uint8_t> needed_;  // [members] 1 = a served answer may need it
  // What the stack says of an item beside the learner's score and whatever depends on the support: for the search for
  // the learner's candidates. Filled up to a multiple of 8.
  std::vector<uint8_t> mix_cells_;     // [items]
  std::vector<float> mix_column_;      // [items] scores of the stack's member mix_fixed_, 0 where there is none
  float mix_largest_ = 0;              // magnitude in the column
  int mix_own_ = -1, mix_fixed_ = -1;  // places in the stack
  std::vector<int32_t> popular_;       // items by falling training count
};

/// The state of one task while it is answered. Its members are the model's business.
struct ModelSession {
  std::vector<std::unique_ptr<Workspace>> workspaces;  // [members]
  std::vector<uint8_t> adapted;                        // [members] 1 = workspace holds the present task
  TaskView task;
  int support = 0;                      // groups
  std::vector<double> weights;          // [kItemCells, stack members + 1]
  std::vector<double> variance_factor;  // [kItemCells]
  std::vector<float> buffer, buffer_variance;
  std::vector<double> terms;
  std::vector<int32_t> candidates;
  ItemMix mix;       // how the stack ranks the learner's candidates
  int sought = -1;   // >= 0: seek() has looked for candidates of this depth already
  ItemSet seen;      // candidates so far
  ItemSet excluded;  // for callers that gather what may not be an answer
  LeftOut left_out;  // and may say this of it
  std::vector<float> scores, variances;
  std::vector<Model::Scored> found;
};

}  // namespace fewshop
