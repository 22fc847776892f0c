#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

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
  Tensor item;    // [T, S] int64, index into the item table (0 where padded)
  Tensor target;  // [T, S]; empty for query rows when serving
  Tensor mask;    // [T, S] 1 = a row, 0 = padding
  Tensor kind;    // [T, S] int64, kind of event
  Tensor age;     // [T, S] seconds before the query
  Tensor weight;  // [T, S] importance
};

/// What is known of each task before any example.
struct Task {
  Tensor description;  // [T] int64, row of the task features; -1 = nothing known
  Tensor known;        // [T] int64, index of a task seen in training, -1 = new (all validation and test tasks)
};

/// The state that adapting produces: named tensors [T, ...].
using Adapted = std::map<std::string, Tensor>;

/// A predictive distribution per query row; parameters are [T, Q].
struct Distribution {
  Family family = Family::kGaussian;
  std::map<std::string, Tensor> parameters;  // names as in runtime/family.h

  const Tensor& mean() const { return parameters.at("mean"); }
  const Tensor& variance() const { return parameters.at("variance"); }
  /// Gaussian only; p in (0, 1).
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
