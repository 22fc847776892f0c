// The command line: thin shells around library calls.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "command.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/progress_lines.h"
#include "core/section.h"
#include "core/toml_document.h"

namespace fewshop::cli {

namespace {

/// Throws when anything that was printed did not arrive.
void flush_output() {
  if (std::ferror(stdout) != 0 || std::fflush(stdout) != 0)
    throw Failure("standard output: cannot be written (closed or disk full)");
}

}  // namespace

void print_json(const nlohmann::json& json) {
  const std::string text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  flush_output();
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

/// The keys of one section of a --config file; CLI11 would leave unknown ones aside.
void check_config_keys(const CLI::App& app, const TomlDocument& document, const nlohmann::json& section,
                       const std::string& path) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options())
    if (!option->get_lnames().empty() && option->get_configurable()) known.push_back(option->get_lnames().front());
  for (const auto& [key, value] : section.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end() && !value.is_object()) continue;
    const CLI::App* command = nullptr;
    for (const CLI::App* candidate : app.get_subcommands({}))
      if (value.is_object() && candidate->get_name() == key) command = candidate;
    const std::string near = nearest_word(key, known);
    require(command != nullptr, document.where(path + key), ": unknown option",
            near.empty() ? "" : ", did you mean '" + near + "'?",
            "; known options: ", fmt::format("{}", fmt::join(known, ", ")));
    check_config_keys(*command, document, value, key + ".");
  }
}

void check_config(const CLI::App& app, const std::string& file) {
  const TomlDocument document = read_toml(file);
  check_config_keys(app, document, document.values, "");
}

/// Whoever closed standard output would find the next file that is opened in its place: there, writing has to fail.
void fill_standard_streams() {
  int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  while (file >= 0 && file <= STDERR_FILENO) file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (file > STDERR_FILENO) close(file);
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
      ->check([](const std::string& text) {
        uint64_t seed = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
        const bool whole = error == std::errc() && end == text.data() + text.size();
        return whole ? std::string() : "expected a whole number from 0 to 18446744073709551615, got '" + text + "'";
      });
  app.set_config("--config", "", "TOML file with values for these options; a command's in a section of its name")
      ->check([&app](const std::string& file) {
        check_config(app, file);
        return std::string();
      });
  // For who starts this program and shows how far it is.
  app.add_flag_callback("--progress-lines", [] { set_progress_lines(true); })->group("");
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
  add_serve(app, globals);
  add_config(app, globals);
  add_model(app, globals);
  add_playground(app, globals);
  add_replay(app, globals);
  add_key(app, globals);
  add_forget(app, globals);
  add_dump(app, globals);
  add_restore(app, globals);
  add_ps(app, globals);
  add_bench(app, globals);

  try {
    app.parse(argc, argv);
    flush_output();
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
  fewshop::cli::fill_standard_streams();
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
