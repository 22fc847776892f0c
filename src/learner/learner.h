#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/network_input.h"
#include "runtime/family.h"
#include "task/dataset.h"

// The interface of everything that learns across tasks, in its batched torch form. Only this room and nn include
// libtorch; what answers at serving time is the plain-array form in runtime (Member).
//
// Axes: T tasks, S support rows, Q query rows, D head size, I items.

namespace fewshop::learning {

using at::Tensor;

/// T tasks padded to the longest; every tensor has a leading task axis. Padding never changes a result.
struct Rows {
  nn::NetworkInput x;  // what networks read of each row; empty for learners that read items alone
  Tensor row;          // [T, S] int64, row of the dataset (0 where padded); undefined when serving
  Tensor item;         // [T, S] int64, index into the item table (0 where padded)
  Tensor target;       // [T, S]; empty for query rows when serving
  Tensor mask;         // [T, S] 1 = a row, 0 = padding
  Tensor kind;         // [T, S] int64, kind of event
  Tensor age;          // [T, S] seconds before the query
  Tensor weight;       // [T, S] importance
  Tensor offset;       // [T, S] what is added to the link value before learning (a shrunk item bias); undefined = 0
};

/// What is known of each task before any example.
struct Task {
  Tensor description;  // [T] int64, row of the task features; -1 = nothing known
  Tensor known;        // [T] int64, index of a task seen in training, -1 = new (all validation and test tasks)
  std::shared_ptr<const nn::InputTable> descriptions = nullptr;  // the task features; null = there are none
};

/// The state that adapting produces: named tensors [T, ...].
using Adapted = std::map<std::string, Tensor>;

/// A predictive distribution per query row.
///
///   gaussian           mean, variance [T, Q]
///   scores             mean (the score), variance [T, Q]
///   bernoulli          logit [T, Q]
///   categorical        logits [T, Q, C]
///   ordinal            probabilities [T, Q, C], classes in rising order
///   poisson            log_rate [T, Q]
///   negative-binomial  log_mean [T, Q], log_dispersion [T, Q]: variance = mean + mean^2 / dispersion
///
/// Targets are values; of classes their numbers 0 .. C - 1.
struct Distribution {
  Family family = Family::kGaussian;
  std::map<std::string, Tensor> parameters;

  /// [T, Q]: the expected target; of categorical and ordinal the expected class number.
  Tensor mean() const;
  Tensor variance() const;
  /// [T, Q, C] of bernoulli (C = 2), categorical and ordinal.
  Tensor probabilities() const;
  /// Gaussian: the quantile; others: the smallest target whose cumulative probability reaches p. p in (0, 1).
  Tensor quantile(double p) const;
  Tensor log_prob(const Tensor& target) const;
  Tensor sample(uint64_t seed) const;
};

/// What a learner produced, immutable.
class Model {
 public:
  virtual ~Model() = default;
  virtual Adapted adapt(const Rows& support, const Task& task) const = 0;
  virtual Distribution predict(const Adapted& adapted, const Rows& query) const = 0;
};

// Optional abilities of a model, found by dynamic_cast.

/// score = prior [T, Q] + sum over support rows of evidence [T, Q, S].
class Explains {
 public:
  struct Explanation {
    Tensor prior, evidence;
  };
  virtual ~Explains() = default;
  virtual Explanation explain(const Adapted& adapted, const Rows& query) const = 0;
};

/// Scores are item_bias[i] + query_vector . item_vector[i].
class HasQueryVectors {
 public:
  virtual ~HasQueryVectors() = default;
  virtual Tensor query_vectors(const Adapted& adapted) const = 0;  // [T, D]
};

/// Item vectors computed once.
class Encodes {
 public:
  virtual ~Encodes() = default;
  virtual Tensor item_vectors() const = 0;  // [I, D]
  virtual Tensor item_bias() const = 0;     // [I]
};

/// Joint draws of the head: [draws, T, D].
class Samples {
 public:
  virtual ~Samples() = default;
  virtual Tensor sample_heads(const Adapted& adapted, int draws, uint64_t seed) const = 0;
};

/// An adapted state takes one more row per task (S = 1) and equals adapting to all rows at once.
class Online {
 public:
  virtual ~Online() = default;
  virtual Adapted update(const Adapted& adapted, const Rows& row) const = 0;
};

/// Support and query of some episodes as padded tensors.
struct Batch {
  Rows support, query;
  Task task;
};
Batch make_batch(const Dataset& data, std::span<const Episode> episodes, at::ScalarType type = at::kFloat);

}  // namespace fewshop::learning
