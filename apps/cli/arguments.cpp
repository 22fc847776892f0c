#include <filesystem>

#include "bundle/bundle.h"
#include "command.h"
#include "core/error.h"
#include "evaluate/metric.h"
#include "learner/check_scenario.h"
#include "scenario/read.h"

namespace fewshop::cli {
namespace {

bool is_bundle(const std::string& path) { return std::filesystem::is_regular_file(path + "/manifest.json"); }

}  // namespace

void ScenarioArguments::add_to(CLI::App& command, bool with_data) {
  command.add_option("scenario", scenario, "scenario file, or the name of a bundled one (see 'fewshop scenarios')")
      ->required()
      ->type_name("SCENARIO");
  if (with_data)
    command.add_option("--data", data, "database, as 'fewshop import' writes it")->required()->type_name("DB");
  command.add_option("--learner", learner, "learner instead of the scenario's (see 'fewshop learners')")
      ->type_name("NAME");
  command
      .add_option("--set", set,
                  "changes one key of the scenario: --set split.seed=3 (again for more; the value is TOML)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Scenario ScenarioArguments::read() const {
  const auto of_bundle = [this](const std::string& folder) {
    require(set.empty() && learner.empty(), folder,
            ": is a bundle, whose scenario is taken as it is; --set and --learner need a scenario file");
    return scenario_from_json(read_bundle(folder).manifest.at("scenario"));
  };
  Scenario read = is_bundle(scenario) ? of_bundle(scenario) : read_scenario(scenario, set, learner);
  parse_metrics(read.metrics, read.problem);
  check_scenario(read);
  return read;
}

}  // namespace fewshop::cli
