#include "online/recommend.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <unordered_map>

#include "runtime/bayes_member.h"
#include "task/task_input.h"

namespace fewshop {
namespace {

constexpr int kDiversityPool = 5;  // times n: what maximal marginal relevance chooses from
constexpr int kLeastPool = 50;

/// The member with learned item vectors; null where the model has none.
const BayesMember* vectors_of(const Model& model) {
  for (const auto& member : model.parts().members)
    if (const auto* bayes = dynamic_cast<const BayesMember*>(member.get())) return bayes;
  return nullptr;
}

double cosine(const BayesMember& vectors, int32_t a, int32_t b) {
  const auto& arrays = vectors.arrays();
  const float* x = arrays.vectors.data() + static_cast<int64_t>(a) * arrays.head;
  const float* y = arrays.vectors.data() + static_cast<int64_t>(b) * arrays.head;
  double xy = 0, xx = 0, yy = 0;
  for (int32_t j = 0; j < arrays.head; ++j) {
    xy += static_cast<double>(x[j]) * y[j];
    xx += static_cast<double>(x[j]) * x[j];
    yy += static_cast<double>(y[j]) * y[j];
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

/// Which caps a list has used up so far.
class CapCounter {
 public:
  explicit CapCounter(const std::vector<Cap>& caps) : caps_(caps), counts_(caps.size()) {}

  bool admits(int32_t item) const {
    for (size_t c = 0; c < caps_.size(); ++c) {
      const int32_t value = value_of(c, item);
      if (value < 0) continue;
      const auto found = counts_[c].find(value);
      if (found != counts_[c].end() && found->second >= caps_[c].most) return false;
    }
    return true;
  }
  void take(int32_t item) {
    for (size_t c = 0; c < caps_.size(); ++c)
      if (const int32_t value = value_of(c, item); value >= 0) ++counts_[c][value];
  }

 private:
  int32_t value_of(size_t cap, int32_t item) const {
    const auto& values = *caps_[cap].value_of;
    return item < std::ssize(values) ? values[item] : -1;
  }
  const std::vector<Cap>& caps_;
  std::vector<std::unordered_map<int32_t, int>> counts_;
};

/// One question to a model, from support to list.
class Answering {
 public:
  Answering(const LiveModel& live, const TaskRowsView& task, Micros now) : access_(live), rows_(task.rows) {
    const auto begin = std::chrono::steady_clock::now();
    access_.support(task.rows, now, arrived_);
    for (const ArrivedRow& row : arrived_) support_.push_back(row.row);
    access_.model().adapt_served({support_, task.description}, access_.session());
    adapt_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Answering(const LiveModel& live, const TextRows& support, const ColumnValues& description, Micros now)
      : access_(live), input_(task_input(access_.model(), support, description, now)) {
    for (size_t i = 0; i < input_.support.size(); ++i)
      arrived_.push_back({.row = input_.support[i], .source = input_.source[i]});
    support_ = input_.support;
    const auto begin = std::chrono::steady_clock::now();
    access_.model().adapt_served(input_.view(), access_.session());
    adapt_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  ListAnswer list(const ListRules& rules, bool explain) {
    ListAnswer answer;
    answer.support = static_cast<int32_t>(support_.size());
    answer.adapt_seconds = adapt_seconds_;
    exclude(rules);
    const auto items = static_cast<int64_t>(access_.model().item_ids().size());
    const auto passing = static_cast<int>(items - std::ssize(exclude_));
    const int wanted = rules.offset + rules.n;
    int fetch = std::min(passing, wanted);
    if (!rules.caps.empty()) fetch = std::min(passing, 4 * wanted + kLeastPool);
    if (rules.diversity > 0) fetch = std::min(passing, std::max({fetch, kDiversityPool * wanted, kLeastPool}));
    std::vector<Answered> chosen;
    while (true) {
      const std::vector<Answered> pool = rules.boosts.empty() ? best(fetch) : boosted(rules.boosts, fetch);
      chosen = choose(pool, rules, wanted);
      // Caps may have left out so many that the list is short of what there is.
      if (std::ssize(chosen) >= wanted || fetch >= passing) break;
      fetch = static_cast<int>(std::min<int64_t>(passing, int64_t{4} * fetch));
    }
    place_pins(chosen, rules);
    if (std::ssize(chosen) > wanted) chosen.resize(wanted);
    chosen.erase(chosen.begin(), chosen.begin() + std::min<int64_t>(rules.offset, std::ssize(chosen)));
    answer.items = std::move(chosen);
    finish(answer, explain);
    return answer;
  }

  ListAnswer scores(std::span<const int32_t> items, bool explain) {
    ListAnswer answer;
    answer.support = static_cast<int32_t>(support_.size());
    answer.adapt_seconds = adapt_seconds_;
    for (const int32_t item : items)
      answer.items.push_back({.item = item, .model_item = access_.model_item(item), .reasons = {}});
    finish(answer, explain);
    return answer;
  }

  ListAnswer scores(std::span<const std::string> items, bool explain) {
    ListAnswer answer;
    answer.support = static_cast<int32_t>(support_.size());
    answer.adapt_seconds = adapt_seconds_;
    for (const std::string& id : items)
      answer.items.push_back({.model_item = access_.model().find_item(id), .reasons = {}});
    finish(answer, explain);
    return answer;
  }

 private:
  /// What may not be in the list, as ascending numbers of the model.
  void exclude(const ListRules& rules) {
    const auto not_shown = access_.not_shown();
    exclude_.assign(not_shown.begin(), not_shown.end());
    const auto add = [&](int32_t model_item) {
      if (model_item >= 0) exclude_.push_back(model_item);
    };
    if (access_.model().scenario().exclude_seen && !rules.include_seen)
      for (const SupportRow& row : support_) add(row.item);
    for (const int32_t item : rules.exclude) add(access_.model_item(item));
    for (const Pin& pin : rules.pins) add(access_.model_item(pin.item));
    if (rules.filter)
      for (int32_t m = 0; m < std::ssize(access_.model().item_ids()); ++m)
        if (!rules.filter->contains(access_.shop_item(m))) exclude_.push_back(m);
    if (std::ssize(exclude_) > std::ssize(not_shown)) {
      std::sort(exclude_.begin(), exclude_.end());
      exclude_.erase(std::unique(exclude_.begin(), exclude_.end()), exclude_.end());
    }
  }

  std::vector<Answered> best(int n) {
    std::vector<Model::Scored> scored;
    access_.model().recommend(access_.session(), n, exclude_, scored);
    std::vector<Answered> pool;
    for (const Model::Scored& s : scored)
      pool.push_back({.item = access_.shop_item(s.item),
                      .model_item = s.item,
                      .score = s.score,
                      .low = s.low,
                      .high = s.high,
                      .reasons = {}});
    return pool;
  }

  /// With boosts every passing item is scored: what a boost lifts may stand anywhere.
  std::vector<Answered> boosted(const std::vector<Boost>& boosts, int n) {
    std::vector<int32_t> items;
    auto excluded = exclude_.begin();
    for (int32_t m = 0; m < std::ssize(access_.model().item_ids()); ++m) {
      while (excluded != exclude_.end() && *excluded < m) ++excluded;
      if (excluded == exclude_.end() || *excluded != m) items.push_back(m);
    }
    std::vector<float> score(items.size());
    access_.model().score(access_.session(), Model::kServed, items, score, {});
    double mean = 0, square = 0;
    for (const float s : score) mean += s / static_cast<double>(score.size());
    for (const float s : score) square += (s - mean) * (s - mean) / static_cast<double>(score.size());
    const double deviation = std::sqrt(square);
    std::vector<Answered> pool;
    for (size_t i = 0; i < items.size(); ++i) {
      Answered item{.item = access_.shop_item(items[i]), .model_item = items[i], .score = score[i], .reasons = {}};
      for (const Boost& boost : boosts)
        if (boost.items->contains(item.item)) item.boost += boost.by * deviation;
      pool.push_back(std::move(item));
    }
    const auto keep = std::min<int64_t>(n, std::ssize(pool));
    std::partial_sort(pool.begin(), pool.begin() + keep, pool.end(), [](const Answered& a, const Answered& b) {
      const double x = a.score + a.boost, y = b.score + b.boost;
      return x > y || (x == y && a.item < b.item);
    });
    pool.resize(keep);
    return pool;
  }

  /// The first `wanted` of the pool that the caps admit, re-ranked for diversity where the rules ask for it.
  std::vector<Answered> choose(const std::vector<Answered>& pool, const ListRules& rules, int wanted) const {
    CapCounter caps(rules.caps);
    std::vector<Answered> chosen;
    const BayesMember* vectors = rules.diversity > 0 ? vectors_of(access_.model()) : nullptr;
    if (!vectors) {
      for (const Answered& item : pool) {
        if (std::ssize(chosen) >= wanted) break;
        if (!caps.admits(item.item)) continue;
        caps.take(item.item);
        chosen.push_back(item);
      }
      return chosen;
    }
    // Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998), scores scaled to [0, 1] over the pool.
    double low = INFINITY, high = -INFINITY;
    for (const Answered& item : pool) {
      low = std::min(low, item.score + item.boost);
      high = std::max(high, item.score + item.boost);
    }
    std::vector<double> likeness(pool.size(), 0);
    std::vector<uint8_t> taken(pool.size(), 0);
    while (std::ssize(chosen) < wanted) {
      int64_t next = -1;
      double most = -INFINITY;
      for (size_t i = 0; i < pool.size(); ++i) {
        if (taken[i] || !caps.admits(pool[i].item)) continue;
        const double relevance = high > low ? (pool[i].score + pool[i].boost - low) / (high - low) : 1;
        const double value = (1 - rules.diversity) * relevance - rules.diversity * likeness[i];
        if (value > most) {
          most = value;
          next = static_cast<int64_t>(i);
        }
      }
      if (next < 0) break;
      taken[next] = 1;
      caps.take(pool[next].item);
      chosen.push_back(pool[next]);
      const int32_t own = pool[next].model_item;
      for (size_t i = 0; i < pool.size(); ++i)
        if (!taken[i]) likeness[i] = std::max(likeness[i], cosine(*vectors, own, pool[i].model_item));
    }
    return chosen;
  }

  void place_pins(std::vector<Answered>& list, const ListRules& rules) const {
    std::vector<Pin> pins = rules.pins;
    std::stable_sort(pins.begin(), pins.end(), [](const Pin& a, const Pin& b) { return a.place < b.place; });
    for (const Pin& pin : pins) {
      if (pin.item < 0) continue;
      const auto place = std::min<int64_t>(pin.place, std::ssize(list));
      list.insert(
          list.begin() + place,
          Answered{.item = pin.item, .model_item = access_.model_item(pin.item), .pinned = true, .reasons = {}});
    }
  }

  /// Scores, intervals, and where asked for what they are made of.
  void finish(ListAnswer& answer, bool explain) {
    const Model& model = access_.model();
    ModelSession& session = access_.session();
    std::vector<int32_t> items;
    for (const Answered& item : answer.items) items.push_back(item.model_item);
    std::vector<float> score(items.size()), variance(items.size());
    model.score(session, Model::kServed, items, score, variance);
    std::vector<double> contribution(support_.size());
    for (size_t i = 0; i < items.size(); ++i) {
      Answered& item = answer.items[i];
      item.score = score[i];
      std::tie(item.low, item.high) = Model::interval(score[i], variance[i]);
      const std::string served =
          model.served_adapted(session, items[i]) ? "adapted" : model.method_name(model.served_baseline(session));
      answer.served = answer.served.empty() || answer.served == served ? served : "mixed";
      if (!explain) continue;
      item.prior = model.explain(session, Model::kServed, items[i], contribution);
      double sum = item.prior;
      for (size_t s = 0; s < contribution.size(); ++s) {
        sum += contribution[s];
        const int32_t row = arrived_[s].source;
        item.reasons.push_back({row, rows_.empty() ? -1 : rows_[row].item, contribution[s]});
      }
      // A rating was cut to the range of ratings; the parts add up to what it was before.
      if (model.scenario().problem == Problem::kRating) item.score = sum;
      std::stable_sort(item.reasons.begin(), item.reasons.end(), [](const Contribution& a, const Contribution& b) {
        return std::abs(a.value) > std::abs(b.value);
      });
    }
    if (answer.served.empty())
      answer.served = model.served_adapted(session, -1) ? "adapted" : model.method_name(model.served_baseline(session));
  }

  LiveModel::Access access_;
  double adapt_seconds_ = 0;
  std::span<const LiveRow> rows_;
  TaskInput input_;
  std::vector<ArrivedRow> arrived_;
  std::vector<SupportRow> support_;
  std::vector<int32_t> exclude_;
};

}  // namespace

ListAnswer recommend(const LiveModel& model, const TaskRowsView& task, const ListRules& rules, bool explain,
                     Micros now) {
  return Answering(model, task, now).list(rules, explain);
}

ListAnswer score_items(const LiveModel& model, const TaskRowsView& task, std::span<const int32_t> items, bool explain,
                       Micros now) {
  return Answering(model, task, now).scores(items, explain);
}

ListAnswer score_rows(const LiveModel& model, const TextRows& support, const ColumnValues& description,
                      std::span<const std::string> items, bool explain, Micros now) {
  return Answering(model, support, description, now).scores(items, explain);
}

ListAnswer similar_items(const LiveModel& live, int32_t item, const ListRules& rules) {
  ListAnswer answer;
  answer.served = "similar";
  LiveModel::Access access(live);
  const BayesMember* vectors = vectors_of(access.model());
  const int32_t own = access.model_item(item);
  if (!vectors || own < 0) return answer;
  std::vector<int32_t> hidden(access.not_shown().begin(), access.not_shown().end());
  const ItemSet excluded = [&] {
    ItemSet set;
    for (const int32_t other : rules.exclude) set.set(other, true);
    return set;
  }();
  for (int32_t other = 0; other < vectors->items(); ++other) {
    const int32_t shop = access.shop_item(other);
    if (other == own || shop < 0 || excluded.contains(shop) || (rules.filter && !rules.filter->contains(shop)) ||
        std::binary_search(hidden.begin(), hidden.end(), other))
      continue;
    const double likeness = cosine(*vectors, own, other);
    answer.items.push_back({.item = shop, .score = likeness, .low = likeness, .high = likeness, .reasons = {}});
  }
  const auto wanted = std::min<int64_t>(rules.offset + rules.n, std::ssize(answer.items));
  std::partial_sort(answer.items.begin(), answer.items.begin() + wanted, answer.items.end(),
                    [](const Answered& a, const Answered& b) {
                      return a.score > b.score || (a.score == b.score && a.item < b.item);
                    });
  answer.items.resize(wanted);
  answer.items.erase(answer.items.begin(), answer.items.begin() + std::min<int64_t>(rules.offset, wanted));
  return answer;
}

}  // namespace fewshop
