#pragma once

#include "core/options.h"

namespace fewshop {

// Constants of the baselines. What a grid holds, what `learner.*` of a scenario sets, and what the catalogue lists are
// these fields. docs/baselines.md has the formulas.

struct GlobalMeanOptions {};

template <class Visitor>
void fields(GlobalMeanOptions&, Visitor&&) {}

struct ItemMeanOptions {
  double item_shrink = 3;
};

template <class Visitor>
void fields(ItemMeanOptions& o, Visitor&& visit) {
  visit("item_shrink", o.item_shrink, Field{0, 1e6, "ratings of the global mean that are added to every item"});
}

struct BiasOptions {
  double item_shrink = 3;
  double user_shrink = 5;
};

template <class Visitor>
void fields(BiasOptions& o, Visitor&& visit) {
  visit("item_shrink", o.item_shrink, Field{0, 1e6, "ratings of the global mean that are added to every item"});
  visit("user_shrink", o.user_shrink, Field{0, 1e6, "ratings without deviation that are added to every user"});
}

struct RatingKnnOptions {
  double item_shrink = 3;
  double user_shrink = 5;
  double similarity_shrink = 100;
  double shrink = 0.3;
  int keep = 200;
  int max_items = 20'000;
};

template <class Visitor>
void fields(RatingKnnOptions& o, Visitor&& visit) {
  visit("item_shrink", o.item_shrink, Field{0, 1e6, "ratings of the global mean that are added to every item"});
  visit("user_shrink", o.user_shrink, Field{0, 1e6, "ratings without deviation that are added to every user"});
  visit("similarity_shrink", o.similarity_shrink,
        Field{0, 1e6, "users without correlation that are added to every pair of items"});
  visit("shrink", o.shrink, Field{0, 1e6, "similarity to an item without deviation that is added to every mean"});
  visit("keep", o.keep, Field{1, 1e6, "most similar items kept for every item"});
  visit("max_items", o.max_items, Field{1, 1e7, "most frequent items that have similarities"});
}

struct RankingKnnOptions {
  double shrink = 20;
  double self = 0;
  double repeat_power = 0;
  int keep = 200;
  int max_items = 20'000;
  bool per_scored_item = false;
};

template <class Visitor>
void fields(RankingKnnOptions& o, Visitor&& visit) {
  visit("shrink", o.shrink, Field{0, 1e6, "added to the denominator of the cosine"});
  visit("self", o.self, Field{0, 100, "weight of an item for itself; above 0 where items come again"});
  visit("repeat_power", o.repeat_power, Field{0, 1, "n support rows of an item count n to this power"});
  visit("keep", o.keep, Field{1, 1e6, "largest weights kept for every item"});
  visit("max_items", o.max_items, Field{1, 1e7, "most frequent items that have weights"});
  visit("per_scored_item", o.per_scored_item,
        Field{0, 1, "keep the largest weights into every scored item, not out of every support item"});
}

struct EaseOptions {
  double ridge = 1000;
  double self = 0;
  double repeat_power = 0;
  int keep = 200;
  int max_items = 20'000;
  bool dense = false;
};

template <class Visitor>
void fields(EaseOptions& o, Visitor&& visit) {
  visit("ridge", o.ridge, Field{1e-3, 1e9, "ridge (lambda)"});
  visit("self", o.self, Field{0, 100, "weight of an item for itself; above 0 where items come again"});
  visit("repeat_power", o.repeat_power, Field{0, 1, "n support rows of an item count n to this power"});
  visit("keep", o.keep, Field{1, 1e6, "largest weights kept for every item"});
  visit("max_items", o.max_items, Field{1, 1e5, "most frequent items that have weights; memory grows with its square"});
  visit("dense", o.dense, Field{0, 1, "keep all weights, not only the largest"});
}

struct AlsOptions {
  int factors = 8;
  int sweeps = 10;
  double ridge = 8;
  double item_ridge = 3;
  double user_ridge = 5;
  double content_ridge = 3;
  bool content_prior = true;
};

template <class Visitor>
void fields(AlsOptions& o, Visitor&& visit) {
  visit("factors", o.factors, Field{1, 256, "factors of users and items"});
  visit("sweeps", o.sweeps, Field{1, 1000, "times that users and items are solved for in turn"});
  visit("ridge", o.ridge, Field{1e-6, 1e6, "ridge of the factors"});
  visit("item_ridge", o.item_ridge, Field{1e-6, 1e6, "ridge of the item biases"});
  visit("user_ridge", o.user_ridge, Field{1e-6, 1e6, "ridge of the user biases"});
  visit("content_ridge", o.content_ridge, Field{1e-6, 1e6, "ridge of the map from item features to factors"});
  visit("content_prior", o.content_prior,
        Field{0, 1, "shrink the factors of an item to what its features say, not to 0"});
}

struct ImplicitAlsOptions {
  int factors = 32;
  int sweeps = 10;
  double alpha = 10;
  double ridge = 50;
  double content_ridge = 10;
};

template <class Visitor>
void fields(ImplicitAlsOptions& o, Visitor&& visit) {
  visit("factors", o.factors, Field{1, 256, "factors of users and items"});
  visit("sweeps", o.sweeps, Field{1, 1000, "times that users and items are solved for in turn"});
  visit("alpha", o.alpha, Field{0, 1e6, "confidence that one event adds"});
  visit("ridge", o.ridge, Field{1e-6, 1e6, "ridge of the factors"});
  visit("content_ridge", o.content_ridge, Field{1e-6, 1e6, "ridge of the map from item features to factors"});
}

struct PopularityOptions {
  double smoothing = 1;
  bool per_task = false;
};

template <class Visitor>
void fields(PopularityOptions& o, Visitor&& visit) {
  visit("smoothing", o.smoothing, Field{1e-9, 1e6, "rows that are added to every item"});
  visit("per_task", o.per_task, Field{0, 1, "count the tasks that have an item, not their rows"});
}

struct SessionKnnOptions {
  int sample = 1000;
  int neighbours = 500;
  double recency_decay = 0.5;
  double before = 0.7;
  double distance_decay = 0.3;
};

template <class Visitor>
void fields(SessionKnnOptions& o, Visitor&& visit) {
  visit("sample", o.sample, Field{1, 1e7, "newest sessions of an item that are looked at"});
  visit("neighbours", o.neighbours, Field{1, 1e6, "most similar sessions that vote"});
  visit("recency_decay", o.recency_decay,
        Field{0, 100, "the weight of a support row falls by exp of minus this with every later group"});
  visit("before", o.before,
        Field{0, 100, "weight of what stood before the shared item in a session, beside what came after"});
  visit("distance_decay", o.distance_decay, Field{0, 100, "how fast votes fall with the distance to the shared item"});
}

/// Options of type T with a grid entry's values in place.
template <class T>
T read_constants(const nlohmann::json& constants, const char* baseline) {
  T options;
  set_fields(options, constants, baseline);
  return options;
}

}  // namespace fewshop
