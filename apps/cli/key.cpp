// fewshop key: makes, lists and revokes the keys of a shop's server.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "command.h"
#include "core/error.h"
#include "core/time.h"
#include "online/keys.h"
#include "shop_client.h"
#include "store/shop_store.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

struct KeyArguments {
  ServerArguments server;
  std::string name, id, expires;
  std::vector<std::string> allow, scenarios;
  double rate = 0;
};

/// "90d", "12h", or a time.
Micros expiry(const std::string& text) {
  size_t digits = 0;
  while (digits < text.size() && digits < 6 && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits > 0 && digits + 1 == text.size() && (text.back() == 'd' || text.back() == 'h'))
    return system_time() + std::stoll(text) * (text.back() == 'd' ? kDay : kDay / 24);
  const auto time = parse_time(text);
  require(time.has_value(), "--expires: expected 90d, 12h, or a time such as 2030-01-31, got '", text, "'");
  return *time;
}

json wanted(const KeyArguments& arguments) {
  json key = {{"name", arguments.name}, {"actions", arguments.allow}};
  if (!arguments.scenarios.empty()) key["scenarios"] = arguments.scenarios;
  if (!arguments.expires.empty()) key["expires_at"] = format_time(expiry(arguments.expires));
  if (arguments.rate > 0) key["rate"] = arguments.rate;
  return key;
}

void store(ShopStore& store, const KeyRing::Setting& setting) {
  store.write([&](ShopStore::Writer& writer) { writer.put_setting(setting.name, setting.value); });
}

std::unique_ptr<ShopStore> open(const std::string& data, bool create) {
  ShopStore::Options options;
  options.create = create;
  return ShopStore::open(data, options);
}

void create(const KeyArguments& arguments, const Globals& globals) {
  json made;
  if (const auto server = ShopClient::connect(arguments.server)) {
    made = server->call("POST", "/api/keys", wanted(arguments));
  } else {
    // Checked before a database is created for it.
    Key key = KeyRing::parse(wanted(arguments), system_time());
    const auto database = open(arguments.server.data, true);
    const auto result = KeyRing::make(std::move(key), system_time());
    store(*database, result.setting);
    made = to_json(result.key);
    made["key"] = result.secret;
  }
  if (globals.json) {
    print_json(made);
    return;
  }
  fmt::print("{}\n", made["key"].get<std::string>());
  fmt::print(stderr, "key {}: this is shown once; send it as header X-API-Key\n", made["id"].get<std::string>());
}

void list_keys(const KeyArguments& arguments, const Globals& globals) {
  json listed = {{"keys", json::array()}};
  if (const auto server = ShopClient::connect(arguments.server)) {
    listed = server->call("GET", "/api/keys");
  } else {
    const auto database = open(arguments.server.data, false);
    for (const Key& key : KeyRing(database->settings(std::string(KeyRing::kSettings))).list())
      listed["keys"].push_back(to_json(key));
  }
  if (globals.json) {
    print_json(listed);
    return;
  }
  if (listed["keys"].empty()) fmt::print("no keys\n");
  for (const auto& key : listed["keys"]) {
    const auto joined = [](const json& texts) {
      return fmt::format("{}", fmt::join(texts.get<std::vector<std::string>>(), ","));
    };
    std::string line = fmt::format("{}  {}...  {}  {}", key["id"].get<std::string>(), key["prefix"].get<std::string>(),
                                   joined(key["actions"]), key["name"].get<std::string>());
    if (!key["scenarios"].empty()) line += "  scenarios " + joined(key["scenarios"]);
    if (key["rate"].is_number()) line += fmt::format("  {}/s", key["rate"].get<double>());
    if (key["expires_at"].is_string()) line += "  until " + key["expires_at"].get<std::string>();
    if (key["revoked_at"].is_string()) line += "  revoked " + key["revoked_at"].get<std::string>();
    fmt::print("{}\n", line);
  }
}

void revoke(const KeyArguments& arguments, const Globals& globals) {
  json revoked;
  if (const auto server = ShopClient::connect(arguments.server)) {
    revoked = server->call("DELETE", "/api/keys/" + arguments.id);
  } else {
    const auto database = open(arguments.server.data, false);
    KeyRing keys(database->settings(std::string(KeyRing::kSettings)));
    const auto setting = keys.revoked(arguments.id, system_time());
    store(*database, setting);
    keys.put(setting);
    for (const Key& key : keys.list())
      if (key.id == arguments.id) revoked = to_json(key);
  }
  if (globals.json)
    print_json(revoked);
  else
    fmt::print("key {}: revoked\n", arguments.id);
}

}  // namespace

void add_key(CLI::App& app, Globals& globals) {
  auto arguments = std::make_shared<KeyArguments>();
  CLI::App* command = app.add_subcommand("key", "who may ask a shop's server what: make, list and revoke keys");
  command->require_subcommand(1);
  const auto with_data = [&](CLI::App* sub) {
    arguments->server.add_to(*sub);
    return sub;
  };
  CLI::App* make = with_data(command->add_subcommand("create", "make a key and print it, this once"));
  make->add_option("NAME", arguments->name, "what it is for")->required();
  make->add_option("--allow", arguments->allow,
                   "actions, separated by commas: " + fmt::format("{}", fmt::join(KeyRing::actions(), ", ")))
      ->required()
      ->delimiter(',');
  make->add_option("--scenario", arguments->scenarios, "only models of these scenarios")->delimiter(',');
  make->add_option("--expires", arguments->expires, "90d, 12h, or a time such as 2030-01-31");
  make->add_option("--rate", arguments->rate, "requests a second")->check(CLI::PositiveNumber);
  make->callback([arguments, &globals] { create(*arguments, globals); });
  with_data(command->add_subcommand("list", "list keys by id"))->callback([arguments, &globals] {
    list_keys(*arguments, globals);
  });
  CLI::App* end = with_data(command->add_subcommand("revoke", "end a key"));
  end->add_option("ID", arguments->id, "its id")->required();
  end->callback([arguments, &globals] { revoke(*arguments, globals); });
}

}  // namespace fewshop::cli
