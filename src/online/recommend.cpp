#include "online/recommend.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <tuple>

#include "runtime/bayes_member.h"
#include "task/task_input.h"

namespace fewshop {
namespace {

constexpr int kMoreForCaps = 50;

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

/// By what a model has learned of items; empty where it has learned no vectors.
Likeness likeness_of(const LiveModel::Access& access) {
  const BayesMember* vectors = access.vectors();
  if (!vectors) return {};
  return [&access, vectors](const Answered& a, const Answered& b) {
    const int32_t x = access.model_item(a.item), y = access.model_item(b.item);
    return x >= 0 && y >= 0 ? cosine(*vectors, x, y) : 0;
  };
}

/// One question to a model, from support to list.
class Answering {
 public:
  /// `live`: a model, or a hold on one.
  template <class Live>
  Answering(const Live& live, const TaskRowsView& task, Micros now) : access_(live), rows_(task.rows) {
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

  /// What may be in a list under the rules, and how many items to look at first. Before list().
  void begin(const ListRules& rules) {
    exclude(rules);
    const auto items = static_cast<int64_t>(access_.model().item_ids().size());
    passing_ = static_cast<int>(items - excluded_.count(items));
    const int wanted = rules.wanted();
    fetch_ = rules.caps.empty() ? wanted : 4 * wanted + kMoreForCaps;
    if (rules.diversity > 0) {
      const int window = diversity_window(rules);
      fetch_ = (fetch_ + window - 1) / window * window;
    }
    fetch_ = std::min(passing_, fetch_);
  }

  /// The search that list() will begin with.
  Model::ListSought sought() { return {&access_.session(), fetch_, &excluded_}; }

  ListAnswer list(const ListRules& rules, bool explain) {
    ListAnswer answer;
    answer.support = static_cast<int32_t>(support_.size());
    answer.adapt_seconds = adapt_seconds_;
    const int wanted = rules.wanted();
    const Likeness likeness = rules.diversity > 0 ? likeness_of(access_) : Likeness();
    std::vector<Answered> chosen;
    while (true) {
      const std::vector<Answered> pool = rules.boosts.empty() ? best(fetch_) : boosted(rules.boosts, fetch_);
      chosen = choose(pool, rules, likeness);
      // Caps may have left out so many that the list is short of what there is.
      if (std::ssize(chosen) >= wanted || fetch_ >= passing_) break;
      fetch_ = static_cast<int>(std::min<int64_t>(passing_, int64_t{4} * fetch_));
    }
    finish_page(chosen, rules);
    for (Answered& item : chosen)
      if (item.pinned) item.model_item = access_.model_item(item.item);
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
  /// What may not be in the list, by the model's numbers.
  void exclude(const ListRules& rules) {
    excluded_ = access_.not_shown();
    const auto add = [&](int32_t model_item) { excluded_.set(model_item, true); };
    const auto items = std::ssize(access_.model().item_ids());
    if (rules.filter) excluded_.add_absent(*access_.passing(rules.filter), items);
    const int64_t unnamed = excluded_.count(items);
    if (access_.model().scenario().exclude_seen && !rules.include_seen)
      for (const SupportRow& row : support_) add(row.item);
    for (const int32_t item : rules.exclude) add(access_.model_item(item));
    for (const Pin& pin : rules.pins) add(access_.model_item(pin.item));
    access_.session().left_out = {static_cast<int>(excluded_.count(items) - unnamed), rules.filter != nullptr};
  }

  std::vector<Answered> best(int n) {
    std::vector<Model::Scored> scored;
    access_.model().recommend(access_.session(), n, excluded_, scored);
    std::vector<Answered> pool;
    for (const Model::Scored& s : scored)
      pool.push_back({.item = access_.shop_item(s.item),
                      .model_item = s.item,
                      .score = s.score,
                      .low = s.low,
                      .high = s.high,
                      .scored = true,
                      .reasons = {}});
    return pool;
  }

  /// With boosts every passing item is scored: what a boost lifts may stand anywhere.
  std::vector<Answered> boosted(const std::vector<Boost>& boosts, int n) {
    std::vector<int32_t> items;
    excluded_.each_absent(std::ssize(access_.model().item_ids()), [&](int32_t item) { items.push_back(item); });
    std::vector<float> score(items.size());
    access_.model().score(access_.session(), Model::kServed, items, score, {});
    const Booster booster(boosts, std::vector<double>(score.begin(), score.end()));
    std::vector<Answered> pool;
    for (size_t i = 0; i < items.size(); ++i) {
      const int32_t shop_item = access_.shop_item(items[i]);
      pool.push_back({.item = shop_item,
                      .model_item = items[i],
                      .score = score[i],
                      .boost = booster.of(shop_item),
                      .reasons = {}});
    }
    const auto keep = std::min<int64_t>(n, std::ssize(pool));
    std::partial_sort(pool.begin(), pool.begin() + keep, pool.end(), [](const Answered& a, const Answered& b) {
      const double x = a.score + a.boost, y = b.score + b.boost;
      return x > y || (x == y && a.item < b.item);
    });
    pool.resize(keep);
    return pool;
  }

  /// Scores and intervals that are not there yet, and where asked for what scores are made of.
  void finish(ListAnswer& answer, bool explain) {
    score_rest(answer.items);
    const Model& model = access_.model();
    ModelSession& session = access_.session();
    const std::string baseline = model.method_name(model.served_baseline(session));
    std::vector<double> contribution(support_.size());
    for (Answered& item : answer.items) {
      const std::string served = model.served_adapted(session, item.model_item) ? "adapted" : baseline;
      answer.served = answer.served.empty() || answer.served == served ? served : "mixed";
      item.link = item.score;
      answer.new_items = answer.new_items || item.model_item < 0 || model.item_counts()[item.model_item] == 0;
      if (explain) this->explain(item, contribution);
    }
    if (answer.served.empty()) answer.served = model.served_adapted(session, -1) ? "adapted" : baseline;
  }

  void score_rest(std::vector<Answered>& items) {
    std::vector<int32_t> rest;
    for (const Answered& item : items)
      if (!item.scored) rest.push_back(item.model_item);
    if (rest.empty()) return;
    std::vector<float> score(rest.size()), variance(rest.size());
    access_.model().score(access_.session(), Model::kServed, rest, score, variance);
    size_t next = 0;
    for (Answered& item : items) {
      if (item.scored) continue;
      item.score = score[next];
      std::tie(item.low, item.high) = Model::interval(score[next], variance[next]);
      item.scored = true;
      ++next;
    }
  }

  void explain(Answered& item, std::vector<double>& contribution) {
    item.prior = access_.model().explain(access_.session(), Model::kServed, item.model_item, contribution);
    item.link = item.prior;
    for (size_t s = 0; s < contribution.size(); ++s) {
      item.link += contribution[s];
      const int32_t row = arrived_[s].source;
      item.reasons.push_back({row, rows_.empty() ? -1 : rows_[row].item, contribution[s]});
    }
    std::stable_sort(item.reasons.begin(), item.reasons.end(), [](const Contribution& a, const Contribution& b) {
      return std::abs(a.value) > std::abs(b.value);
    });
  }

  LiveModel::Access access_;
  double adapt_seconds_ = 0;
  int passing_ = 0, fetch_ = 0;  // items that may be in the list; how many of the best are looked at
  std::span<const LiveRow> rows_;
  TaskInput input_;
  std::vector<ArrivedRow> arrived_;
  std::vector<SupportRow> support_;
  ItemSet& excluded_ = access_.session().excluded;
};

}  // namespace

ListAnswer recommend(const LiveModel& model, const TaskRowsView& task, const ListRules& rules, bool explain,
                     Micros now) {
  Answering answering(model, task, now);
  answering.begin(rules);
  return answering.list(rules, explain);
}

std::vector<ListAnswer> recommend(const LiveModel& model, std::span<const ListTask> tasks, Micros now) {
  const LiveModel::Hold hold(model);
  std::deque<Answering> answering;
  for (const ListTask& task : tasks) answering.emplace_back(hold, task.task, now).begin(task.rules);
  std::vector<Model::ListSought> sought;
  for (size_t i = 0; i < tasks.size(); ++i)
    if (tasks[i].rules.boosts.empty()) sought.push_back(answering[i].sought());
  hold.model().seek(sought);
  std::vector<ListAnswer> answers;
  for (size_t i = 0; i < tasks.size(); ++i) answers.push_back(answering[i].list(tasks[i].rules, tasks[i].explain));
  return answers;
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
  const BayesMember* vectors = access.vectors();
  const int32_t own = access.model_item(item);
  if (!vectors || own < 0) return answer;
  std::vector<Candidate> candidates;
  const ItemSet& not_shown = access.not_shown();
  for (int32_t other = 0; other < vectors->items(); ++other) {
    const int32_t shop = access.shop_item(other);
    if (other == own || shop < 0 || not_shown.contains(other)) continue;
    candidates.push_back({shop, cosine(*vectors, own, other)});
  }
  answer.items = rank_candidates(std::move(candidates), rules, likeness_of(access));
  return answer;
}

std::vector<Answered> rank_candidates(std::vector<Candidate> candidates, const ListRules& rules,
                                      const LiveModel& model) {
  const LiveModel::Access access(model);
  return rank_candidates(std::move(candidates), rules, likeness_of(access));
}

}  // namespace fewshop
