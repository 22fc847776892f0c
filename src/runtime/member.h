#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "feature/columns.h"
#include "runtime/item_mix.h"
#include "runtime/item_set.h"

namespace fewshop {

class TensorFile;

/// One support row of a task, as every member sees it.
struct SupportRow {
  int32_t item = -1;  // index into the model's items; -1 or beyond: an item the model does not know
  float target = 0;
  float weight = 1;
  float age = 0;      // seconds before the query; 0 where there is no time
  int32_t group = 0;  // rows of equal group happened together
  uint8_t kind = 0;   // index into the model's event kinds
};

/// What a member adapts to. The spans must live until the last call with the same workspace.
struct TaskView {
  std::span<const SupportRow> support;      // oldest first
  std::span<const ColumnView> description;  // one per task feature column; empty = nothing known
};

/// What a member keeps of one task between adapt and score. Grows on first use, then is reused without allocation.
/// One workspace belongs to one thread; members are immutable and shared.
class Workspace {
 public:
  virtual ~Workspace() = default;
};

/// A fitted method in the form that answers at serving time: plain arrays, no libtorch. Every member scores an item
/// as a prior plus one term per support row; what depends on the support as a whole counts as prior.
///
/// Life cycle: w = workspace(); then any number of times adapt(task, *w) followed by score / score_all / explain.
class Member {
 public:
  virtual ~Member() = default;

  /// The name in reports: "als", "bayes".
  virtual std::string_view name() const = 0;

  virtual std::unique_ptr<Workspace> workspace() const = 0;
  virtual void adapt(const TaskView& task, Workspace& workspace) const = 0;

  /// Scores of items (rating: predicted value; ranking: any scale, larger is better).
  ///   items [n], score [n], variance [n] or empty; members without uncertainty write variance 0.
  virtual void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                     std::span<float> variance) const = 0;

  /// Scores of all known items: score [items].
  virtual void score_all(const Workspace& workspace, std::span<float> score) const = 0;

  /// The score of an item where that does not depend on the support at all; nothing where it may.
  virtual std::optional<float> fixed_score(int32_t /*item*/) const { return {}; }

  /// The score of one item as prior (returned) plus contribution [support rows]: they add up to score() within 1e-6
  /// of the sum of their magnitudes.
  virtual double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const = 0;

  /// Appends up to n items that this member would rank first among those that are not excluded, in no order, where it
  /// can find them without scoring everything (the sparse rows of the support's items, a search); the default appends
  /// none.
  virtual void candidates(const Workspace&, int /*n*/, const ItemSet& /*excluded*/,
                          std::vector<int32_t>& /*items*/) const {}

  /// What candidates() will be asked for next, of several adapted workspaces at once: a member whose search reads all
  /// items can read them once for all. With a mix (it has to live until then) the best by the mix are named.
  struct Sought {
    Workspace* workspace;
    int n;
    const ItemSet* excluded;
    const ItemMix* mix = nullptr;
    LeftOut left_out = {};
  };
  virtual void seek(std::span<const Sought>) const {}
  /// How many items a search of this member knows; -1: it has none.
  virtual int64_t searched_items() const { return -1; }

  /// Makes an item that came after training known, from its encoded features; its index is the next free one. Members
  /// that know items only by their training rows treat it as unseen.
  virtual void add_item(std::span<const ColumnView> /*features*/) {}

  /// Follows a change of an item's features, from `before` to `after`: what the member says of the item moves by what
  /// the two differ in. Members that know items only by their training rows have nothing to change.
  virtual void change_item(int32_t /*item*/, std::span<const ColumnView> /*before*/,
                           std::span<const ColumnView> /*after*/) {}

  /// What is worth knowing of the fit beside its answers, for the manifest: an object, or null for nothing.
  virtual nlohmann::json facts() const { return nullptr; }

  /// Writes everything the member needs; load_member (members.h) reads it back to identical answers.
  virtual void save(TensorFile& file) const = 0;
};

}  // namespace fewshop
