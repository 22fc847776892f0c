#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/member.h"
#include "task/dataset.h"

namespace fewshop {

/// What a baseline (or any member) is fitted on.
struct FitInput {
  const Dataset& data;
  const Scenario& scenario;
  const TaskSet& tasks;                // rows that may be trained on
  const std::vector<uint8_t>* hidden;  // [items] 1 = item is treated as never seen: its rows are left out; or null
  int threads = 1;
  uint64_t seed = 0;

  bool is_hidden(int32_t item) const { return hidden && (*hidden)[item]; }
};

/// A simple method: fitted from rows without episodes, no libtorch, its constants chosen from a small grid.
class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual std::string_view name() const = 0;
  /// Whether it can be used for the problem.
  virtual bool fits(Problem problem) const = 0;
  /// The constants to choose between on meta-validation tasks, the most usual first; one empty object = none.
  virtual std::vector<nlohmann::json> grid(const FitInput& input) const = 0;
  /// Fits one member per entry of `constants` (sharing what they have in common).
  virtual std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                                   const std::vector<nlohmann::json>& constants) const = 0;
};

/// All baselines by name; nullptr for an unknown one.
const Baseline* find_baseline(const std::string& name);

}  // namespace fewshop
