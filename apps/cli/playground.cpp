// fewshop playground: a bundled shop, served at once; its model trains behind it.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "command.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/resources.h"
#include "http/shop_server.h"
#include "large_heap.h"
#include "store/store.h"
#include "table/import.h"

namespace fewshop::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScenario = "online-retail-next-product";
constexpr const char* kRecipe = "online-retail";

struct PlaygroundArguments {
  std::string data;
  int port = 8087;
};

std::string cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache + "/fewshop/playground";
  if (const auto home = variable("HOME"); !home.empty()) return home + "/.cache/fewshop/playground";
  throw InvalidInput("playground: no home folder to keep the shop in; name a database with --data shop.db");
}

/// Imports the bundled shop where the database has no events.
void import_shop(const std::string& database) {
  auto store = open_store(database, Store::Access::kWrite);
  if (store->has_table("events")) return;
  const auto recipes = bundled_recipes();
  const std::string data = resource_folder("data") + "/" + kRecipe;
  require(recipes.count(kRecipe) > 0 && fs::is_directory(data),
          "playground: the bundled shop is not there; set FEWSHOP_HOME to the folder that holds datasets/ and data/");
  say(fmt::format("playground: importing the bundled shop into {}", database));
  import_recipe(read_recipe(recipes.at(kRecipe)), data, *store);
}

/// Makes live what scripts/demo has trained in this source tree; false where there is nothing, or it does not fit.
bool publish_demo(ModelShelf& shelf) {
  const std::string demo = resource_folder("build/demo");
  const std::string bundle = demo + "/" + kScenario;
  if (demo.empty() || !fs::is_directory(bundle)) return false;
  try {
    shelf.publish(bundle);
    return true;
  } catch (const std::exception& problem) {
    say(fmt::format("playground: {} is passed over: {}", bundle, problem.what()));
    return false;
  }
}

void print_welcome(const std::string& url, bool trained) {
  fmt::print(
      "A British shop for gifts (UCI Online Retail, CC BY 4.0) answers on {0}\n"
      "What is popular, and what people bought beside a cake stand:\n"
      "  curl '{0}/api/popular?n=5'\n"
      "  curl '{0}/api/item-to-item/also/22423?n=5'\n"
      "A new customer buys two things; the next answer knows:\n"
      "  curl '{0}/api/recommend/me?n=5'\n"
      "  curl '{0}/api/events' -d '[{{\"event\": \"purchase\", \"user_id\": \"me\", \"item_id\": \"22423\"}},\n"
      "    {{\"event\": \"purchase\", \"user_id\": \"me\", \"item_id\": \"22699\"}}]'\n"
      "  curl '{0}/api/recommend/me?n=5&explain=true'\n"
      "All routes: {0}/apidocs\n"
      "{1}; Ctrl-C stops.\n",
      url,
      trained ? "Its model is live" : "Its model trains behind (minutes); until then, lists are of what is popular");
  std::fflush(stdout);
}

void run(const PlaygroundArguments& arguments) {
  std::string database = arguments.data;
  if (database.empty()) {
    const std::string folder = cache_folder();
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw Failure(fmt::format("{}: cannot be made: {}", folder, error.message()));
    database = folder + "/shop.db";
  }
  import_shop(database);
  http::ShopServer::Options options;
  options.config.database.data_store = database;
  options.config.server.port = arguments.port;
  options.config.server.log = database + ".log";
  http::ShopServer server(std::move(options));
  const bool trained = server.shelf().live(kScenario) || publish_demo(server.shelf());
  int64_t job = trained ? 0 : server.trainer().train(kScenario).id;
  print_welcome(fmt::format("http://127.0.0.1:{}", server.port()), trained);
  while (!cancelled()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (job == 0) continue;
    const Jobs::Record record = server.jobs().get(job);
    if (record.status == Jobs::Status::kComplete)
      say(fmt::format("playground: the model is trained: {}", record.result));
    else if (record.status == Jobs::Status::kFailed)
      say(fmt::format("playground: the model could not be trained: {}", record.error));
    else
      continue;
    job = 0;
  }
  say("playground: stopping");
  server.stop();
}

}  // namespace

void add_playground(CLI::App& app, Globals&) {
  auto arguments = std::make_shared<PlaygroundArguments>();
  CLI::App* command = app.add_subcommand("playground", "serve a bundled shop on this machine, to try things out");
  command->add_option("--port", arguments->port, "port to listen on, 8087 by default; 0 = any that is free")
      ->check(CLI::Range(0, 65535));
  command
      ->add_option("--data", arguments->data, "database to keep the shop in; a folder of the user's cache by default")
      ->type_name("DB");
  command->footer("Example: fewshop playground --port 8087");
  command->callback([arguments] {
    keep_heap_in_large_pages();
    run(*arguments);
  });
}

}  // namespace fewshop::cli
