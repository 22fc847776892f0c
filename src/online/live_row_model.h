#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "online/row_question.h"
#include "runtime/row_model.h"

namespace fewshop {

/// What a model of rows answered.
struct RowAnswer {
  std::vector<RowPrediction> predictions;  // [query rows]
  int32_t support = 0;                     // rows that counted
  double adapt_seconds = 0;                // from the rows to an adapted model
};

/// A model of a problem that asks about rows and answers: a bundle, and sessions for those who ask. Support comes with
/// every question; nothing of the shop is looked at.
///
/// Threads: any number. The model never changes; each question uses a session of its own while it is answered.
class LiveRowModel {
 public:
  LiveRowModel(std::string version, std::string folder, std::shared_ptr<const RowModel> model);

  const std::string& name() const { return model_->scenario().name; }
  const std::string& version() const { return version_; }
  const std::string& folder() const { return folder_; }
  const Scenario& scenario() const { return model_->scenario(); }
  const RowModel& model() const { return *model_; }

  /// Throws InvalidInput naming place, row and column for what is missing, unknown or cannot be read.
  RowAnswer answer(const RowQuestion& question) const;

 private:
  class Lease;

  std::string version_, folder_;
  std::shared_ptr<const RowModel> model_;
  mutable std::mutex sessions_mutex_;
  mutable std::vector<std::unique_ptr<RowSession>> sessions_;
};

}  // namespace fewshop
