#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "learner/baseline/baseline.h"

namespace fewshop {

/// What surrounds a fit: where it may keep its checkpoint, how many threads, which seed.
struct Run {
  uint64_t seed = 0;
  int threads = 1;
  std::string checkpoint;  // file; empty = none. A fit that was interrupted continues from it to the same bytes.
  std::string what;        // for progress and messages
};

/// What a member costs on meta-validation tasks: its mean metric, turned so that lower is better.
using MemberLoss = std::function<double(const Member&)>;

/// Everything that can be fitted, baselines too: tasks in, a member out that adapts to a new task and scores items.
class Learner {
 public:
  virtual ~Learner() = default;
  virtual std::string_view name() const = 0;

  /// Fits one member on the rows of `input.tasks` whose item is not hidden.
  ///
  /// With `loss` the fit chooses what it leaves open (constants, the number of epochs) and writes it to `chosen`;
  /// without, `chosen` is what an earlier fit has written, and the fit repeats it on other rows. Throws Failure where
  /// training diverges, Interrupted on Ctrl-C.
  virtual std::unique_ptr<Member> fit(const FitInput& input, const MemberLoss& loss, nlohmann::json& chosen,
                                      const Run& run) const = 0;
};

/// A simple method as a learner: constants from its grid, `fixed` ones apart (an object, as in [learner]).
std::unique_ptr<Learner> make_baseline_learner(const Baseline& baseline, nlohmann::json fixed);

}  // namespace fewshop
