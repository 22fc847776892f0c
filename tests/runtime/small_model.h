#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "feature/entity_columns.h"
#include "runtime/bayes_member.h"
#include "runtime/bias_member.h"
#include "runtime/item_item_member.h"
#include "runtime/model.h"
#include "runtime/popularity_member.h"

namespace fewshop::testing {

/// A model with random numbers in it and every part that a trained one has: bayes, baselines, stack, gate, encoders.
/// Items are called "item-0", "item-1", ...; their one feature is "colour" (red, green, blue in turn), that of a task
/// "age".
/// The gate is shut without support (the first baseline is served) and open from one group on.
struct SmallModelOptions {
  Problem problem = Problem::kRanking;
  int items = 1500;  // above 700, so that recommending goes by candidates
  int d = 16;
  float low = 1, high = 5;   // range of ratings, to which predictions are cut
  bool exclude_seen = true;  // ranks: false = what is in the support may be an answer
  bool events = false;       // rows have a time, a kind of event and a weight
  bool by_time = true;       // with events: that time orders them, else they have a random order
  bool live = false;         // rows have a time and a kind of event, and [live] says how events become rows
  int support_max = 100;
  int centres = 0;           // > 0: item vectors lie around so many centres, as those of like products do
  std::string name = {};     // of the scenario; "" = small-ranking, small-rating
  std::string version = {};  // of the seed: models of another version answer differently
};

inline std::shared_ptr<Model> small_model(const SmallModelOptions& options = {}) {
  Random random = options.version.empty() ? Random(7) : Random(7).fork(options.version);
  const bool ranking = options.problem == Problem::kRanking;
  const int n = options.items, head = ranking ? options.d : options.d + 1;
  const auto numbers = [&](size_t count, double scale) {
    std::vector<float> values(count);
    for (float& x : values) x = static_cast<float>(scale * random.normal());
    return values;
  };

  BayesMember::Arrays a;
  a.ranking = ranking;
  a.head = head;
  a.raw = options.d;
  a.vectors = numbers(static_cast<size_t>(n) * head, 1 / std::sqrt(head));
  if (options.centres > 0) {
    const auto centres = numbers(static_cast<size_t>(options.centres) * head, 4 / std::sqrt(head));
    for (size_t i = 0; i < a.vectors.size(); ++i)
      a.vectors[i] = 0.3F * a.vectors[i] + centres[(i / head % options.centres) * head + i % head];
  }
  a.bias = numbers(n, 0.3);
  if (ranking) {
    a.learned.assign(n, 1);
    a.vector_variance = 0.5F;
    a.bias_variance = 0.1F;
  }
  a.offset = ranking ? 0 : 3.5f;
  a.noise = ranking ? 0 : 0.8f;
  a.prior = numbers(head, 0.2);
  a.prior_weight = numbers(2 * head, 0.2);
  a.target_scale = {1, 0.5f};
  a.precision = {2, 1};
  a.decay = {0.01f, 0.02f};
  a.repeat.assign(a.decay.size(), a.ranking ? 0.5F : 0);
  a.repeat_decay.assign(a.decay.size(), 0.01F);
  a.item_weight = numbers(3 * (options.d + 1), 0.5);
  a.whitening.assign(static_cast<size_t>(head) * head, 0.0);
  for (int i = 0; i < head; ++i) a.whitening[i * head + i] = 1.5;
  a.item_inputs = {0, 3};
  a.description_inputs = {0, 2};

  Model::Parts parts;
  Scenario& s = parts.scenario;
  s.name = !options.name.empty() ? options.name : ranking ? "small-ranking" : "small-rating";
  s.problem = options.problem;
  s.rows.table = "events";
  s.task = {"user_id"};
  s.item = "item_id";
  if (!ranking) s.target = "rating";
  s.items.table = "items";
  s.items_key = "item_id";
  s.tasks.table = "users";
  s.tasks_key = "user_id";
  s.features = {{"items.colour", FeatureType::kCategory, "|", true}, {"tasks.age", FeatureType::kCategory, "|", true}};
  s.exclude_seen = options.exclude_seen;
  s.episode.shots = {{0, 0}, {1, 0}};
  if (options.events) {
    s.time = "time";
    s.event = "event";
    s.weight = "weight";
    s.episode.by_time = options.by_time;
  }
  s.episode.support_max = options.support_max;
  if (options.live) {
    s.time = "time";
    s.event = "event";
    s.episode.by_time = true;
    if (ranking) {
      s.live_events["purchase"] = s.live_events["view_item"] = 1;
    } else {
      s.live_events["purchase"] = 4.5;
      s.live_events["view_item"] = "rating";
    }
  }
  s.metrics = {ranking ? "ndcg@10" : "mae"};
  const auto encoder = [](const char* name, std::vector<std::string> words) {
    ColumnEncoder e;
    e.spec = {name, FeatureType::kCategory, "|", true};
    e.vocabulary = std::move(words);
    e.build_index();
    return e;
  };
  parts.encoders.items = {encoder("items.colour", {"red", "green", "blue"})};
  parts.encoders.tasks = {encoder("tasks.age", {"young", "old"})};
  parts.kinds = {"purchase", "view_item"};
  for (int i = 0; i < n; ++i) {
    parts.item_ids.push_back("item-" + std::to_string(i));
    parts.item_counts.push_back(static_cast<int32_t>(random.below(200)));
  }

  if (options.live) {
    EntityColumns colours({0, {{"items.colour", 0, 3, {}, {}, {}}}, {}});
    for (int32_t i = 0; i < n; ++i) {
      const int32_t colour = i % 3;
      colours.append(std::vector<ColumnView>{{{}, {&colour, 1}}});
    }
    const auto kept = std::make_shared<EntityColumns>(colours.columns());
    parts.item_features = kept->columns();
    parts.item_features->storage = {kept};
  }

  parts.members.push_back(std::make_unique<BayesMember>(std::move(a)));
  if (ranking) {
    std::vector<float> log_share;
    for (const int32_t count : parts.item_counts) log_share.push_back(std::log((count + 1.0f) / (100.0f * n)));
    parts.members.push_back(std::make_unique<PopularityMember>(log_share, std::log(1 / (100.0f * n))));
    ItemItemMember::Parts knn;
    knn.name = "item-knn";
    knn.prior.assign(n, 0.0f);
    knn.kept = 0.75f;
    for (int i = 0; i < n; ++i) {
      for (int j = i + 1; j < std::min(n, i + 30); ++j) {
        knn.weights.column.push_back(j);
        knn.weights.value.push_back(static_cast<float>(random.uniform()));
      }
      knn.weights.offsets.push_back(static_cast<int64_t>(knn.weights.column.size()));
    }
    parts.members.push_back(std::make_unique<ItemItemMember>(std::move(knn)));
  } else {
    const auto bias = numbers(n, 0.4);
    parts.members.push_back(std::make_unique<BiasMember>(BiasMember::Parts{"item-mean", 3.5f, -1, bias}));
    parts.members.push_back(std::make_unique<BiasMember>(BiasMember::Parts{"bias", 3.5f, 5, bias}));
  }
  for (size_t m = 1; m < parts.members.size(); ++m) parts.baselines.emplace_back(parts.members[m]->name());
  s.baselines = parts.baselines;
  parts.best_baseline = parts.baselines.front();
  parts.learner = "bayes";
  parts.stack.members = {0, 1, 2};
  parts.stack.coefficient = numbers(kItemCells * 4 * Stack::kBasis, 0.05);
  for (int cell = 0; cell < kItemCells; ++cell) {  // about 0.6, 0.2, 0.2 and no intercept
    for (int m = 0; m < 3; ++m) parts.stack.coefficient[(cell * 4 + m) * Stack::kBasis] += m == 0 ? 0.6f : 0.2f;
  }
  parts.stack.log_variance = ranking ? std::vector<float>{} : numbers(kItemCells * Stack::kBasis, 0.1);
  parts.gate.sizes = {0, 1, 5};
  parts.gate.baseline = {1, 2, 2};
  parts.gate.open.assign(3 * kItemCells, 1);
  std::fill_n(parts.gate.open.begin(), kItemCells, 0);
  parts.target_low = ranking ? 0.0f : options.low;
  parts.target_high = ranking ? 1.0f : options.high;
  parts.manifest["seed"] = 7;
  if (ranking) parts.manifest["candidate_recall"] = 0.975;
  return std::make_shared<Model>(std::move(parts));
}

}  // namespace fewshop::testing
