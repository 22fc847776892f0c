#pragma once

#include <string>
#include <vector>

#include "task/problem.h"

namespace fewshop {

/// Something in the data that makes figures wrong, weak or too good.
struct DataWarning {
  std::string code;     // "leak-target", "few-test-tasks"; docs/tasks-and-episodes.md lists them all
  std::string message;  // where, what, and what to do
};

/// Test tasks below which a difference between two methods is hardly ever told from chance.
inline constexpr int kFewTestTasks = 30;

std::vector<DataWarning> data_warnings(const LoadedProblem& problem);

}  // namespace fewshop
