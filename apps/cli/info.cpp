// fewshop info: what a bundle is, from its manifest and its stored report.
#include <fmt/format.h>

#include <memory>

#include "bundle/bundle.h"
#include "command.h"
#include "core/error.h"
#include "evaluate/text_report.h"
#include "runtime/model.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

/// A JSON file of the bundle; null where it has none or it is no JSON.
json parsed(const Bundle& bundle, const std::string& file) {
  const auto found = bundle.files.find(file);
  if (found == bundle.files.end()) return nullptr;
  const json object = json::parse(found->second, nullptr, false);
  return object.is_discarded() ? json(nullptr) : object;
}

std::string joined(const json& names) {
  std::string text;
  for (const auto& name : names)
    text += (text.empty() ? "" : ", ") + (name.is_string() ? name.get<std::string>() : name.dump());
  return text;
}

void line(const char* key, const std::string& value) {
  if (!value.empty()) fmt::print("{:<14}{}\n", key, value);
}

/// "0: als; 5: adapted; 10: adapted (als for items 0, 1-5)"
std::string gate_text(const json& gate) {
  if (!gate.is_object() || !gate.contains("sizes")) return "";
  if (!gate.value("enabled", true)) return "off: always adapted";
  std::string text;
  for (const auto& size : gate.at("sizes")) {
    json shut = json::array();
    const json& open = size.at("adapted");
    for (size_t cell = 0; cell < open.size(); ++cell)
      if (!open[cell].get<bool>()) shut.push_back(gate.at("item_cells").at(cell));
    const std::string baseline = size.at("baseline");
    text += fmt::format("{}{}: ", text.empty() ? "" : "; ", size.at("support").dump());
    if (shut.size() == open.size())
      text += baseline;
    else
      text += shut.empty() ? "adapted" : fmt::format("adapted ({} for items seen {} times)", baseline, joined(shut));
  }
  return text;
}

void print_info(const json& info) {
  const json& manifest = info.at("manifest");
  const json& scenario = manifest.at("scenario");
  line("scenario", fmt::format("{} ({})", scenario.value("name", ""), scenario.value("problem", "")));
  line("title", scenario.value("title", ""));
  line("learner", manifest.value("learner", "").empty() ? "none: baselines only" : manifest.value("learner", ""));
  line("members", joined(manifest.value("members", json::array())));
  line("best baseline", manifest.value("best_baseline", ""));
  line("served at k", gate_text(info.at("gate")));
  if (manifest.contains("seed")) line("seed", manifest.at("seed").dump());
  line("data", manifest.value("data_fingerprint", ""));
  if (manifest.contains("valid"))
    for (const auto& [metric, value] : manifest.at("valid").items()) line("validation", metric + " " + value.dump());
  if (manifest.contains("candidate_recall"))
    line("candidates", fmt::format("{} of every member hold {:.1f} % of the exact best 10 of held-out tasks",
                                   manifest.value("candidate_depth", Model::kDefaultDepth),
                                   100 * manifest.at("candidate_recall").get<double>()));
  if (manifest.contains("member_facts"))
    for (const auto& [member, facts] : manifest.at("member_facts").items())
      if (facts.contains("kept_squared_weight"))
        line(member.c_str(),
             fmt::format("keeps {:.1f} % of its squared weights", 100 * facts.at("kept_squared_weight").get<double>()));
  if (info.at("run").is_object() && info.at("run").contains("train_seconds"))
    line("trained in", fmt::format("{:.1f} s", info.at("run").at("train_seconds").get<double>()));
  const json& report = info.at("report");
  if (report.is_object() && report.contains("splits")) fmt::print("\n{}", text_report(report));
}

}  // namespace

void add_info(CLI::App& app, Globals& globals) {
  auto* command = app.add_subcommand("info", "say what a model is: scenario, members, gate, stored figures");
  auto folder = std::make_shared<std::string>();
  command->add_option("model", *folder, "bundle folder, as 'fewshop train' writes it")->required()->type_name("MODEL");
  command->callback([folder, &globals] {
    const Bundle bundle = read_bundle(*folder);
    const json info{{"model", *folder},
                    {"manifest", bundle.manifest},
                    {"run", bundle.run},
                    {"gate", parsed(bundle, "gate.json")},
                    {"report", parsed(bundle, "report.json")}};
    if (globals.json) {
      print_json(info);
      return;
    }
    try {
      print_info(info);
    } catch (const json::exception& e) {
      throw InvalidInput(*folder + ": the bundle is damaged or of another version: " + e.what());
    }
  });
}

}  // namespace fewshop::cli
