#include "http/config.h"

#include <fmt/format.h>

#include <cctype>

#include "core/toml_document.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

std::string variable_of(const std::string& section, const std::string& key) {
  std::string name = "FEWSHOP_" + section + "_" + key;
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// The text of a variable as a value of the option's type.
json value_of(const std::string& text, const FieldInfo& field) {
  if (field.type == "text") return text;
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? json(text) : value;  // what does not fit is refused with the option's help
}

}  // namespace

Config read_config(const std::string& file, const std::vector<std::string>& overrides,
                   const std::function<std::optional<std::string>(const std::string&)>& environment) {
  Config config;
  TomlDocument document;
  document.place = "configuration";
  if (!file.empty()) document = read_toml(file);
  apply_overrides(document, overrides);
  std::vector<std::string> known;
  sections(config, [&](const char* name, auto& section) {
    known.push_back(name);
    using Section = std::decay_t<decltype(section)>;
    for (const FieldInfo& field : describe_fields<Section>()) {
      const std::string variable = variable_of(name, field.name);
      if (const auto text = environment(variable))
        set_fields(section, json{{field.name, value_of(*text, field)}}, variable + " (" + name + ")");
    }
    const auto given = document.values.find(name);
    if (given == document.values.end()) return;
    require(given->is_object(), document.where(name), ": expected a section [", name, "]");
    for (const auto& entry : given->items()) {
      const std::string path = std::string(name) + "." + entry.key();
      try {
        set_fields(section, json{{entry.key(), entry.value()}}, name);
      } catch (const InvalidInput& problem) {
        throw InvalidInput(fmt::format("{}: {}", document.where(path), problem.what()));
      }
    }
  });
  known.emplace_back("retention");
  if (const auto given = document.values.find("retention"); given != document.values.end()) {
    require(given->is_object(), document.where("retention"), ": expected a section [retention]");
    for (const auto& entry : given->items()) {
      require(entry.value().is_number() && entry.value() > 0 && entry.value() <= 100'000,
              document.where("retention." + entry.key()), ": expected days, more than 0, got ", entry.value().dump());
      config.retention[entry.key()] = entry.value();
    }
  }
  for (const auto& entry : document.values.items())
    require(std::find(known.begin(), known.end(), entry.key()) != known.end(), document.where(entry.key()),
            ": unknown section; known: ", fmt::format("{}", fmt::join(known, ", ")));
  return config;
}

std::string default_config() {
  std::string text =
      "# Configuration of `fewshop serve`. Every line is a default: uncomment what is to be different.\n"
      "# The command line beats this file, this file beats the environment (FEWSHOP_SERVER_PORT=8087).\n";
  Config config;
  sections(config, [&](const char* name, auto& section) {
    text += fmt::format("\n[{}]\n", name);
    using Section = std::decay_t<decltype(section)>;
    for (const FieldInfo& field : describe_fields<Section>())
      text += fmt::format("# {}\n# {} = {}\n", field.help, field.name, field.default_value.dump());
  });
  text +=
      "\n# Kinds of event and the days after which their rows are removed; \"*\" = all kinds that are not named.\n"
      "[retention]\n# view_item = 90\n# \"*\" = 730\n";
  return text;
}

}  // namespace fewshop::http
