// fewshop forget: removes a user from a shop, with a receipt.
#include <fmt/format.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>

#include "command.h"
#include "core/error.h"
#include "http/url.h"
#include "online/model_shelf.h"
#include "online/shop.h"
#include "shop_client.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

/// The same without a server: the shop is opened for this one change.
json forget_here(const std::string& data, const std::string& models_folder, const std::string& user) {
  ShopStore::Options existing;
  existing.create = false;
  ShopStore::open(data, existing);
  Shop::Options options;
  options.database = data;
  Shop shop(options);
  ModelShelf::Options models;
  models.database = data;
  models.folder = models_folder;
  models.log = [](const std::string& message) { fmt::print(stderr, "fewshop: {}\n", message); };
  ModelShelf shelf(shop, models);
  std::mutex mutex;
  std::condition_variable ready;
  json answer;
  std::string error;
  shop.forget(user, [&](const Outcome& outcome, const json& receipt) {
    const std::lock_guard lock(mutex);
    error = outcome.error;
    answer = {{"RowAffected", std::min<int64_t>(1, outcome.rows)}, {"receipt", receipt}};
    ready.notify_one();
  });
  {
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return !answer.is_null(); });
  }
  // Versions are counted anew on the shelf's thread: what is asked of it next comes after that.
  std::promise<void> counted;
  shelf.background([&] { counted.set_value(); });
  counted.get_future().wait();
  shelf.stop();
  if (error.empty())
    for (const auto& receipt : shop.receipts(user)) answer["receipt"] = receipt;
  shop.stop();
  if (!error.empty()) throw Failure(error);
  return answer;
}

void run(const ServerArguments& arguments, const std::string& models, const std::string& user, const Globals& globals) {
  require(!user.empty(), "USER: expected the id of a user");
  json answer;
  if (const auto server = ShopClient::connect(arguments))
    answer = server->call("DELETE", "/api/user/" + http::percent_encode(user));
  else
    answer = forget_here(arguments.data, models, user);
  if (globals.json) {
    print_json(answer);
    return;
  }
  const json& receipt = answer["receipt"];
  if (answer["RowAffected"] == 0) fmt::print("nothing was held of this user; the ledger keeps late events out\n");
  for (const auto& [where, rows] : receipt["removed"].items())
    if (rows != 0) fmt::print("removed from {}: {}\n", where, rows.dump());
  fmt::print("answers as to a newcomer: {}\n", receipt.contains("check") && receipt["check"]["newcomer"] == true
                                                   ? "checked"
                                                   : "no: " + receipt.value("check", json()).dump());
  for (const auto& model : receipt.value("models", json::array())) {
    fmt::print("{} {}: {}; may hold until it is trained anew:\n", model["scenario"].get<std::string>(),
               model["version"].get<std::string>(), model.value("counts", ""));
    for (const auto& [member, what] : model["may_hold"].items())
      fmt::print("  {}: {}\n", member, what.get<std::string>());
  }
  const json other_tables = receipt.value("other_tables", json::object());
  for (const auto& [table, rows] : other_tables.items())
    fmt::print("left in table {}, which the server does not keep: {}; delete what is the user's yourself\n", table,
               rows == -1 ? "cannot be read" : rows.dump() + " rows");
  if (receipt.contains("id")) fmt::print("receipt {}\n", receipt["id"].get<std::string>());
  for (const auto& what : receipt.value("waits_for", json::array()))
    fmt::print("pending: {}\n", what == "log" ? "the database's log is still being read; the server cuts it"
                                              : "models are counted anew; GET /api/forgotten has the receipt");
}

}  // namespace

void add_forget(CLI::App& app, Globals& globals) {
  struct ForgetArguments {
    ServerArguments server;
    std::string user, models;
  };
  auto arguments = std::make_shared<ForgetArguments>();
  CLI::App* command = app.add_subcommand("forget", "remove a user and what is known of it from a shop");
  command->add_option("USER", arguments->user, "the user's id")->required();
  arguments->server.add_to(*command);
  command->add_option("--models", arguments->models,
                      "folder of the shop's models, without a server; default: where the server last had them");
  command->callback([arguments, &globals] { run(arguments->server, arguments->models, arguments->user, globals); });
}

}  // namespace fewshop::cli
