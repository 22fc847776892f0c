#include "learner/check_scenario.h"

#include <algorithm>

#include "core/error.h"
#include "learner/catalogue.h"
#include "runtime/encoder_options.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

bool has_type(const nlohmann::json& value, const std::string& type) {
  if (type == "boolean") return value.is_boolean();
  if (type == "text") return value.is_string();
  return type == "integer" ? value.is_number_integer() : value.is_number();
}

void check_option(const FieldInfo& field, const nlohmann::json& value) {
  const std::string place = "learner." + field.name;
  require(has_type(value, field.type), place, ": expected ", field.type, ", got ", value.dump(),
          "; it is: ", field.help);
  if (!value.is_number()) return;
  const double number = value.get<double>();
  require(number >= field.min && number <= field.max, place, ": ", value.dump(), " is outside [", field.min, ", ",
          field.max, "]; it is: ", field.help);
}

void check_options(const LearnerInfo& learner, Problem problem, const nlohmann::json& options) {
  const auto& fields = learner.options_for(problem);
  std::string known;
  for (const auto& field : fields) known += (known.empty() ? "" : ", ") + field.name;
  for (const auto& item : options.items()) {
    const std::string& name = item.key();
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
    require(field != fields.end(), "learner.", name, ": ", learner.name,
            " has no such option; its options: ", known.empty() ? "none" : known);
    check_option(*field, item.value());
  }
}

/// [learner.encoder] is for learners that train a network.
void check_encoder(const LearnerInfo& learner, Problem problem, const nlohmann::json& options) {
  if (learner.trains_network(problem)) {
    encoder_options(options);  // refuses what is wrong
    return;
  }
  for (const auto& item : options.items())
    throw InvalidInput("learner.encoder." + item.key() + ": " + learner.name +
                       " has no encoder options; leave [learner.encoder] out");
}

void check_problem(const LearnerInfo& learner, const Scenario& scenario, const std::string& place) {
  require(std::find(learner.problems.begin(), learner.problems.end(), scenario.problem) != learner.problems.end(),
          place, ": '", learner.name, "' is not for problem = \"", problem_name(scenario.problem), "\"");
  require(!needs_items(learner) || !scenario.item.empty(), place, ": '", learner.name,
          "' needs item = \"COLUMN\" in [rows]");
}

}  // namespace

void check_scenario(const Scenario& scenario) {
  const LearnerInfo& learner = find_learner(scenario.learner);
  check_problem(learner, scenario, "learner.name");
  check_options(learner, scenario.problem, scenario.learner_options);
  check_encoder(learner, scenario.problem, scenario.encoder_options);
  for (const auto& name : scenario.baselines) {
    const LearnerInfo& baseline = find_learner(name);
    require(baseline.baseline, "report.baselines: '", name, "' is a learner, not a baseline");
    check_problem(baseline, scenario, "report.baselines");
  }
}

Scenario with_catalogue_defaults(Scenario scenario) {
  if (scenario.baselines.empty()) scenario.baselines = default_baselines(scenario);
  const LearnerInfo& learner = find_learner(scenario.learner);
  if (learner.baseline) return scenario;  // its constants are chosen, unless they are given
  for (const auto& field : learner.options_for(scenario.problem))
    if (!scenario.learner_options.contains(field.name)) scenario.learner_options[field.name] = field.default_value;
  if (learner.trains_network(scenario.problem))
    for (const auto& field : describe_fields<EncoderOptions>())
      if (!scenario.encoder_options.contains(field.name)) scenario.encoder_options[field.name] = field.default_value;
  return scenario;
}

}  // namespace fewshop
