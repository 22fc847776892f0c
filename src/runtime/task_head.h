#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/member.h"

namespace fewshop {

class TensorFile;
struct Predictive;

/// Support rows of one task as a head sees them. The spans must live until the last call with the same workspace.
struct HeadSupport {
  std::span<const float> x;       // [S, D] row-major feature vectors
  std::span<const float> target;  // [S] values; of classes their numbers
  std::span<const float> weight;  // [S] importance, not negative
  std::span<const float> offset;  // [S] what stands on the link before the head (a shrunk item bias); empty = 0
};

/// The adapting part of a learner that works on feature vectors of a fixed network (ANIL's head, ridge, prototypes, the
/// Bayesian head): plain arrays, no libtorch, no allocation after the first task. What the vectors are of, items or
/// rows, is the business of the member around it, so that one head serves ratings and problems without items.
///
/// Life cycle as Member's: w = workspace(); adapt, then any number of predict / explain; one workspace a thread.
class TaskHead {
 public:
  virtual ~TaskHead() = default;
  /// The text that files name it by: "gradient-head", "ridge-head".
  virtual std::string_view kind() const = 0;
  virtual int32_t feature_size() const = 0;  // D
  virtual std::unique_ptr<Workspace> workspace() const = 0;
  /// `description` is the task's encoded description for heads with a prior that depends on it; may be empty.
  virtual void adapt(const HeadSupport& support, std::span<const ColumnView> description,
                     Workspace& workspace) const = 0;
  /// The predictive distribution of one row: x [D], offset on its link.
  virtual void predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const = 0;
  /// The value before the link function (of several outputs: output `output`) as prior (returned, offset included) plus
  /// contribution [S].
  virtual double explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                         std::span<double> contribution) const = 0;
  virtual void save(TensorFile& file, const std::string& prefix) const = 0;
};

/// Reads back what save wrote (the text prefix + "kind" names the class). Throws InvalidInput for a damaged file.
std::unique_ptr<TaskHead> load_task_head(const TensorFile& file, const std::string& prefix);

}  // namespace fewshop
