// fewshop ps: the server of a shop, and what it is doing.
#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "shop_client.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (whole >= 86'400) return fmt::format("{}d {}h", whole / 86'400, whole % 86'400 / 3600);
  if (whole >= 3600) return fmt::format("{}h {}m", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{}m {}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

std::string text_of(const json& task, const char* name) {
  const auto value = task.find(name);
  if (value == task.end() || value->is_null()) return "-";
  if (!value->is_string()) return value->dump();
  return value->get_ref<const std::string&>().empty() ? "-" : value->get<std::string>();
}

/// "train: features of items, 42 %".
std::string step_of(const json& task) {
  std::string text = text_of(task, "step");
  if (text_of(task, "part") != "-") text += ": " + text_of(task, "part");
  if (const auto share = task.find("share"); share != task.end() && share->is_number())
    text += fmt::format(", {:.0f} %", 100 * share->get<double>());
  return text;
}

void run(const ServerArguments& arguments, const Globals& globals) {
  const auto server = ShopClient::need(arguments, "`ps` shows what a server does");
  json stats = server->call("GET", "/api/dashboard/stats");
  const json tasks = server->call("GET", "/api/dashboard/tasks");
  if (globals.json) {
    stats["tasks"] = tasks;
    print_json(stats);
    return;
  }
  fmt::print("fewshop {}  process {}  up {}  {}\n", stats["version"].get<std::string>(), stats["pid"].dump(),
             duration(stats["uptime_seconds"].get<double>()),
             stats["ready"] == true ? "ready" : "not ready: " + stats["reason"].get<std::string>());
  fmt::print("{} users, {} items, {} rows of events, {} events queued, {} rows in memory\n", stats["users"].dump(),
             stats["items"].dump(), stats["events"].dump(), stats["events_queued"].dump(), stats["memory_rows"].dump());
  for (const auto& model : stats["models"])
    fmt::print("live  {}  {}\n", model["scenario"].get<std::string>(), model["version"].get<std::string>());
  for (const auto& task : tasks)
    fmt::print("task  {}  {}  {}/{}  {}  {}  {}\n", text_of(task, "Name"), text_of(task, "Status"),
               text_of(task, "Count"), text_of(task, "Total"), step_of(task), text_of(task, "StartTime").substr(0, 19),
               text_of(task, "Error") == "-" ? text_of(task, "result") : text_of(task, "Error"));
}

}  // namespace

void add_ps(CLI::App& app, Globals& globals) {
  auto server = std::make_shared<ServerArguments>();
  CLI::App* command = app.add_subcommand("ps", "the server of a shop, its models, its long work");
  server->add_to(*command);
  command->callback([server, &globals] { run(*server, globals); });
}

}  // namespace fewshop::cli
