#include "online/list_rules.h"

#include <algorithm>
#include <cmath>

namespace fewshop {
namespace {

/// Adds items of one window to the list until there are `wanted`.
void add_diverse(std::span<const Answered> window, const ListRules& rules, const Likeness& likeness, CapCounter& caps,
                 std::vector<Answered>& list) {
  double low = INFINITY, high = -INFINITY;
  std::vector<double> alike(window.size(), 0);  // to what the list has already
  for (size_t i = 0; i < window.size(); ++i) {
    low = std::min(low, window[i].score + window[i].boost);
    high = std::max(high, window[i].score + window[i].boost);
    for (const Answered& before : list) alike[i] = std::max(alike[i], likeness(before, window[i]));
  }
  std::vector<uint8_t> taken(window.size(), 0);
  while (std::ssize(list) < rules.wanted()) {
    int64_t next = -1;
    double most = -INFINITY;
    for (size_t i = 0; i < window.size(); ++i) {
      if (taken[i] || !caps.admits(window[i].item)) continue;
      const double relevance = high > low ? (window[i].score + window[i].boost - low) / (high - low) : 1;
      const double value = (1 - rules.diversity) * relevance - rules.diversity * alike[i];
      if (value > most) {
        most = value;
        next = static_cast<int64_t>(i);
      }
    }
    if (next < 0) return;
    taken[next] = 1;
    caps.take(window[next].item);
    list.push_back(window[next]);
    list.back().diversity = -rules.diversity * alike[next];
    for (size_t i = 0; i < window.size(); ++i)
      if (!taken[i]) alike[i] = std::max(alike[i], likeness(window[next], window[i]));
  }
}

}  // namespace

bool CapCounter::admits(int32_t item) const {
  for (size_t c = 0; c < caps_.size(); ++c)
    for (const int32_t value : caps_[c].values->at(item)) {
      const auto found = counts_[c].find(value);
      if (found != counts_[c].end() && found->second >= caps_[c].most) return false;
    }
  return true;
}

void CapCounter::take(int32_t item) {
  for (size_t c = 0; c < caps_.size(); ++c)
    for (const int32_t value : caps_[c].values->at(item)) ++counts_[c][value];
}

Booster::Booster(const std::vector<Boost>& boosts, std::span<const double> scores) : boosts_(boosts) {
  if (boosts.empty() || scores.empty()) return;
  double mean = 0, square = 0;
  for (const double s : scores) mean += s / static_cast<double>(scores.size());
  for (const double s : scores) square += (s - mean) * (s - mean) / static_cast<double>(scores.size());
  deviation_ = std::sqrt(square);
}

double Booster::of(int32_t item) const {
  double boost = 0;
  for (const Boost& one : boosts_)
    if (one.items->contains(item)) boost += one.by * deviation_;
  return boost;
}

int diversity_window(const ListRules& rules) {
  constexpr int kTimes = 5, kLeast = 50;
  return std::max(kTimes * rules.n, kLeast);
}

std::vector<Answered> choose(std::span<const Answered> pool, const ListRules& rules, const Likeness& likeness) {
  CapCounter caps(rules.caps);
  for (const Pin& pin : rules.pins) caps.take(pin.item);  // wherever they stand: the same for every page
  std::vector<Answered> list;
  if (rules.diversity > 0 && likeness) {
    const auto window = static_cast<size_t>(diversity_window(rules));
    for (size_t begin = 0; begin < pool.size() && std::ssize(list) < rules.wanted(); begin += window)
      add_diverse(pool.subspan(begin, std::min(window, pool.size() - begin)), rules, likeness, caps, list);
    return list;
  }
  for (const Answered& item : pool) {
    if (std::ssize(list) >= rules.wanted()) break;
    if (!caps.admits(item.item)) continue;
    caps.take(item.item);
    list.push_back(item);
  }
  return list;
}

void finish_page(std::vector<Answered>& list, const ListRules& rules) {
  std::vector<Pin> pins = rules.pins;
  std::stable_sort(pins.begin(), pins.end(), [](const Pin& a, const Pin& b) { return a.place < b.place; });
  for (const Pin& pin : pins) {
    if (pin.item < 0) continue;
    const auto place = std::min<int64_t>(pin.place, std::ssize(list));
    list.insert(list.begin() + place, Answered{.item = pin.item, .pinned = true, .reasons = {}});
  }
  if (std::ssize(list) > rules.wanted()) list.resize(rules.wanted());
  list.erase(list.begin(), list.begin() + std::min<int64_t>(rules.offset, std::ssize(list)));
}

std::vector<Answered> rank_candidates(std::vector<Candidate> candidates, const ListRules& rules,
                                      const Likeness& likeness) {
  ItemSet excluded;
  for (const int32_t item : rules.exclude) excluded.set(item, true);
  for (const Pin& pin : rules.pins)
    if (pin.item >= 0) excluded.set(pin.item, true);
  std::erase_if(candidates, [&](const Candidate& one) {
    return excluded.contains(one.item) || (rules.filter && !rules.filter->contains(one.item));
  });
  std::vector<double> scores, boosts(candidates.size(), 0.0);
  if (!rules.boosts.empty()) {
    for (const Candidate& one : candidates) scores.push_back(one.score);
    const Booster booster(rules.boosts, scores);
    for (size_t i = 0; i < candidates.size(); ++i) boosts[i] = booster.of(candidates[i].item);
  }
  std::vector<int32_t> order(candidates.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  const auto before = [&](int32_t a, int32_t b) {
    const double x = candidates[a].score + boosts[a], y = candidates[b].score + boosts[b];
    return x > y || (x == y && candidates[a].item < candidates[b].item);
  };
  std::vector<Answered> pool, list;
  // Caps may pass over many: the order is worked out further as far as they do.
  const int64_t window = diversity_window(rules);
  for (int64_t next = (rules.wanted() + window - 1) / window * window;; next *= 4) {
    const auto ordered = std::ssize(pool), end = std::min<int64_t>(std::ssize(order), std::max(window, next));
    std::partial_sort(order.begin() + ordered, order.begin() + end, order.end(), before);
    for (int64_t i = ordered; i < end; ++i) {
      const Candidate& one = candidates[order[i]];
      pool.push_back({.item = one.item,
                      .score = one.score,
                      .low = one.score,
                      .high = one.score,
                      .link = one.score,
                      .prior = one.score,
                      .boost = boosts[order[i]],
                      .scored = true,
                      .reasons = {}});
    }
    list = choose(pool, rules, likeness);
    if (std::ssize(list) >= rules.wanted() || end == std::ssize(order)) break;
  }
  finish_page(list, rules);
  return list;
}

}  // namespace fewshop
