#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "bundle/bundle.h"
#include "feature/encoders.h"
#include "runtime/row_member.h"
#include "runtime/row_members.h"
#include "runtime/row_mix.h"
#include "runtime/stack.h"
#include "scenario/scenario.h"

namespace fewshop {

/// What one task needs of a row model while it is answered. One thread each.
struct RowSession;

/// A bundle of a problem that asks about rows, immutable: members, mix, gate. What Model is for items.
class RowModel {
 public:
  /// Methods are numbered: 0 served, 1 adapted (the mix, or the learner alone where stack = false), 2.. members.
  static constexpr int kServed = 0, kAdapted = 1, kFirstMember = 2;

  /// Reads a bundle folder. Members that neither the runtime nor `other` can answer for are left out where no served
  /// answer needs them (has_member); else, and where the bundle is damaged or of another kind, throws InvalidInput.
  static std::shared_ptr<RowModel> load(const std::string& folder, const RowMemberLoader& other = {});
  static std::shared_ptr<RowModel> from_bundle(const Bundle& bundle, const std::string& folder,
                                               const RowMemberLoader& other = {});

  const Scenario& scenario() const { return p_.scenario; }
  const Encoders& encoders() const { return p_.encoders; }
  const nlohmann::json& manifest() const { return p_.manifest; }
  const std::vector<std::string>& classes() const { return p_.scenario.classes; }
  const std::vector<std::string>& item_ids() const { return p_.item_ids; }
  const std::vector<std::string>& kinds() const { return p_.kinds; }
  /// -1 for an unknown id.
  int32_t find_item(const std::string& id) const;

  /// The position of the learner among the members; -1 = a bundle of baselines only.
  int learner() const { return learner_; }
  int methods() const { return kFirstMember + static_cast<int>(p_.members.size()); }
  std::string method_name(int method) const;
  bool has_member(int method) const { return p_.members.at(method - kFirstMember) != nullptr; }
  /// Members that are baselines of the report, as method numbers; those that were left out are not among them.
  std::vector<int> baseline_methods() const;

  std::unique_ptr<RowSession> session() const;

  /// Adapts to a task; members when they are first asked. The spans of `task` must live until the last call.
  void adapt(const RowTask& task, RowSession& session) const;
  /// The same, and at once those members that the served answer needs.
  void adapt_served(const RowTask& task, RowSession& session) const;
  /// The distribution of one row's target by one method.
  void predict(RowSession& session, int method, const RowInput& row, Predictive& out) const;

  /// Whether the served answers of this session are adapted (true) or the baseline's.
  bool served_adapted(const RowSession& session) const;
  /// The baseline that is served where the gate is shut at this session's support size, as a method number.
  int served_baseline(const RowSession& session) const;
  /// "adapted" or the name of the baseline.
  std::string served_name(const RowSession& session) const;

  /// link(level(prediction, label)) as prior (returned) plus contribution [support rows].
  double explain(RowSession& session, int method, const RowInput& row, int32_t label,
                 std::span<double> contribution) const;

  /// Writes the bundle folder, as Model::save. docs/bundle-format.md has the files.
  void save(const std::string& folder, const nlohmann::json& report, const nlohmann::json& run) const;

  /// What the trainer or load fills.
  struct Parts {
    Scenario scenario;
    Encoders encoders;
    nlohmann::json manifest = nlohmann::json::object();
    std::vector<std::string> item_ids, kinds;
    std::vector<int32_t> item_counts;  // [items] rows of training
    Columns item_features;             // [items] encoded, so that a row need only name its item
    std::vector<std::string> names;    // of the members, in order
    std::vector<std::unique_ptr<RowMember>> members;
    std::vector<std::string> baselines;
    std::string learner;  // "" = baselines only
    std::string best_baseline;
    RowMix mix;
    Gate gate;  // one decision for each size, whatever the item
  };
  explicit RowModel(Parts parts);
  const Parts& parts() const { return p_; }

 private:
  int member_index(const std::string& name) const;
  std::vector<uint8_t> needed() const;
  void adapt_member(RowSession& session, int member) const;
  void member_predict(RowSession& session, int member, const RowInput& row, Predictive& out) const;

  Parts p_;
  int learner_ = -1;
  std::unordered_map<std::string, int32_t> item_index_;
};

struct RowSession {
  std::vector<std::unique_ptr<Workspace>> workspaces;  // [members]
  std::vector<uint8_t> adapted;                        // [members] 1 = workspace holds the present task
  RowTask task;
  int support = 0;               // groups
  std::vector<double> weights;   // [mix members]
  std::vector<Predictive> each;  // [mix members]
  std::vector<double> terms;
};

/// The problem of the model in a bundle folder, from its manifest.
Problem bundle_problem(const Bundle& bundle, const std::string& folder);

}  // namespace fewshop
