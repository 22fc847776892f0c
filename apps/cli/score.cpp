// fewshop score: anybody's predictions on the same tasks, rows, baselines and intervals.
#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/progress.h"
#include "evaluate/html_report.h"
#include "evaluate/predictions.h"
#include "evaluate/text_report.h"
#include "learner/training.h"
#include "output.h"

namespace fewshop::cli {

void add_score(CLI::App& app, Globals& globals) {
  struct ScoreArguments {
    ScenarioArguments scenario;
    std::string predictions, folder, html;
  };
  auto* command =
      app.add_subcommand("score", "judge predictions from elsewhere; --export writes what they have to answer");
  auto arguments = std::make_shared<ScoreArguments>();
  arguments->scenario.add_to(*command);
  command->add_option("predictions", arguments->predictions, "predictions to judge")->type_name("predictions.csv");
  command->add_option("--export", arguments->folder, "write rows.csv and train.csv into this folder instead")
      ->type_name("DIR");
  command->add_option("--html", arguments->html, "write the report as one HTML page as well")->type_name("FILE");
  command->callback([arguments, &globals] {
    allow_training_members();
    const bool exporting = !arguments->folder.empty();
    require(exporting || !arguments->predictions.empty(), "score: expected --export DIR or a file of predictions");
    require(
        !exporting || arguments->predictions.empty(),
        "score: got both --export and predictions; --export writes what predictions have to answer, so it comes first");
    const Scenario scenario = arguments->scenario.read();
    const std::string& data = arguments->scenario.data;
    if (exporting) {
      export_rows(scenario, data, arguments->folder);
      const std::string rows = arguments->folder + "/rows.csv", train = arguments->folder + "/train.csv";
      if (globals.json)
        print_json({{"rows", rows}, {"train", train}});
      else
        say(fmt::format("{}: what is asked for and what is known of it; {}: what may be learnt from", rows, train));
      return;
    }
    const nlohmann::json object =
        score_predictions({scenario, data, arguments->predictions, globals.seed, globals.threads});
    if (!arguments->html.empty()) write_file(arguments->html, html_report(object, scenario.title));
    if (globals.json)
      print_json(object);
    else
      fmt::print("{}", text_report(object));
  });
}

}  // namespace fewshop::cli
