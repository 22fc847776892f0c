#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "feature/encoders.h"
#include "runtime/member.h"
#include "runtime/stack.h"
#include "scenario/scenario.h"

namespace fewshop {

/// What one task needs of a model while it is answered: a workspace per member and buffers. One thread each.
struct ModelSession;

/// A whole bundle in memory, immutable once loaded (add_item apart): members, stack, gate, items. Answers for one task
/// without libtorch and, after the first calls, without allocation.
class Model {
 public:
  /// Methods are numbered: 0 served, 1 adapted (the stack, or the learner alone where stack = false), 2.. members.
  static constexpr int kServed = 0, kAdapted = 1, kFirstMember = 2;

  /// Reads a bundle folder. Throws InvalidInput when it is damaged, of another format, or absent.
  static std::shared_ptr<Model> load(const std::string& folder);

  const Scenario& scenario() const { return scenario_; }
  const Encoders& encoders() const { return encoders_; }
  const nlohmann::json& manifest() const { return manifest_; }
  const std::vector<std::string>& item_ids() const { return item_ids_; }
  const std::vector<std::string>& kinds() const { return kinds_; }
  /// -1 for an unknown id.
  int32_t find_item(const std::string& id) const;
  /// How often each item was seen in training: [items].
  const std::vector<int32_t>& item_counts() const { return item_counts_; }
  /// Makes an item known that came after training; returns its index.
  int32_t add_item(const std::string& id, std::span<const ColumnView> features);

  int methods() const { return kFirstMember + static_cast<int>(members_.size()); }
  std::string method_name(int method) const;
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

  /// Whether the served answer for `item` is adapted (true) or the baseline's. For ranks it is the same for all items.
  bool served_adapted(const ModelSession& session, int32_t item) const;
  /// The baseline that is served where the gate is shut at this session's support size, as a method number.
  int served_baseline(const ModelSession& session) const;

  /// The score of one method before clipping, as prior (returned) plus contribution [support rows].
  double explain(ModelSession& session, int method, int32_t item, std::span<double> contribution) const;

  /// The best n items by the served score among candidates (exclude: sorted item indices left out), best first.
  struct Scored {
    int32_t item;
    float score, low, high;
  };
  void recommend(ModelSession& session, int n, std::span<const int32_t> exclude, std::vector<Scored>& out) const;

  // Built by the trainer, read by load and by the functions above.
  Scenario scenario_;
  Encoders encoders_;
  nlohmann::json manifest_;
  std::vector<std::string> item_ids_, kinds_;
  std::unordered_map<std::string, int32_t> item_index_;
  std::vector<int32_t> item_counts_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::string> baselines_;    // names of the members that the report calls baselines
  std::string learner_;                   // the member that the learner itself fitted; "" = none (baselines only)
  Stack stack_;
  Gate gate_;
  float target_low_ = 0, target_high_ = 0;

  void index_items();
};

}  // namespace fewshop
