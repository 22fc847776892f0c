// fewshop import RECIPE|FILE... --into shop.db: files become tables.
#include <fmt/format.h>

#include <filesystem>

#include "command.h"
#include "core/error.h"
#include "core/resources.h"
#include "store/store.h"
#include "table/import.h"

namespace fewshop::cli {
namespace {

namespace fs = std::filesystem;

struct ImportArguments {
  std::vector<std::string> sources;
  std::string from, into, table, types;
};

std::string names_of(const std::map<std::string, std::string>& recipes) {
  std::string names;
  for (const auto& [name, file] : recipes) names += (names.empty() ? "" : ", ") + name;
  return names;
}

/// The recipe file that a single argument means; "" when the arguments are data files.
std::string recipe_file(const ImportArguments& arguments) {
  for (const auto& given : arguments.sources) require(!given.empty(), "import: the name of a file is empty");
  const std::string& source = arguments.sources.front();
  const auto bundled = bundled_recipes();
  const auto known = bundled.find(source);
  if (known != bundled.end() && !fs::is_regular_file(source)) {
    require(arguments.sources.size() == 1, source, ": one recipe at a time");
    return known->second;
  }
  if (source.ends_with(".toml")) {
    require(arguments.sources.size() == 1, source, ": one recipe at a time");
    return source;
  }
  require(fs::exists(source), source, ": no such file, and no recipe of this name; recipes: ", names_of(bundled));
  return "";
}

/// Where the files of a recipe are: --from, else data that comes with the program (data/NAME).
std::string folder_of(const ImportArguments& arguments, const Recipe& recipe) {
  if (!arguments.from.empty()) {
    require(fs::is_directory(arguments.from), "--from ", arguments.from, ": no such folder");
    return arguments.from;
  }
  const auto data = resource_folder("data");
  const auto folder = fs::path(data) / recipe.name;
  require(!data.empty() && fs::is_directory(folder), recipe.name,
          ": give the folder that holds the raw files: --from DIR",
          recipe.source.empty() ? "" : " (they come from: " + recipe.source + ")");
  return folder.string();
}

ImportReport run(const ImportArguments& arguments) {
  const std::string file = recipe_file(arguments);
  Recipe recipe;
  std::string folder;
  if (file.empty()) {
    require(arguments.from.empty(), "--from: is for recipes; name files with their folder");
    recipe = guess_recipe(arguments.sources, arguments.table, parse_types(arguments.types));
  } else {
    require(arguments.table.empty(), "--table: is for files; the recipe ", file, " names its tables");
    require(arguments.types.empty(), "--types: is for files; the recipe ", file, " names its types");
    recipe = read_recipe(file);
    folder = folder_of(arguments, recipe);
  }
  auto store = open_store(arguments.into, Store::Access::kWrite);
  return import_recipe(recipe, folder, *store);
}

void print_people(const ImportReport& report, const std::string& into) {
  for (const auto& table : report.tables) {
    if (table.scratch)
      fmt::print("read {}: {} of {} records", table.name, table.rows, table.records);
    else
      fmt::print("{}: table {}, {} rows", into, table.name, table.rows);
    for (const auto& [reason, count] : table.dropped) fmt::print(", {} dropped ({})", count, reason);
    if (table.rejected) fmt::print(", {} rejected (see {})", table.rejected, table.reject_file);
    fmt::print("\n");
  }
}

}  // namespace

void add_import(CLI::App& app, Globals& globals) {
  auto arguments = std::make_shared<ImportArguments>();
  auto* command = app.add_subcommand("import", "files into typed tables of a database");
  command->footer(
      "RECIPE is the name of a bundled recipe (" + names_of(bundled_recipes()) +
      ") or a .toml file; its raw files are in --from.\n"
      "FILE is any headed CSV or TSV, JSON lines or RecBole file, plain or compressed (.zst, .gz); types are "
      "inferred.\n\n"
      "  fewshop import ratings.csv --into shop.db\n"
      "  fewshop import ratings.csv --into shop.db --table votes --types zip=text,seen=time:%d/%m/%Y\n"
      "  fewshop import movielens-1m --from ~/data/ml-1m --into shop.db\n\n"
      "Rows that do not fit go to DB.TABLE.rejects.tsv with line and reason; more than 5 % of them (and more than 10)\n"
      "fail the import, which then changes nothing. An existing table of the same name is replaced.");
  command->add_option("source", arguments->sources, "a recipe, or files")->required()->type_name("RECIPE|FILE...");
  command->add_option("--into", arguments->into, "database (SQLite file), made when it is missing")
      ->required()
      ->type_name("DB");
  command->add_option("--from", arguments->from, "folder of the recipe's raw files")->type_name("DIR");
  command->add_option("--table", arguments->table, "table for the files; default: the name of each file")
      ->type_name("NAME");
  command
      ->add_option("--types", arguments->types,
                   "types that are not to be inferred: integer, real, text, time, time:FORMAT, boolean")
      ->type_name("COL=TYPE,...");
  command->callback([arguments, &globals] {
    const auto report = run(*arguments);
    if (globals.json)
      print_json(report.to_json());
    else
      print_people(report, arguments->into);
  });
}

}  // namespace fewshop::cli
