#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "scenario/guess.h"

namespace fewshop {

/// What `fewshop try FILE` asks.
struct TryRequest {
  std::string file;
  std::string folder;  // for what comes of it; "" = FILE's name with ".fewshop", beside it
  GuessHints hints;
  int64_t max_rows = 100'000;  // larger files are cut to some of their users
  int threads = 0;
  uint64_t seed = 0;
};

/// What came of it, and where it lies.
struct TryResult {
  std::string sentence;  // what adapting is worth
  nlohmann::json report;
  std::string database, scenario, model;
};

/// Imports a headed file, guesses its learning problem and writes it out as a scenario file, trains within about two
/// minutes on two cores (learner/budget.h), and judges the model on users that training has not seen. Everything
/// lands in one folder. A second try replaces it, table by table and the model in one step when it is complete; a
/// scenario that the user has edited is used as it is.
///
/// Throws InvalidInput for a file that cannot be read or taken for users and items.
TryResult try_file(const TryRequest& request);

}  // namespace fewshop
