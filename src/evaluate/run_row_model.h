#pragma once

#include "evaluate/outcome.h"
#include "evaluate/run_model.h"
#include "runtime/row_model.h"
#include "task/problem.h"

namespace fewshop {

/// Asks a model of rows about every test task of a problem: at the headline and at every shot, with every method.
/// `problem` was loaded with the model's scenario and encoders. Rows of the support with an event kind that training
/// has not seen are left out.
Outcomes run_row_model(const RowModel& model, const LoadedProblem& problem, const RunOptions& options = {});

/// Members that only the library that trains can answer for; it is opened when the first one comes.
RowMemberLoader training_row_members();

}  // namespace fewshop
