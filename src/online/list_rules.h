#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/item_set.h"

namespace fewshop {

/// At most `most` items of one value of an item column (a brand, a category); [shop items] numbers of the values, -1 =
/// has none and is not limited.
struct Cap {
  std::shared_ptr<const std::vector<int32_t>> value_of;
  int most = 1;
};

/// Items of a set are ranked as if their score were larger (or smaller) by `by` standard deviations of all scores.
struct Boost {
  std::shared_ptr<const ItemSet> items;
  double by = 0;
};

/// An item at a fixed place of the list, 0 = first.
struct Pin {
  int32_t item = -1;
  int place = 0;
};

/// What a list has to satisfy. Items are numbers of the ItemTable.
struct ListRules {
  int n = 10, offset = 0;
  std::shared_ptr<const ItemSet> filter;  // only these; null = all
  std::vector<int32_t> exclude;
  bool include_seen = false;  // also what the scenario leaves out because it is in the support
  std::vector<Cap> caps;
  double diversity = 0;  // 0 = by score alone, 1 = as unlike each other as can be (maximal marginal relevance)
  std::vector<Boost> boosts;
  std::vector<Pin> pins;

  int wanted() const { return offset + n; }
};

/// A support row's part of a score; `row` is its position in the rows that were given.
struct Contribution {
  int32_t row = 0;
  int32_t item = -1;
  double value = 0;
};

/// An answer's item. Boosts and diversity are in its place, not in its score.
struct Answered {
  int32_t item = -1;        // of the ItemTable
  int32_t model_item = -1;  // of the model; -1 = unknown to it
  double score = 0, low = 0, high = 0;
  double link = 0;   // explained: prior + sum of the contributions, the score before a rating was cut to its range
  double prior = 0;  // explained only; the score itself where no model ranks
  double boost = 0;  // what boosts added to the score when the list was made
  /// What likeness to the items before it took off (0 or less), where score and boost count from 0 to 1 between the
  /// last and the first that could be chosen, times 1 - ListRules::diversity.
  double diversity = 0;
  bool pinned = false;
  bool scored = false;                // score and interval are there
  std::vector<Contribution> reasons;  // explained: all support rows, largest first
};

/// Which caps a list has used up so far.
class CapCounter {
 public:
  explicit CapCounter(const std::vector<Cap>& caps) : caps_(caps), counts_(caps.size()) {}
  bool admits(int32_t item) const;
  void take(int32_t item);

 private:
  int32_t value_of(size_t cap, int32_t item) const;
  const std::vector<Cap>& caps_;
  std::vector<std::unordered_map<int32_t, int>> counts_;
};

/// Adds what the boosts say to items that have scores; `scores` are those of all that could be in the list.
class Booster {
 public:
  Booster(const std::vector<Boost>& boosts, std::span<const double> scores);
  double of(int32_t item) const;

 private:
  const std::vector<Boost>& boosts_;
  double deviation_ = 0;
};

/// Puts the pins at their places and cuts the list to the page that the rules ask for.
void finish_page(std::vector<Answered>& list, const ListRules& rules);

/// An item and what it is ranked by, where no model ranks.
struct Candidate {
  int32_t item = -1;
  double score = 0;
};

/// The page of a list of candidates under all rules but diversity; equal scores by the smaller number. Takes time for
/// what is shown, not for sorting everything.
std::vector<Answered> rank_candidates(std::vector<Candidate> candidates, const ListRules& rules);

}  // namespace fewshop
