#include <fmt/format.h>

#include <filesystem>

#include "command.h"
#include "scenario/names.h"
#include "scenario/read.h"

namespace fewshop::cli {
namespace {

nlohmann::json entry(const Scenario& s) {
  return {{"name", s.name},
          {"title", s.title},
          {"problem", problem_name(s.problem)},
          {"task", fmt::format("{}", fmt::join(s.task, ", "))},
          {"covers", s.covers},
          {"state", "ready"},
          {"file", s.file}};
}

}  // namespace

void add_scenarios(CLI::App& app, Globals& globals) {
  auto* command = app.add_subcommand("scenarios", "list the scenarios that come with the program");
  command->callback([&globals] {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& file : bundled_scenarios()) list.push_back(entry(read_scenario(file)));
    if (globals.json) return print_json({{"scenarios", list}});
    for (const auto& s : list)
      fmt::print("{:32} {:10} {}\n", s["name"].get<std::string>(), s["problem"].get<std::string>(),
                 s["title"].get<std::string>());
  });
}

}  // namespace fewshop::cli
