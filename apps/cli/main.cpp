// The command line: thin shells around library calls.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "command.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/progress.h"

namespace fewshop::cli {

void print_json(const nlohmann::json& json) {
  const std::string text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Failure("standard output: cannot be written (closed or disk full)");
}

namespace {

std::string command_names(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands({})) names += (names.empty() ? "" : ", ") + command->get_name();
  return names;
}

std::string command_prefix(const CLI::App& app) {
  return app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " ";
}

int run(int argc, char** argv) {
  CLI::App app{"fewshop: learns across a shop's users, items and campaigns how to learn the next one", "fewshop"};
  app.set_version_flag("--version", "fewshop " FEWSHOP_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  Globals globals;
  app.add_flag("--json", globals.json, "print one JSON object on standard output");
  app.add_flag("-v,--verbose", globals.verbose, "more messages");
  app.add_option("--threads", globals.threads, "threads; 0 = all cores")->check(CLI::Range(0, 1024));
  app.add_option("--seed", globals.seed, "seed of the training; splits follow split.seed")
      ->check(CLI::NonNegativeNumber);
  app.set_config("--config", "", "TOML file with values for options; [COMMAND] has those of a command");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.parse_complete_callback([&] { set_verbose(globals.verbose); });
  // COMMANDS: every add_... of command.h is called here, in the order of --help.
  add_try(app, globals);
  add_import(app, globals);
  add_validate(app, globals);
  add_train(app, globals);
  add_evaluate(app, globals);
  add_compare(app, globals);
  add_score(app, globals);
  add_recommend(app, globals);
  add_adapt(app, globals);
  add_learners(app, globals);
  add_scenarios(app, globals);
  add_info(app, globals);

  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    // Help and version come this way, too.
    if (e.get_exit_code() == 0) return app.exit(e);
    std::string message = e.what();
    if (app.get_subcommands().empty() && !app.remaining().empty())
      message =
          fmt::format("unknown command or option '{}'; commands: {}", app.remaining().front(), command_names(app));
    else if (app.get_subcommands().empty() && dynamic_cast<const CLI::RequiredError*>(&e))
      message = fmt::format("expected a command; commands: {}", command_names(app));
    throw InvalidInput(fmt::format("{}\nRun 'fewshop {}--help' for more.", message, command_prefix(app)));
  }
}

}  // namespace
}  // namespace fewshop::cli

int main(int argc, char** argv) {
  fewshop::install_cancel_handler();
  try {
    return fewshop::cli::run(argc, argv);
  } catch (...) {
    std::string message;
    const int status = fewshop::exit_status_of_current_exception(message);
    fmt::print(stderr, "fewshop: {}\n", message);
    return status;
  }
}
