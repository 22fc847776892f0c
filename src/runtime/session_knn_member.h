#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/member.h"

namespace fewshop {

/// Session-kNN: past sessions that share items with the support vote for their items.
///
///   w_s      = evidence_s exp(-recency_decay * groups after s) idf(item of s)      last row of each item; else 0
///   sim(n)   = sum over s with item of s in n of w_s / sqrt(rows of n)             n: a past session
///   score(j) = prior[j] + idf(j) sum over the nearest sessions n of sim(n) sum over positions p of j in n of near(p -
///   a) near(x)  = (x < 0 ? before : 1) / (1 + distance_decay max(0, |x| - 1))
///
/// a is the position in n of the support's most recent item that n has. Only the newest sessions of an item are looked
/// at, and of these the `neighbours` most similar vote. Which sessions vote, and a, depend on the support as a whole;
/// given them, the score is a sum over support rows, which is what explain returns.
///
/// Ludewig, Jannach. "Evaluation of Session-based Recommendation Algorithms." UMUAI 2018 (V-SKNN), with the distance
/// to the shared item and a second idf added.
class SessionKnnMember final : public Member {
 public:
  struct Parts {
    // Sessions are numbered from the oldest to the newest.
    int32_t neighbours = 500;
    float recency_decay = 0.5, before = 0.7, distance_decay = 0.3;
    std::vector<float> prior;               // [items] tie-break, as in ItemItemMember
    std::vector<float> idf;                 // [items] >= 0
    std::vector<int64_t> session_begin;     // [sessions + 1]
    std::vector<int32_t> session_item;      // [rows]
    std::vector<int32_t> session_position;  // [rows] rows that happened together share one; ascending
    std::vector<int64_t> index_begin;       // [items + 1]
    std::vector<int32_t> index_session;     // newest sessions of an item, newest first: numbers descend
  };
  /// Throws InvalidInput where sizes disagree, an index is outside, or a value is not usable.
  explicit SessionKnnMember(Parts parts);

  std::string_view name() const override { return "session-knn"; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                  std::vector<int32_t>& items) const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<Member> load(const TensorFile& file);

 private:
  struct State;
  bool knows(int32_t item) const { return item >= 0 && static_cast<size_t>(item) < parts_.prior.size(); }
  float score_of(const State& state, int32_t item) const;
  /// near(x) by its formula, and from a table of the steps up to kTabled.
  double nearness(int32_t step) const;
  double near(int32_t step) const {
    const auto place = static_cast<uint32_t>(step) + kTabled;
    return place <= 2 * kTabled ? near_[place] : nearness(step);
  }
  /// Whether the index leads from the item to a session that has it (only its newest sessions are in the index).
  bool indexed(int32_t item, int32_t session) const {
    const int64_t end = parts_.index_begin[item + 1];
    return end > parts_.index_begin[item] && session >= parts_.index_session[end - 1];
  }
  /// Weighs the support rows: fills State::weight and State::last_row.
  void weigh_support(State& state) const;
  /// Finds the nearest sessions: fills State::nearest, anchors apart.
  void find_sessions(State& state) const;
  /// Position in the session of the support's most recent item that it has.
  int32_t anchor(const State& state, int32_t session) const;
  void fetch_ahead(const State& state, size_t i) const;
  void fetch(const State& state, int32_t item) const;

  static constexpr uint32_t kTabled = 64;

  Parts parts_;
  std::array<double, 2 * kTabled + 1> near_{};  // of -kTabled, ..., kTabled
  std::vector<double> inverse_root_length_;     // [sessions]
  std::vector<uint8_t> first_;                  // [rows] 1 = first row of its item in the session
};

}  // namespace fewshop
