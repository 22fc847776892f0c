// fewshop model: versions of the models of a shop.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "command.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/progress.h"
#include "evaluate/compare_bundles.h"
#include "http/url.h"
#include "online/model_shelf.h"
#include "shop_client.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

struct ModelArguments {
  ServerArguments server;
  std::string models, path, scenario, version, running, source;
  bool keep = false, off = false, wait = true;
};

/// The shelf of a database that no server has: the same work, done here.
class OfflineShelf {
 public:
  OfflineShelf(const ModelArguments& arguments, bool load) : shop_(shop_options(arguments)) {
    ModelShelf::Options options;
    options.database = arguments.server.data;
    options.folder = arguments.models;
    options.load = load;
    options.log = [](const std::string& message) { say(message); };
    shelf_ = std::make_unique<ModelShelf>(shop_, options);
  }
  ~OfflineShelf() {
    shelf_.reset();
    shop_.stop();
  }
  ModelShelf* operator->() { return shelf_.get(); }

 private:
  static Shop::Options shop_options(const ModelArguments& arguments) {
    std::error_code error;
    require(std::filesystem::exists(arguments.server.data, error), arguments.server.data,
            ": no such database; expected one that `fewshop import` or `fewshop serve` wrote");
    Shop::Options options;
    options.database = arguments.server.data;
    return options;
  }

  Shop shop_;
  std::unique_ptr<ModelShelf> shelf_;
};

std::string path_of(const std::string& scenario, const char* action) {
  return "/api/models/" + http::percent_encode(scenario) + "/" + action;
}

void print(const Globals& globals, const json& object, const std::string& line) {
  if (globals.json)
    print_json(object);
  else
    fmt::print("{}\n", line);
}

void print_version(const Globals& globals, const json& version) {
  print(globals, version,
        fmt::format("{}: version {} {}", version.at("scenario").get<std::string>(),
                    version.at("version").get<std::string>(),
                    version.at("live").get<bool>() ? "is live" : "is published and not live"));
}

void publish(const ModelArguments& arguments, const Globals& globals) {
  const std::string path = std::filesystem::absolute(arguments.path).string();
  if (const auto client = ShopClient::connect(arguments.server))
    return print_version(globals, client->call("POST", "/api/models", {{"path", path}, {"activate", !arguments.keep}}));
  print_version(globals, to_json(OfflineShelf(arguments, true)->publish(path, !arguments.keep)));
}

void activate(const ModelArguments& arguments, const Globals& globals) {
  if (const auto client = ShopClient::connect(arguments.server))
    return print_version(
        globals, client->call("POST", path_of(arguments.scenario, "activate"), {{"version", arguments.version}}));
  print_version(globals, to_json(OfflineShelf(arguments, true)->activate(arguments.scenario, arguments.version)));
}

void rollback(const ModelArguments& arguments, const Globals& globals) {
  if (const auto client = ShopClient::connect(arguments.server))
    return print_version(globals, client->call("POST", path_of(arguments.scenario, "rollback")));
  print_version(globals, to_json(OfflineShelf(arguments, true)->rollback(arguments.scenario)));
}

void remove(const ModelArguments& arguments, const Globals& globals) {
  if (const auto client = ShopClient::connect(arguments.server))
    client->call("DELETE", path_of(arguments.scenario, http::percent_encode(arguments.version).c_str()));
  else
    OfflineShelf(arguments, false)->remove(arguments.scenario, arguments.version);
  print(globals, {{"RowAffected", 1}}, fmt::format("{}: version {} is removed", arguments.scenario, arguments.version));
}

void list_models(const ModelArguments& arguments, const Globals& globals) {
  json object = {{"models", json::array()}, {"shadows", json::object()}};
  if (const auto client = ShopClient::connect(arguments.server)) {
    object = client->call("GET", "/api/models");
  } else {
    for (const ModelVersion& version : OfflineShelf(arguments, false)->list())
      object["models"].push_back(to_json(version));
  }
  if (globals.json) return print_json(object);
  if (object["models"].empty()) fmt::print("no model is published; publish one with `fewshop model publish`\n");
  for (const json& version : object["models"])
    fmt::print("{:<32} {:<14} {:<22} {}\n", version.at("scenario").get<std::string>(),
               version.at("version").get<std::string>(), version.at("published").get<std::string>().substr(0, 19),
               version.at("live").get<bool>()     ? "live"
               : version.at("shadow").get<bool>() ? "shadow"
                                                  : "");
  for (const auto& [scenario, count] : object["shadows"].items())
    fmt::print(
        "{}: shadow {}: {} lists, {:.0f} % of their items the same, {:.0f} % with the same first item, "
        "{:.2f} ms against {:.2f} ms\n",
        scenario, count.at("version").get<std::string>(), count.at("asked").get<int64_t>(),
        100 * count.at("overlap").get<double>(), 100 * count.at("same_first").get<double>(),
        count.at("shadow_ms").get<double>(), count.at("live_ms").get<double>());
}

void shadow(const ModelArguments& arguments, const Globals& globals) {
  require(arguments.off != !arguments.version.empty(), "expected a version, or --off");
  const auto client = ShopClient::need(arguments.server, "a shadow is asked what a server is asked");
  const json object = client->call("POST", path_of(arguments.scenario, "shadow"),
                                   {{"version", arguments.off ? json() : json(arguments.version)}});
  print(globals, object,
        arguments.off ? fmt::format("{}: no shadow", arguments.scenario)
                      : fmt::format("{}: version {} is the shadow", arguments.scenario, arguments.version));
}

void train(const ModelArguments& arguments, const Globals& globals) {
  const auto client = ShopClient::need(arguments.server,
                                       "it trains beside a server; without one, use `fewshop train` and `fewshop "
                                       "model publish`");
  json body = json::object();
  if (!arguments.source.empty())
    body["source"] = std::filesystem::exists(arguments.source) ? std::filesystem::absolute(arguments.source).string()
                                                               : arguments.source;
  json task = client->call("POST", path_of(arguments.scenario, "train"), body);
  const int64_t id = task.at("id").get<int64_t>();
  const auto under_way = [&] { return task.at("Status") == "Pending" || task.at("Status") == "Running"; };
  std::string step;
  while (arguments.wait && under_way()) {
    for (int i = 0; i < 10; ++i) {
      check_cancelled();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    for (const json& other : client->call("GET", "/api/dashboard/tasks"))
      if (other.at("id") == id) task = other;
    if (!globals.json && task.at("step") != step) {
      step = task.at("step").get<std::string>();
      if (!step.empty()) say(fmt::format("{}: {} ...", arguments.scenario, step));
    }
  }
  if (task.at("Status") == "Failed") throw Failure(task.at("Error").get<std::string>());
  print(globals, task,
        under_way() ? fmt::format("{}: training; follow it with `fewshop ps`", arguments.scenario)
                    : fmt::format("{}: {}", arguments.scenario, task.at("result").get<std::string>()));
}

void compare(const ModelArguments& arguments, const Globals& globals) {
  const json object = compare_bundles(arguments.path, arguments.running, arguments.server.data, globals.threads);
  if (globals.json) return print_json(object);
  fmt::print("{}: {}\n", object.at("scenario").get<std::string>(), object.at("verdict").get<std::string>());
  for (const auto& [name, split] : object.at("splits").items())
    for (const char* part : {"candidate", "running", "difference"})
      fmt::print("  {} {} {}: {}\n", name, object.at("metric").get<std::string>(), part, split.at(part).dump());
}

}  // namespace

void add_model(CLI::App& app, Globals& globals) {
  CLI::App* model = app.add_subcommand("model", "versions of models: publish, list, activate, rollback, shadow, train");
  model->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, auto run) {
    auto arguments = std::make_shared<ModelArguments>();
    CLI::App* command = model->add_subcommand(name, help);
    command->callback([arguments, run, &globals] { run(*arguments, globals); });
    return std::pair(command, arguments);
  };
  const auto served = [](auto& made) {
    auto& [command, arguments] = made;
    arguments->server.add_to(*command);
    command->add_option(
        "--models", arguments->models,
        "folder of models (models.folder), where no server runs; default: where the server last had them");
  };
  const auto scenario = [](auto& made) {
    made.first->add_option("scenario", made.second->scenario, "name of the scenario")->required();
  };
  {
    auto made = add("publish", "copy a bundle to the shop's models and make it live", publish);
    made.first->add_option("model", made.second->path, "bundle folder, as 'fewshop train' writes it")
        ->required()
        ->type_name("MODEL");
    made.first->add_flag("--no-activate", made.second->keep, "do not make it live");
    served(made);
  }
  {
    auto made = add("list", "versions, and which are live", list_models);
    served(made);
  }
  {
    auto made = add("activate", "make a version live", activate);
    scenario(made);
    made.first->add_option("version", made.second->version, "version, or its number")->required();
    served(made);
  }
  {
    auto made = add("rollback", "make live what was live before", rollback);
    scenario(made);
    served(made);
  }
  {
    auto made = add("remove", "delete a version that is not in use", remove);
    scenario(made);
    made.first->add_option("version", made.second->version, "version, or its number")->required();
    served(made);
  }
  {
    auto made = add("shadow", "ask a version what the live one is asked, without answering anybody", shadow);
    scenario(made);
    made.first->add_option("version", made.second->version, "version, or its number");
    made.first->add_flag("--off", made.second->off, "no longer");
    served(made);
  }
  {
    auto made = add("train", "train beside the server; live unless proven worse than the running version", train);
    scenario(made);
    made.first
        ->add_option("--source", made.second->source,
                     "scenario file, or the name of a bundled one; without it: as the live version")
        ->type_name("SCENARIO");
    made.first->add_flag("!--no-wait", made.second->wait, "do not wait for the result");
    served(made);
  }
  {
    auto made = add("compare", "two models of a scenario on the same test tasks", compare);
    made.first->add_option("model", made.second->path, "bundle folder of the candidate")->required()->type_name("NEW");
    made.first->add_option("running", made.second->running, "bundle folder of the other")->required()->type_name("OLD");
    made.first->add_option("--data", made.second->server.data, "database")->required()->type_name("DB");
  }
}

}  // namespace fewshop::cli
