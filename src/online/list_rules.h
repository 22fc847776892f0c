#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/item_set.h"

namespace fewshop {

/// What items have in a column: numbers of values, several where the column holds a list ("shoes|sale").
struct ItemValues {
  std::vector<int32_t> text_of;             // [shop items] number of what stands in the column; -1 = nothing
  std::vector<std::vector<int32_t>> parts;  // [texts] numbers of the values in it, each once

  std::span<const int32_t> at(int32_t item) const {
    if (item < 0 || item >= std::ssize(text_of) || text_of[item] < 0) return {};
    return parts[text_of[item]];
  }
};

/// At most `most` items with one value of a column (a brand, a category). An item without a value is not limited; one
/// with several counts for each.
struct Cap {
  std::shared_ptr<const ItemValues> values;
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
  int n = 10, offset = 0;                 // pages of a list have one n
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
  /// last and the first of the items that it was chosen among, times 1 - ListRules::diversity.
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

/// How alike two items of a list are: -1 to 1.
using Likeness = std::function<double(const Answered&, const Answered&)>;

/// Items, the best first, that diversity re-ranks together: the first so many, then the next. The same for every page
/// of a list, so that no item comes on two of them.
int diversity_window(const ListRules& rules);

/// The first wanted() of a pool, best first, that the caps admit beside the pins. Where the rules ask for diversity and
/// `likeness` is known, by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) within each window; for
/// that the pool ends where a window ends, or holds all there is.
std::vector<Answered> choose(std::span<const Answered> pool, const ListRules& rules, const Likeness& likeness);

/// Puts the pins at their places, whatever filter and caps say of them, and cuts the list to the page that the rules
/// ask for.
void finish_page(std::vector<Answered>& list, const ListRules& rules);

/// An item and what it is ranked by, where no model ranks.
struct Candidate {
  int32_t item = -1;
  double score = 0;
};

/// The page of a list of candidates under all rules; equal scores by the smaller number. Takes time for what is shown,
/// not for sorting everything.
std::vector<Answered> rank_candidates(std::vector<Candidate> candidates, const ListRules& rules,
                                      const Likeness& likeness);

}  // namespace fewshop
