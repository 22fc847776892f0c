#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop::cli {

/// Options that every command takes.
struct Globals {
  bool json = false;  // print one JSON object on standard output
  bool verbose = false;
  int threads = 0;    // 0 = all cores
  uint64_t seed = 0;  // training only
};

// One function per command, one file each (train.cpp, import.cpp, ...): it adds its sub-command to the application and
// sets a callback that makes one library call. Exceptions become an exit status in main.cpp only.
void add_import(CLI::App& app, Globals& globals);
void add_validate(CLI::App& app, Globals& globals);
void add_train(CLI::App& app, Globals& globals);
void add_evaluate(CLI::App& app, Globals& globals);
void add_compare(CLI::App& app, Globals& globals);
void add_score(CLI::App& app, Globals& globals);
void add_adapt(CLI::App& app, Globals& globals);
void add_recommend(CLI::App& app, Globals& globals);
void add_try(CLI::App& app, Globals& globals);
void add_learners(CLI::App& app, Globals& globals);
void add_scenarios(CLI::App& app, Globals& globals);
void add_info(CLI::App& app, Globals& globals);
void add_serve(CLI::App& app, Globals& globals);
void add_config(CLI::App& app, Globals& globals);
void add_model(CLI::App& app, Globals& globals);
void add_playground(CLI::App& app, Globals& globals);
void add_replay(CLI::App& app, Globals& globals);
void add_key(CLI::App& app, Globals& globals);
void add_forget(CLI::App& app, Globals& globals);
void add_dump(CLI::App& app, Globals& globals);
void add_restore(CLI::App& app, Globals& globals);
void add_ps(CLI::App& app, Globals& globals);
void add_bench(CLI::App& app, Globals& globals);

/// Prints the object on standard output (the only thing there with --json).
void print_json(const nlohmann::json& json);

/// Options shared by the commands that read a scenario: SCENARIO, --data, --learner, --set a.b=c.
struct ScenarioArguments {
  std::string scenario, data, learner;
  std::vector<std::string> set;
  void add_to(CLI::App& command, bool with_data = true);
  /// A bundle folder stands for the scenario that it was trained for.
  /// The scenario with --learner and --set applied; metrics, learner and baselines are known names.
  Scenario read() const;
};

}  // namespace fewshop::cli
