// fewshop learners: every learner and baseline with its options, and those of the network.
#include <fmt/format.h>

#include <cstdio>

#include "command.h"
#include "learner/catalogue.h"
#include "runtime/encoder_options.h"
#include "scenario/names.h"

namespace fewshop::cli {
namespace {

/// A whole number where the option is one: 5, not 5.0.
nlohmann::json bound(const FieldInfo& field, double value) {
  if (field.type == "integer") return static_cast<int64_t>(value);
  if (field.type == "number") return value;
  return nullptr;  // texts and booleans have no range
}

nlohmann::json to_json(const std::vector<FieldInfo>& fields) {
  nlohmann::json options = nlohmann::json::array();
  for (const FieldInfo& field : fields)
    options.push_back({{"name", field.name},
                       {"type", field.type},
                       {"default", field.default_value},
                       {"min", bound(field, field.min)},
                       {"max", bound(field, field.max)},
                       {"help", field.help}});
  return options;
}

nlohmann::json to_json(const LearnerInfo& learner) {
  nlohmann::json problems = nlohmann::json::array();
  for (const Problem problem : learner.problems) problems.push_back(problem_name(problem));
  return {{"name", learner.name},
          {"summary", learner.summary},
          {"paper", learner.paper},
          {"problems", problems},
          {"baseline", learner.baseline},
          {"options", to_json(learner.all_options())},
          {"trains_network", !learner.episodic.empty()}};
}

void print_options(const std::vector<FieldInfo>& fields) {
  for (const FieldInfo& field : fields) {
    const bool ranged = field.type == "integer" || field.type == "number";
    const std::string range = ranged ? fmt::format(" in [{}, {}]", field.min, field.max) : "";
    fmt::print("{:<14}   {} = {}{}: {}\n", "", field.name, field.default_value.dump(), range, field.help);
  }
  fmt::print("\n");
}

void print_learner(const LearnerInfo& learner) {
  std::string problems;
  for (const Problem problem : learner.problems)
    problems += (problems.empty() ? "" : ", ") + std::string(problem_name(problem));
  fmt::print("{:<14} {}{}\n", learner.name, learner.summary, learner.baseline ? " (baseline)" : "");
  fmt::print("{:<14} problems: {}\n", "", problems);
  if (!learner.paper.empty()) fmt::print("{:<14} {}\n", "", learner.paper);
  if (!learner.episodic.empty()) fmt::print("{:<14} trains a network: [learner.encoder]\n", "");
  print_options(learner.all_options());
}

}  // namespace

void add_learners(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("learners", "all learners and baselines with their options");
  command->callback([&globals] {
    if (globals.json) {
      nlohmann::json list = nlohmann::json::array();
      for (const LearnerInfo& learner : learners()) list.push_back(to_json(learner));
      print_json({{"learners", list}, {"encoder", to_json(describe_fields<EncoderOptions>())}});
      return;
    }
    for (const LearnerInfo& learner : learners()) print_learner(learner);
    fmt::print("{:<14} the network that learners train on what describes a row\n", "encoder");
    print_options(describe_fields<EncoderOptions>());
    fmt::print("Options are set in a scenario's [learner] and [learner.encoder], or by --set learner.NAME=VALUE.\n");
  });
}

}  // namespace fewshop::cli
