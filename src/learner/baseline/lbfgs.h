#pragma once

#include <functional>
#include <span>
#include <vector>

namespace fewshop {

/// Writes the gradient at x and returns the value; both of the same size.
using SmoothFunction = std::function<double(std::span<const double> x, std::span<double> gradient)>;

struct LbfgsOptions {
  int steps = 200;
  int memory = 10;          // pairs that the inverse Hessian is made of
  double tolerance = 1e-6;  // stops where no entry of the gradient is larger than this times (1 + |value|)
};

/// Minimises a smooth function from x, in place; returns the value. Liu, Nocedal. "On the limited memory BFGS method
/// for large scale optimization." Mathematical Programming 45, 1989; steps are halved until they lower the value
/// (Armijo).
double minimise(const SmoothFunction& function, std::vector<double>& x, const LbfgsOptions& options = {});

}  // namespace fewshop
