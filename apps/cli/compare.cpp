// fewshop compare: learners trained and measured side by side, with one or more seeds.
#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "evaluate/compare.h"
#include "evaluate/comparison.h"
#include "evaluate/html_report.h"
#include "evaluate/text_report.h"
#include "learner/check_scenario.h"
#include "learner/training.h"
#include "output.h"

namespace fewshop::cli {

void add_compare(CLI::App& app, Globals& globals) {
  struct CompareArguments {
    ScenarioArguments scenario;
    std::vector<std::string> learners;
    int seeds = 1;
    std::string html, markdown, folder;
  };
  auto* command = app.add_subcommand("compare", "train learners with one or more seeds and measure them side by side");
  auto arguments = std::make_shared<CompareArguments>();
  arguments->scenario.add_to(*command);
  command->add_option("--learners", arguments->learners, "learners to compare instead of the scenario's")
      ->delimiter(',')
      ->type_name("NAME,NAME");
  command
      ->add_option("--seeds", arguments->seeds,
                   "train every learner this often with other seeds and splits, and pool the test tasks")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command
      ->add_option(
          "--out", arguments->folder,
          "folder for the models and the report (report.json, report.html); run again with the same folder, an "
          "interrupted comparison goes on")
      ->type_name("DIR");
  command->add_option("--markdown", arguments->markdown, "write the tables as Markdown as well")->type_name("FILE");
  command->add_option("--html", arguments->html, "write the report as one HTML page as well")->type_name("FILE");
  command->callback([arguments, &globals] {
    allow_training_members();
    const Scenario scenario = arguments->scenario.read();
    for (const auto& name : arguments->learners) {  // all of them, before the first one trains for long
      Scenario asked = scenario;
      asked.learner = name;
      if (name != scenario.learner) asked.learner_options = asked.encoder_options = nlohmann::json::object();
      check_scenario(asked);
    }
    const nlohmann::json object = compare({scenario, arguments->scenario.data, arguments->learners, arguments->seeds,
                                           globals.seed, globals.threads, arguments->folder});
    if (!arguments->folder.empty()) {
      write_file(arguments->folder + "/report.json", object.dump(1) + "\n");
      write_file(arguments->folder + "/report.html", html_report(object, scenario.title));
    }
    if (!arguments->markdown.empty()) write_file(arguments->markdown, markdown_comparison(object));
    if (!arguments->html.empty()) write_file(arguments->html, html_report(object, scenario.title));
    if (globals.json)
      print_json(object);
    else
      fmt::print("{}", text_report(object));
  });
}

}  // namespace fewshop::cli
