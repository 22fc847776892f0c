// fewshop dump, fewshop restore: a shop's database as one file, and back.
#include "online/dump.h"

#include <fmt/format.h>

#include <memory>

#include "command.h"

namespace fewshop::cli {
namespace {

void print(const char* done, const std::string& where, const DumpReport& report, const Globals& globals) {
  if (globals.json) {
    print_json({{"file", where}, {"rows", report.rows}, {"forgotten", report.forgotten}});
    return;
  }
  std::string rows;
  for (const auto& [table, count] : report.rows) rows += fmt::format("{}{} {}", rows.empty() ? "" : ", ", count, table);
  fmt::print("{} {}: {}\n", done, where, rows.empty() ? "nothing" : rows);
  if (report.forgotten > 0) fmt::print("left out: {} rows of users who have been forgotten since\n", report.forgotten);
}

struct DumpArguments {
  std::string data, file, ledger;
};

}  // namespace

void add_dump(CLI::App& app, Globals& globals) {
  auto arguments = std::make_shared<DumpArguments>();
  CLI::App* command = app.add_subcommand("dump", "write a shop's database to a file, also while it is served");
  command->add_option("FILE", arguments->file, "JSON lines; compressed where the name ends in .zst")->required();
  command->add_option("--data", arguments->data, "the shop's database")->required();
  command->callback(
      [arguments, &globals] { print("dumped to", arguments->file, dump(arguments->data, arguments->file), globals); });
}

void add_restore(CLI::App& app, Globals& globals) {
  auto arguments = std::make_shared<DumpArguments>();
  CLI::App* command = app.add_subcommand("restore", "put a dump into a new or empty database");
  command->add_option("FILE", arguments->file, "what `fewshop dump` wrote")->required();
  command->add_option("--data", arguments->data, "the new database")->required();
  command->add_option("--ledger", arguments->ledger,
                      "database whose forgotten users are left out: the one in use before");
  command->callback([arguments, &globals] {
    print("restored", arguments->data, restore(arguments->file, arguments->data, arguments->ledger), globals);
  });
}

}  // namespace fewshop::cli
