#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "feature/encoders.h"
#include "learner/fit.h"
#include "runtime/row_member.h"
#include "task/dataset.h"

namespace fewshop {

/// What a member of a row problem is fitted on.
struct RowFitInput {
  const Dataset& data;
  const Scenario& scenario;
  const Encoders& encoders;  // of the columns in data: what widths and vocabularies they have
  const TaskSet& tasks;      // rows that may be trained on
  int threads = 1;
  uint64_t seed = 0;
};

/// What a member costs on meta-validation tasks: its mean metric, turned so that lower is better.
using RowMemberLoss = std::function<double(const RowMember&)>;

/// Everything that can be fitted to a row problem, baselines too: tasks in, a member out.
class RowLearner {
 public:
  virtual ~RowLearner() = default;
  virtual std::string_view name() const = 0;

  /// Whether its member answers without the library that trains. One that does not is reported, and never served.
  virtual bool has_runtime_form() const { return true; }

  /// Fits one member on the rows of `input.tasks`.
  ///
  /// With `loss` the fit chooses what it leaves open (constants, the number of epochs) and writes it to `chosen`;
  /// without, `chosen` is what an earlier fit has written, and the fit repeats it on other rows. Throws Failure where
  /// training diverges, Interrupted on Ctrl-C.
  virtual std::unique_ptr<RowMember> fit(const RowFitInput& input, const RowMemberLoss& loss, nlohmann::json& chosen,
                                         const Run& run) const = 0;
};

}  // namespace fewshop
