#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

class RowMember;
class TensorFile;

/// What `fewshop train` asks of the library that trains. The same function table serves compare, try and score.
struct TrainRequest {
  Scenario scenario;  // with --learner and --set already applied
  std::string database;
  std::string out;  // bundle folder
  uint64_t seed = 0;
  int threads = 0;
  bool baselines_only = false;  // fit the baselines and write a bundle without a learner (score)
};

/// What came of it: the object that `train --json` prints.
struct TrainResult {
  nlohmann::json json;
};

class Member;
class TensorFile;

/// The seam between the program and the library that trains, found by dlsym("fewshop_training_library").
/// Both are built from one tree; `abi` guards against mixing builds.
struct TrainingLibrary {
  static constexpr int kAbi = 2;
  int abi;
  TrainResult (*train)(const TrainRequest&);
  std::vector<std::string> (*learner_names)();  // names that `train` can make, for the test against the catalogue
  /// Members of problems of rows that answer only with this library; null for an unknown kind.
  std::unique_ptr<RowMember> (*load_row_member)(const TensorFile&);
  std::unique_ptr<Member> (*load_member)(const TensorFile&);  // a member that has no runtime form
};

/// The table itself, defined by the library that trains (a variable, not a function).
extern "C" const TrainingLibrary fewshop_training_library;

/// Opens the training library beside the program (once). Throws Failure saying what is missing.
const TrainingLibrary& training_library();

/// From now on members without a runtime form are loaded, too, through the training library, which is opened when the
/// first one is met. A server does not call it: models that it cannot answer for by itself are refused.
void allow_training_members();

}  // namespace fewshop
