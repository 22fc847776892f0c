#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace fewshop {

/// How often an item was seen in training: 0, 1-5, 6-20, 21-100, more.
inline constexpr int kItemCells = 5;
int item_cell(int32_t count);

/// Mixes the members' scores with weights that depend smoothly on the number of support rows and on the item's cell.
///
///   score(task, item) = a(k, c) + sum over members m of w_m(k, c) s_m(item) / scale_m(task)
///   w_m(k, c) = sum over b of basis_b(k) coefficient[c][m][b],   a likewise with m = members
///
/// scale is 1 for predictions; for ranks it makes members with different units comparable (a function of the support
/// as a whole). docs/stack-and-gate.md has the fit.
struct Stack {
  static constexpr int kBasis = 3;
  static std::array<double, kBasis> basis(double support_rows);

  std::vector<int> members;           // indices into the model's members
  std::vector<float> coefficient;     // [kItemCells, members + 1, kBasis]
  std::vector<float> log_variance;    // [kItemCells, kBasis] log of the residual variance (rating)
  std::vector<float> scale;           // [members] ranks: multiplies the member's score

  bool empty() const { return members.empty(); }
  /// weights [members + 1] at a support size in a cell; the last one is the intercept.
  void weights(double support_rows, int cell, std::span<double> out) const;
  /// Residual variance of a prediction.
  double variance(double support_rows, int cell) const;
};

/// Where adapting is served, and which baseline where not. docs/stack-and-gate.md has the rule.
struct Gate {
  std::vector<int> sizes;             // support sizes (rows) the rule was fitted at, ascending
  std::vector<int> baseline;          // [sizes] best baseline there: index into the model's members
  std::vector<uint8_t> open;          // [sizes, kItemCells]
  bool enabled = true;                // false: always adapted

  /// The entry of `sizes` that decides for a support of k rows: the largest not above k (the first below the first).
  int entry(int support_rows) const;
  bool adapted(int support_rows, int cell) const;
};

nlohmann::json gate_to_json(const Gate& gate, const std::vector<std::string>& member_names);

}  // namespace fewshop
