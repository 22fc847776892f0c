// fewshop evaluate: a model's figures on the test tasks, with intervals, beside its baselines.
#include "evaluate/evaluate.h"

#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "evaluate/html_report.h"
#include "evaluate/report.h"
#include "evaluate/text_report.h"
#include "learner/training.h"
#include "output.h"

namespace fewshop::cli {

void add_evaluate(CLI::App& app, Globals& globals) {
  struct EvaluateArguments {
    std::string model, data, html;
  };
  auto* command =
      app.add_subcommand("evaluate", "measure a model on the test tasks, beside its baselines, with intervals");
  auto arguments = std::make_shared<EvaluateArguments>();
  command->add_option("model", arguments->model, "bundle folder, as 'fewshop train' writes it")
      ->required()
      ->type_name("MODEL");
  command->add_option("--data", arguments->data, "database, as 'fewshop import' writes it")
      ->required()
      ->type_name("DB");
  command->add_option("--html", arguments->html, "write the report as one HTML page as well")->type_name("FILE");
  command->callback([arguments, &globals] {
    allow_training_members();
    const Evaluation evaluation = evaluate_bundle(arguments->model, arguments->data, {.threads = globals.threads});
    const nlohmann::json object = report(evaluation.outcomes, {.threads = globals.threads});
    if (!arguments->html.empty()) write_file(arguments->html, html_report(object, evaluation.title));
    if (globals.json)
      print_json(object);
    else
      fmt::print("{}", text_report(object));
  });
}

}  // namespace fewshop::cli
