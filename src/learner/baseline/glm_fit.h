#pragma once

#include "learner/baseline/row_matrix.h"
#include "runtime/linear_member.h"

namespace fewshop {

/// Fits the pooled part of a LinearMember to all rows: the least of
///
///   - sum of weight log p(target | intercept + weights . x)  +  ridge / 2 |weights|^2
///
/// intercepts and thresholds are not shrunk. Gaussian targets are standardised first; the noise is the variance of the
/// residuals. The size of counts follows from how much wider than a poisson they are around the fit (moments), and the
/// weights are fitted once more with it. `start` (or null) is where the search begins, for grids.
LinearMember::Parts fit_pooled(const RowMatrix& matrix, Problem problem, size_t classes, double ridge,
                               const LinearMember::Parts* start, int threads);

/// Mean over rows of k(row, row) = 1 / intercept_ridge + z . z / ridge (LinearMember).
double mean_kernel(const RowMatrix& matrix, double ridge, double intercept_ridge);

}  // namespace fewshop
