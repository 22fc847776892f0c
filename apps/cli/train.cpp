#include "learner/training.h"

#include <fmt/format.h>

#include "bundle/bundle.h"
#include "command.h"
#include "core/progress.h"
#include "scenario/read.h"

namespace fewshop::cli {
namespace {

void print_result(const nlohmann::json& result) {
  fmt::print("{}: trained {} in {:.1f} s ({:.1f} s of CPU time)\n", result.at("model").get<std::string>(),
             result.at("scenario").get<std::string>(), result.at("train_seconds").get<double>(),
             result.at("train_cpu_seconds").get<double>());
  fmt::print("best baseline on validation: {}\n", result.at("best_baseline").get<std::string>());
  for (const auto& [name, value] : result.at("valid").items())
    fmt::print("  validation {}: {:.4f}\n", name, value.get<double>());
  fmt::print("next: fewshop evaluate {} --data ...\n", result.at("model").get<std::string>());
}

}  // namespace

void add_train(CLI::App& app, Globals& globals) {
  auto* command = app.add_subcommand("train", "fit baselines, learner, stack and gate; write a model bundle");
  auto arguments = std::make_shared<ScenarioArguments>();
  auto out = std::make_shared<std::string>();
  arguments->add_to(*command);
  command->add_option("-o,--out", *out, "folder of the model bundle; an older bundle there is replaced")->required();
  command->footer(
      "An interrupted training goes on where it stopped when the same command is run again.\n"
      "Example: fewshop train movielens-melu --data shop.db --out models/melu --set learner.d=32");
  command->callback([arguments, out, &globals] {
    TrainRequest request;
    request.scenario = arguments->read();
    request.database = arguments->data;
    request.out = *out;
    check_bundle_target(request.out);
    request.seed = globals.seed;
    request.threads = globals.threads;
    const auto result = training_library().train(request).json;
    if (globals.json)
      print_json(result);
    else
      print_result(result);
  });
}

}  // namespace fewshop::cli
