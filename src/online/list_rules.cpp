#include "online/list_rules.h"

#include <algorithm>
#include <cmath>

namespace fewshop {

int32_t CapCounter::value_of(size_t cap, int32_t item) const {
  const auto& values = *caps_[cap].value_of;
  return item < std::ssize(values) ? values[item] : -1;
}

bool CapCounter::admits(int32_t item) const {
  for (size_t c = 0; c < caps_.size(); ++c) {
    const int32_t value = value_of(c, item);
    if (value < 0) continue;
    const auto found = counts_[c].find(value);
    if (found != counts_[c].end() && found->second >= caps_[c].most) return false;
  }
  return true;
}

void CapCounter::take(int32_t item) {
  for (size_t c = 0; c < caps_.size(); ++c)
    if (const int32_t value = value_of(c, item); value >= 0) ++counts_[c][value];
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

std::vector<Answered> rank_candidates(std::vector<Candidate> candidates, const ListRules& rules) {
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
  CapCounter caps(rules.caps);
  std::vector<Answered> list;
  // Caps may pass over many: the order is worked out further as far as they do.
  int64_t ordered = 0, step = std::max(1, rules.wanted());
  while (std::ssize(list) < rules.wanted() && ordered < std::ssize(order)) {
    const int64_t next = std::min<int64_t>(std::ssize(order), ordered + step);
    std::partial_sort(order.begin() + ordered, order.begin() + next, order.end(), before);
    for (; ordered < next && std::ssize(list) < rules.wanted(); ++ordered) {
      const Candidate& one = candidates[order[ordered]];
      if (!caps.admits(one.item)) continue;
      caps.take(one.item);
      list.push_back({.item = one.item,
                      .score = one.score,
                      .low = one.score,
                      .high = one.score,
                      .link = one.score,
                      .prior = one.score,
                      .boost = boosts[order[ordered]],
                      .scored = true,
                      .reasons = {}});
    }
    step *= 4;
  }
  finish_page(list, rules);
  return list;
}

}  // namespace fewshop
