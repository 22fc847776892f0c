#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fewshop {

/// How often an item was seen in training: 0, 1-5, 6-20, 21-100, more.
inline constexpr int kItemCells = 5;
int item_cell(int32_t count);

/// Mixes the members' scores with weights that depend smoothly on the support size k and on the item's cell c.
///
///   score(task, item) = a(k, c) + sum over members m of w_m(k, c) s_m(item)
///   w_m(k, c) = sum over b of basis_b(k) coefficient[c][m][b],   a likewise with m = members
///
/// k counts groups of support rows (rows where the scenario has no ties). docs/stack-and-gate.md has the fit.
struct Stack {
  static constexpr int kBasis = 3;
  static std::array<double, kBasis> basis(double support);

  std::vector<int> members;         // indices into the model's members
  std::vector<float> coefficient;   // [kItemCells, members + 1, kBasis]
  std::vector<float> log_variance;  // [kItemCells, kBasis] log of the factor that calibrates the learner's variance

  bool empty() const { return members.empty(); }
  /// Weights [members + 1] at a support size in a cell; the last one is the intercept.
  void weights(double support, int cell, std::span<double> out) const;
  /// What the learner's predictive variance is multiplied by.
  double variance(double support, int cell) const;
};

/// Where adapting is served, and which baseline where not. docs/stack-and-gate.md has the rule.
struct Gate {
  std::vector<int> sizes;     // support sizes (groups) the rule was fitted at, ascending
  std::vector<int> baseline;  // [sizes] best baseline there: index into the model's members
  std::vector<uint8_t> open;  // [sizes, kItemCells]
  bool enabled = true;        // false: always adapted

  /// The entry of `sizes` that decides for a support of k groups: the largest not above k (the first below the first).
  int entry(int support) const;
  bool adapted(int support, int cell) const;
};

}  // namespace fewshop
