// fewshop try: from any headed file to one sentence about what adapting is worth.
#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "evaluate/html_report.h"
#include "evaluate/text_report.h"
#include "evaluate/try_file.h"
#include "learner/training.h"
#include "output.h"

namespace fewshop::cli {

void add_try(CLI::App& app, Globals& globals) {
  auto request = std::make_shared<TryRequest>();
  CLI::App* command = app.add_subcommand("try", "guess a scenario for a file, train, say what adapting is worth");
  command->footer(
      "FILE is any headed CSV, TSV, JSON lines or RecBole file, plain or compressed, with something like a user, an "
      "item\n"
      "and maybe a rating and a time. The guessed scenario is written out, to be corrected and trained at length.");
  command->add_option("file", request->file, "headed file")->required()->type_name("FILE");
  command->add_option("--user", request->hints.user, "column of whoever the next recommendation is for")
      ->type_name("COLUMN");
  command->add_option("--item", request->hints.item, "column of what is recommended")->type_name("COLUMN");
  command->add_option("--rating", request->hints.rating, "column of the rating")->type_name("COLUMN");
  command->add_option("--time", request->hints.time, "column of the time")->type_name("COLUMN");
  command
      ->add_option("--out", request->folder,
                   "folder for database, scenario and model; default: FILE's name with .fewshop")
      ->type_name("DIR");
  command->add_option("--max-rows", request->max_rows, "larger files are cut to some of their users")
      ->check(CLI::Range(100, 100'000'000))
      ->type_name("N");
  command->callback([request, &globals] {
    allow_training_members();
    request->threads = globals.threads;
    request->seed = globals.seed;
    const TryResult result = try_file(*request);
    write_file(result.model + ".html", html_report(result.report, request->file));
    if (globals.json) {
      print_json({{"sentence", result.sentence},
                  {"scenario", result.scenario},
                  {"database", result.database},
                  {"model", result.model},
                  {"report", result.report}});
      return;
    }
    fmt::print("{}\n\n{}\n", result.sentence, text_report(result.report));
    fmt::print("scenario  {}\nmodel     {}\nreport    {}.html\n\n", result.scenario, result.model, result.model);
    fmt::print("next: correct the scenario, then\n  fewshop train {} --data {} --out MODEL\n", result.scenario,
               result.database);
  });
}

}  // namespace fewshop::cli
