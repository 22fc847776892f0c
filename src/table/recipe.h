#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "table/field_value.h"
#include "table/record.h"

namespace fewshop {

/// Rows to leave out: all of its tests that are given have to hold.
struct DropRule {
  std::string column, reason;
  std::vector<std::string> equals;
  std::string prefix;
  bool missing = false;
  std::optional<double> below, above;

  bool holds(std::string_view text) const;
};

/// Turns named columns into rows: one row per column, its name in `name`, its content in `value`.
struct Unpivot {
  std::vector<std::string> columns;
  std::string name, value;
};

struct SourceFile {
  std::string pattern;  // name in the folder of --from; * and ? match; without ".zst" or ".gz", which are found too
  FileFormat format;
  std::map<std::string, std::string> constant;  // columns with one value for the whole file
};

/// How one table comes about: from files, or from SQL over tables that came before.
struct TableRecipe {
  std::string name, place;
  std::vector<SourceFile> files;
  std::string sql;
  bool scratch = false;   // for the SQL after it only
  bool optional = false;  // no such file: no table
  std::map<std::string, std::string> rename;
  Unpivot unpivot;
  std::vector<std::string> missing;  // texts that mean missing, beside the empty one
  std::vector<DropRule> drop;
  std::vector<std::string> keep;  // columns to store, in this order; empty: all
  std::map<std::string, FieldType> types;
  bool infer = false;  // columns without a type get one from their values; otherwise they are text
  std::vector<std::vector<std::string>> index;
};

/// datasets/NAME.toml as values; docs/data-formats.md is its manual.
struct Recipe {
  std::string name, title, source, licence;
  std::string file;  // "" for recipes that were guessed
  std::vector<TableRecipe> tables;
};

/// Throws InvalidInput with file and key for anything that is unknown, of the wrong kind or contradictory.
Recipe read_recipe(const std::string& file);

/// Names and files of the recipes that come with the program.
std::map<std::string, std::string> bundled_recipes();

/// A recipe for headed files whose layout is guessed from their first lines: CSV with "," ";" tab, "|" or "::", JSON
/// lines, a JSON list, RecBole. Types are inferred except those given. One table per file, called like it; `table` puts
/// all files into one.
Recipe guess_recipe(const std::vector<std::string>& files, const std::string& table = "",
                    const std::map<std::string, FieldType>& types = {});

/// "col=type,col=time:%d/%m/%Y" of the command line.
std::map<std::string, FieldType> parse_types(const std::string& text);

}  // namespace fewshop
