#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "learner/episodic_model.h"

namespace fewshop::testing {

// What tests of learners that train by episodes share. Axes: T tasks, S rows, F numbers.

struct EpisodeShape {
  int64_t tasks = 3, support = 4, query = 3, numbers = 2;
  int64_t classes = 3;  // categorical, ordinal
  at::ScalarType type = at::kDouble;
};

/// Random rows that fit a family: numbers x ~ N(0, 1), weights in [0.5, 1.5], offsets for all but classes, every second
/// task one support and one query row shorter than the others.
learning::Batch random_batch(Family family, const EpisodeShape& shape, Random random);

/// The problem whose rows random_batch draws.
learning::EpisodicProblem problem_of(Family family, const EpisodeShape& shape);

/// Rows [first, first + count) of every tensor of a batch's task axis; padding that all of them share stays.
learning::Batch some_tasks(const learning::Batch& batch, int64_t first, int64_t count);

/// The largest difference between the gradient of `query_loss` by autograd and by central differences, over all
/// parameters (at most `entries` of each tensor), relative to 1 + their size. Double only.
double gradient_error(const learning::EpisodicModel& model, const learning::Batch& batch, int64_t entries = 12,
                      double step = 1e-5);

/// Plain Adam on query_loss (or outer_gradient), without shards, averages or schedules but a cosine.
struct PlainTraining {
  int steps = 1000;
  double lr = 0.01;
};
void train(learning::EpisodicModel& model, const std::function<learning::Batch(int step)>& batch,
           const PlainTraining& options);

}  // namespace fewshop::testing
