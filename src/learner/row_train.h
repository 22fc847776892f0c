#pragma once

#include <memory>
#include <string>

#include "learner/row_fit.h"
#include "learner/training.h"

namespace fewshop::learning {

/// Trains a problem that asks about rows and writes its bundle: what train() is for items. docs/row-problems.md says
/// what is fitted on what.
TrainResult train_rows(const TrainRequest& request);

/// The learner of that name with its options checked, whatever it is made of: a baseline, or one that needs libtorch.
/// Throws InvalidInput for a name that learns no rows.
std::unique_ptr<RowLearner> make_row_learner(const std::string& name, const nlohmann::json& options,
                                             const nlohmann::json& encoder);

/// Members that answer only with the library that trains: null for an unknown kind.
std::unique_ptr<RowMember> load_training_row_member(const TensorFile& file);

}  // namespace fewshop::learning
