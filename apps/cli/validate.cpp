#include "task/validate.h"

#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "learner/check_scenario.h"

namespace fewshop::cli {

void add_validate(CLI::App& app, Globals& globals) {
  auto* command =
      app.add_subcommand("validate", "say what is understood of a scenario and its data, and what is doubtful");
  auto arguments = std::make_shared<ScenarioArguments>();
  arguments->add_to(*command);
  command->callback([arguments, &globals] {
    const Scenario scenario = with_catalogue_defaults(arguments->read());
    const nlohmann::json report = validate_problem(load_problem(scenario, arguments->data));
    if (globals.json)
      print_json(report);
    else
      fmt::print("{}", validation_text(report));
  });
}

}  // namespace fewshop::cli
