#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "runtime/model.h"

namespace fewshop::testing {

// What a whole model promises (runtime/model.h, docs/runtime.md), checked for every method: served, adapted, each
// member.

/// Everything that a model says about one task, as bits.
struct Answers {
  std::vector<uint32_t> scores;        // [methods, items + 1] scores, scores with variance, variances; scores of all
  std::vector<uint64_t> explanations;  // [methods, items asked, 1 + support rows]
  std::vector<int64_t> recommended;    // item, score, low, high
  std::vector<int> served;             // [items + 1] whether adapted; then the baseline
  bool operator==(const Answers&) const = default;
};

inline void append_bits(std::vector<uint32_t>& out, const std::vector<float>& values) {
  for (const float x : values) out.push_back(std::bit_cast<uint32_t>(x));
}

/// Items that are explained: all of them in a small shop, else every so many; one that the model does not know.
inline std::vector<int32_t> asked_items(const Model& model) {
  const auto items = static_cast<int32_t>(model.item_ids().size());
  std::vector<int32_t> asked;
  for (int32_t item = 0; item < items; item += std::max(1, items / 100)) asked.push_back(item);
  asked.push_back(items + 5);
  return asked;
}

inline Answers answers(const Model& model, ModelSession& session, const TaskView& task,
                       std::span<const int32_t> exclude = {}) {
  Answers out;
  model.adapt(task, session);
  const size_t items = model.item_ids().size();
  std::vector<int32_t> all(items + 1);  // the last one is unknown to the model
  std::iota(all.begin(), all.end(), 0);
  std::vector<float> score(all.size()), variance(all.size());
  std::vector<double> contribution(task.support.size());
  for (int method = 0; method < model.methods(); ++method) {
    model.score(session, method, all, score, {});
    append_bits(out.scores, score);
    model.score(session, method, all, score, variance);
    append_bits(out.scores, score);
    append_bits(out.scores, variance);
    if (model.scenario().problem == Problem::kRanking) {
      score.resize(items);
      model.score_all(session, method, score);
      append_bits(out.scores, score);
      score.resize(all.size());
    }
    for (const int32_t item : asked_items(model)) {
      const double prior = model.explain(session, method, item, contribution);
      out.explanations.push_back(std::bit_cast<uint64_t>(prior));
      for (const double part : contribution) out.explanations.push_back(std::bit_cast<uint64_t>(part));
    }
  }
  for (const int32_t item : all) out.served.push_back(model.served_adapted(session, item));
  out.served.push_back(model.served_baseline(session));
  model.adapt_served(task, session);
  std::vector<Model::Scored> best;
  model.recommend(session, 30, ItemSet::of(exclude), best);
  for (const auto& s : best) {
    out.recommended.push_back(s.item);
    for (const float x : {s.score, s.low, s.high}) out.recommended.push_back(std::bit_cast<int32_t>(x));
  }
  return out;
}

/// One session adapts with a row and then without it: every answer has the bits of a session that never saw the row.
/// The rows that stay keep their ages and groups.
inline void expect_model_forgets(const Model& model, const std::vector<SupportRow>& support,
                                 std::span<const ColumnView> description) {
  const auto used = model.session();
  for (size_t out = 0; out < support.size(); ++out) {
    auto rest = support;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(out));
    const auto fresh = model.session();
    const Answers never = answers(model, *fresh, {rest, description});
    const Answers with = answers(model, *used, {support, description});
    const Answers without = answers(model, *used, {rest, description});
    EXPECT_TRUE(without == never) << "row " << out << " of " << support.size() << " left a trace";
    EXPECT_NE(with.explanations.size(), without.explanations.size());
  }
}

/// prior + contributions against the score that ranks, for every method and item, relative to |prior| + sum of
/// |contribution|. The model must not clip: `target_low` and `target_high` beyond every score. Returns the largest.
inline double largest_explanation_error(const Model& model, const std::vector<SupportRow>& support,
                                        std::span<const ColumnView> description) {
  const auto session = model.session();
  model.adapt({support, description}, *session);
  double largest = 0;
  std::vector<double> contribution(support.size());
  for (int method = 0; method < model.methods(); ++method) {
    double worst = 0;
    int32_t worst_item = -1;
    std::vector<int32_t> items(model.item_ids().size() + 1);
    std::iota(items.begin(), items.end(), 0);
    std::vector<float> score(items.size());
    model.score(*session, method, items, score, {});
    for (const int32_t item : items) {
      const double prior = model.explain(*session, method, item, contribution);
      double sum = prior, magnitude = std::abs(prior);
      for (const double part : contribution) {
        sum += part;
        magnitude += std::abs(part);
      }
      const double error = std::abs(score[item] - sum);
      if (error <= worst * magnitude) continue;
      worst = magnitude > 0 ? error / magnitude : INFINITY;
      worst_item = item;
    }
    EXPECT_LE(worst, 1e-6) << model.method_name(method) << ", item " << worst_item << " of " << items.size() << ", "
                           << support.size() << " support rows";
    largest = std::max(largest, worst);
  }
  return largest;
}

}  // namespace fewshop::testing
