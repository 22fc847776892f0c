// fewshop serve: a shop behind HTTP. fewshop config init: its configuration, commented.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <thread>

#include "command.h"
#include "core/cancel.h"
#include "core/progress.h"
#include "http/shop_server.h"
#include "large_heap.h"

namespace fewshop::cli {
namespace {

struct ServeArguments {
  std::string config, data, models, host, port;
  std::vector<std::string> set;
};

void run(const ServeArguments& arguments) {
  std::vector<std::string> overrides = arguments.set;
  const auto flag = [&](const std::string& key, const std::string& value, bool text) {
    if (!value.empty()) overrides.push_back(key + "=" + (text ? nlohmann::json(value).dump() : value));
  };
  flag("database.data_store", arguments.data, true);
  flag("models.folder", arguments.models, true);
  flag("server.host", arguments.host, true);
  flag("server.port", arguments.port, false);
  http::ShopServer::Options options;
  options.config = http::read_config(arguments.config, overrides, [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  });
  const std::string host = options.config.server.host;
  const bool tls = !options.config.server.tls_certificate.empty();
  http::ShopServer server(std::move(options));
  say(fmt::format("serve: listening on {}://{}:{}", tls ? "https" : "http",
                  host.find(':') == std::string::npos ? host : "[" + host + "]", server.port()));
  if (server.open())
    say("serve: the database has no key: open to this machine only, to every program on it "
        "(`fewshop key create` makes one)");
  while (!cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  say("serve: stopping");
  server.stop();
}

}  // namespace

void add_serve(CLI::App& app, Globals&) {
  auto arguments = std::make_shared<ServeArguments>();
  CLI::App* command = app.add_subcommand("serve", "serve a shop over HTTP: events in, adapted answers out");
  command->add_option("-c,--config", arguments->config, "TOML file, as `fewshop config init` prints it");
  command->add_option("--data", arguments->data, "the shop's database (database.data_store)");
  command->add_option("--models", arguments->models, "folder of models (models.folder)");
  command->add_option("--host", arguments->host, "address to listen on (server.host)");
  command->add_option("--port", arguments->port, "port to listen on (server.port)")->check(CLI::Range(0, 65535));
  command->add_option("--set", arguments->set, "any other key: --set server.threads=4 (again for more)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->callback([arguments] {
    keep_heap_in_large_pages();
    run(*arguments);
  });
}

void add_config(CLI::App& app, Globals&) {
  CLI::App* command = app.add_subcommand("config", "the configuration of `fewshop serve`");
  command->require_subcommand(1);
  command->add_subcommand("init", "print the defaults as a commented TOML file")->callback([] {
    fmt::print("{}", http::default_config());
  });
}

}  // namespace fewshop::cli
