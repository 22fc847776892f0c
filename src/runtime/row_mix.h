#pragma once

#include <span>
#include <vector>

namespace fewshop {

/// The weights of an opinion pool over members, which depend smoothly on the support size k:
///
///   w_m(k) = softmax over m of sum over b of basis_b(k) coefficient[m][b]     (basis as Stack's)
///
/// k counts groups of support rows. docs/row-problems.md has the fit.
struct RowMix {
  std::vector<int> members;        // indices into the model's members
  std::vector<float> coefficient;  // [members, Stack::kBasis]

  bool empty() const { return members.empty(); }
  /// Weights [members] at a support size: above 0, adding up to 1.
  void weights(double support, std::span<double> out) const;
};

}  // namespace fewshop
