#include "runtime/stack.h"

#include <algorithm>
#include <cmath>

namespace fewshop {

int item_cell(int32_t count) { return count <= 0 ? 0 : count <= 5 ? 1 : count <= 20 ? 2 : count <= 100 ? 3 : 4; }

std::array<double, Stack::kBasis> Stack::basis(double support) {
  // Two saturating ramps: one that has risen by a few examples, one that rises over tens of them.
  return {1.0, support / (support + 3.0), support / (support + 30.0)};
}

void Stack::weights(double support, int cell, std::span<double> out) const {
  const auto b = basis(support);
  const size_t width = members.size() + 1;
  for (size_t m = 0; m < width; ++m) {
    const float* c = coefficient.data() + (cell * width + m) * kBasis;
    out[m] = b[0] * c[0] + b[1] * c[1] + b[2] * c[2];
  }
}

double Stack::variance(double support, int cell) const {
  if (log_variance.empty()) return 1;
  const auto b = basis(support);
  const float* c = log_variance.data() + cell * kBasis;
  return std::exp(b[0] * c[0] + b[1] * c[1] + b[2] * c[2]);
}

int Gate::entry(int support) const {
  const auto above = std::upper_bound(sizes.begin(), sizes.end(), support);
  return above == sizes.begin() ? 0 : static_cast<int>(above - sizes.begin()) - 1;
}

bool Gate::adapted(int support, int cell) const {
  if (!enabled || sizes.empty()) return true;
  return open[entry(support) * kItemCells + cell] != 0;
}

}  // namespace fewshop
