#pragma once

#include <string>
#include <vector>

namespace fewshop {

class TensorFile;

/// Step sizes of an inner loop at serving time, as learner/step_sizes.h learns them: for every step and each of n parts
/// a factor, tabled at support sizes; in between on straight lines over the logarithm of the size, beyond as at the
/// ends.
struct StepTable {
  int steps = 0;
  int parts = 1;
  std::vector<float> sizes;     // [K] rising, at least one
  std::vector<float> log_rate;  // [steps, parts, K]

  /// rate [steps, parts] for a task of so many support rows.
  void rates(double rows, std::vector<double>& rate) const;

  void save(TensorFile& file, const std::string& prefix) const;
  /// Throws InvalidInput where sizes disagree or a value is not finite.
  static StepTable load(const TensorFile& file, const std::string& prefix);
  void check() const;
};

}  // namespace fewshop
