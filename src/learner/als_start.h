#pragma once

#include <span>

#include "learner/baseline/baseline.h"
#include "learner/episodic_model.h"
#include "runtime/als_member.h"

namespace fewshop::learning {

constexpr double kRankRidge = 50;  // of als_of for ranks

/// What alternating least squares leaves of a fit's items (learner/baseline/als.h), with so many factors.
AlsMember::Parts als_of(const FitInput& input, int factors);

/// The embeddings of items that a model has begin as the factors of ALS, of the size that networks start with; those of
/// items that training has not `seen` as 0. Models without such embeddings stay as they are.
void start_embeddings_from_als(const FitInput& input, std::span<const int32_t> seen, EpisodicModel& model);

}  // namespace fewshop::learning
