#include "table/import.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/progress.h"
#include "table/rejects.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;

/// A file of a table, open, with its place in the table's columns.
struct OpenFile {
  std::string path, name;  // name: as messages show it
  const SourceFile* source = nullptr;
  std::vector<std::string> columns;  // of the file, renamed
  std::map<std::string, ColumnType> types;
};

/// Where the text of one column comes from in the records of one file.
struct Slot {
  enum class From { kMissing, kField, kConstant, kUnpivotName, kUnpivotValue } from = From::kMissing;
  int field = -1;
  std::string constant;
};

/// Files in the folder that match, sorted; a name without compression suffix finds the compressed file too.
std::vector<std::string> find_files(const std::string& folder, const std::string& pattern) {
  std::vector<std::string> found;
  if (pattern.find_first_of("*?[") == std::string::npos) {
    for (const char* suffix : {"", ".zst", ".gz"}) {
      const fs::path path = fs::path(folder) / (pattern + suffix);
      if (!fs::exists(path)) continue;
      found.push_back(path.string());
      break;
    }
    return found;
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    for (const char* suffix : {"", ".zst", ".gz"})
      if (fnmatch((pattern + suffix).c_str(), name.c_str(), 0) == 0) {
        found.push_back(entry.path().string());
        break;
      }
  }
  std::sort(found.begin(), found.end());
  return found;
}

class TableImport {
 public:
  TableImport(const TableRecipe& recipe, const std::string& folder, Store& store)
      : recipe_(recipe), store_(store), dropped_(recipe.drop.size()) {
    for (const auto& source : recipe.files) open(source, folder);
  }

  bool has_files() const { return !files_.empty(); }

  ImportedTable run() {
    gather_columns();
    // A table may be called a/b; its file lies beside the database all the same.
    std::string file_name = recipe_.name;
    std::replace(file_name.begin(), file_name.end(), '/', '_');
    RejectFile rejects(store_.location() + "." + file_name + ".rejects.tsv");
    choose_types();
    auto writer = store_.write(recipe_.name, stored_columns(), recipe_.scratch);
    std::vector<Value> row(kept_.size());
    int64_t records = 0;
    const auto reject = [&](const OpenFile& file, const Record& record, const std::string& reason) {
      rejects.add(file.name, record.line, reason, record.raw);
      // A wrong file need not be read to its end.
      constexpr int64_t kHopeless = 1000;
      if (rejects.count() >= kHopeless && 2 * rejects.count() > records) refuse(rejects, records);
    };
    for_each_row("import " + recipe_.name, &records, reject,
                 [&](const auto& file, const auto& record, const auto& texts) {
                   for (size_t k = 0; k < kept_.size(); ++k) {
                     const int c = kept_[k];
                     if (parse_field(texts[c], types_[c], row[k])) continue;
                     reject(file, record, misfit(c, texts[c]));
                     return;
                   }
                   writer->add(row);
                 });
    constexpr int64_t kFew = 10;
    if (rejects.count() > kFew && rejects.count() * 20 > records) refuse(rejects, records);
    const auto info = writer->finish(recipe_.index);
    rejects.finish();
    ImportedTable table{recipe_.name, recipe_.scratch, records, info.rows, rejects.count(), rejects.path(), {}};
    for (size_t d = 0; d < dropped_.size(); ++d) {
      // Rules with one reason are counted together.
      const auto& reason = recipe_.drop[d].reason;
      auto same = std::find_if(table.dropped.begin(), table.dropped.end(), [&](auto& e) { return e.first == reason; });
      if (same == table.dropped.end())
        table.dropped.emplace_back(reason, dropped_[d]);
      else
        same->second += dropped_[d];
    }
    return table;
  }

 private:
  void open(const SourceFile& source, const std::string& folder) {
    // Guessed recipes hold whole paths.
    const auto paths = folder.empty() ? std::vector<std::string>{source.pattern} : find_files(folder, source.pattern);
    require(!paths.empty() || recipe_.optional, recipe_.place, ": no file '", source.pattern,
            "' (plain, .zst or .gz) in ", folder, "; give the folder that holds it with --from");
    for (const auto& path : paths) {
      OpenFile file{path, folder.empty() ? path : fs::path(path).filename().string(), &source, {}, {}};
      const auto reader = open_records(path, source.format);
      file.columns = reader->columns();
      file.types = reader->types();
      for (auto& column : file.columns) {
        const auto renamed = recipe_.rename.find(column);
        if (renamed == recipe_.rename.end()) continue;
        if (const auto type = file.types.find(column); type != file.types.end()) {
          file.types[renamed->second] = type->second;
          file.types.erase(column);
        }
        column = renamed->second;
      }
      files_.push_back(std::move(file));
    }
  }

  int column(const std::string& name) const {
    const auto found = std::find(columns_.begin(), columns_.end(), name);
    return found == columns_.end() ? -1 : static_cast<int>(found - columns_.begin());
  }

  int known_column(const std::string& name, const char* key) const {
    const int c = column(name);
    std::string known;
    for (const auto& other : columns_) known += (known.empty() ? "" : ", ") + other;
    require(c >= 0, recipe_.place, ": ", key, ": no column '", name, "'; the columns are ", known);
    return c;
  }

  /// The columns of all files in the order in which they first occur, then constants, then what unpivot makes.
  void gather_columns() {
    const auto add = [&](const std::string& name) {
      if (column(name) < 0) columns_.push_back(name);
    };
    const auto& unpivoted = recipe_.unpivot.columns;
    for (const auto& file : files_) {
      for (const auto& name : unpivoted)
        require(std::find(file.columns.begin(), file.columns.end(), name) != file.columns.end(), recipe_.place,
                ": unpivot: no column '", name, "' in ", file.name);
      for (const auto& name : file.columns)
        if (std::find(unpivoted.begin(), unpivoted.end(), name) == unpivoted.end()) add(name);
    }
    for (const auto& file : files_)
      for (const auto& [name, value] : file.source->constant) add(name);
    if (!unpivoted.empty()) {
      add(recipe_.unpivot.name);
      add(recipe_.unpivot.value);
    }
    if (recipe_.keep.empty())
      for (size_t c = 0; c < columns_.size(); ++c) kept_.push_back(static_cast<int>(c));
    for (const auto& name : recipe_.keep) kept_.push_back(known_column(name, "keep"));
    for (const auto& [name, type] : recipe_.types) known_column(name, "types");
    for (const auto& rule : recipe_.drop) drop_columns_.push_back(known_column(rule.column, "drop"));
  }

  void choose_types() {
    types_.resize(columns_.size());
    std::vector<int> open;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const auto given = recipe_.types.find(columns_[c]);
      bool known = given != recipe_.types.end();
      if (known) types_[c] = given->second;
      for (size_t f = 0; f < files_.size() && !known; ++f) {
        const auto declared = files_[f].types.find(columns_[c]);
        known = declared != files_[f].types.end();
        if (known) types_[c].type = declared->second;
      }
      if (!known) open.push_back(static_cast<int>(c));
    }
    if (!recipe_.infer || open.empty()) return;
    std::vector<TypeGuess> guesses;
    for (const int c : open) guesses.emplace_back(columns_[c]);
    for_each_row(
        "types of " + recipe_.name, nullptr, [](const auto&, const auto&, const auto&) {},
        [&](const OpenFile&, const Record&, const std::vector<std::string_view>& texts) {
          for (size_t i = 0; i < open.size(); ++i) guesses[i].add(texts[open[i]]);
        });
    for (size_t i = 0; i < open.size(); ++i) types_[open[i]].type = guesses[i].type();
    std::fill(dropped_.begin(), dropped_.end(), 0);
  }

  std::vector<TableColumn> stored_columns() const {
    std::vector<TableColumn> stored;
    for (const int c : kept_) stored.push_back({columns_[c], types_[c].type});
    return stored;
  }

  std::vector<Slot> slots_of(const OpenFile& file) const {
    std::vector<Slot> slots(columns_.size());
    for (size_t f = 0; f < file.columns.size(); ++f)
      if (const int c = column(file.columns[f]); c >= 0) slots[c] = {Slot::From::kField, static_cast<int>(f), ""};
    for (const auto& [name, value] : file.source->constant) slots[column(name)] = {Slot::From::kConstant, -1, value};
    if (!recipe_.unpivot.columns.empty()) {
      slots[column(recipe_.unpivot.name)].from = Slot::From::kUnpivotName;
      slots[column(recipe_.unpivot.value)].from = Slot::From::kUnpivotValue;
    }
    return slots;
  }

  /// Calls use(file, record, texts) for every row that is not dropped, texts by column, and reject(file, record,
  /// reason) for every record that does not fit.
  template <class Reject, class Use>
  void for_each_row(const std::string& name, int64_t* records, const Reject& reject, const Use& use) {
    int64_t total = 0;
    for (const auto& file : files_) total += file_bytes(file.path);
    Progress progress(name, total);
    std::vector<std::string_view> texts(columns_.size());
    for (const auto& file : files_) {
      const auto reader = open_records(file.path, file.source->format);
      const auto slots = slots_of(file);
      std::vector<int> unpivoted;
      for (const auto& column : recipe_.unpivot.columns)
        unpivoted.push_back(
            static_cast<int>(std::find(file.columns.begin(), file.columns.end(), column) - file.columns.begin()));
      Record record;
      for (int64_t n = 0, shown = 0; reader->next(record); ++n) {
        constexpr int64_t kRecordsBetweenChecks = 1024;
        if (n % kRecordsBetweenChecks == 0) {
          progress.advance(reader->position() - shown);
          shown = reader->position();
        }
        if (records) ++*records;
        if (!record.problem.empty()) {
          reject(file, record, record.problem);
          continue;
        }
        const size_t repeats = std::max<size_t>(1, unpivoted.size());
        for (size_t r = 0; r < repeats; ++r) {
          for (size_t c = 0; c < slots.size(); ++c) texts[c] = text_of(slots[c], record, unpivoted, r);
          if (!dropped(texts)) use(file, record, texts);
        }
      }
    }
  }

  std::string_view text_of(const Slot& slot, const Record& record, const std::vector<int>& unpivoted, size_t r) const {
    std::string_view text;
    switch (slot.from) {
      case Slot::From::kMissing:
        return {};
      case Slot::From::kConstant:
        return slot.constant;
      case Slot::From::kUnpivotName:
        return recipe_.unpivot.columns[r];
      case Slot::From::kField:
        text = record.fields[slot.field];
        break;
      case Slot::From::kUnpivotValue:
        text = record.fields[unpivoted[r]];
        break;
    }
    for (const auto& missing : recipe_.missing)
      if (text == missing) return {};
    return text;
  }

  bool dropped(const std::vector<std::string_view>& texts) {
    for (size_t d = 0; d < recipe_.drop.size(); ++d)
      if (recipe_.drop[d].holds(texts[drop_columns_[d]])) {
        ++dropped_[d];
        return true;
      }
    return false;
  }

  std::string misfit(int c, std::string_view text) const {
    constexpr size_t kShown = 60;
    const auto& type = types_[c];
    return fmt::format("column {}: '{}{}' is no {}{}", columns_[c], text.substr(0, kShown),
                       text.size() > kShown ? "..." : "", type_name(type.type),
                       type.time_format.empty() ? "" : " of the form " + type.time_format);
  }

  [[noreturn]] void refuse(RejectFile& rejects, int64_t records) {
    rejects.finish();
    throw InvalidInput(fmt::format(
        "table {}: {} of {} records do not fit (more than 5 %), so nothing was imported; the first one: {}; all of "
        "them with reasons: {}",
        recipe_.name, rejects.count(), records, rejects.first(), rejects.path()));
  }

  const TableRecipe& recipe_;
  Store& store_;
  std::vector<OpenFile> files_;
  std::vector<std::string> columns_;
  std::vector<int> kept_, drop_columns_;
  std::vector<FieldType> types_;
  std::vector<int64_t> dropped_;
};

ImportedTable import_sql(const TableRecipe& recipe, Store& store) {
  std::map<std::string, ColumnType> types;
  for (const auto& [column, type] : recipe.types) {
    require(type.time_format.empty(), recipe.place, ": types.", column, ": a format of times is for files only");
    types[column] = type.type;
  }
  try {
    const auto info = store.write_query(recipe.name, recipe.sql, types, recipe.index, recipe.scratch);
    return {recipe.name, recipe.scratch, 0, info.rows, 0, "", {}};
  } catch (const InvalidInput& error) {
    throw InvalidInput(recipe.place + ": " + error.what());
  }
}

}  // namespace

nlohmann::json ImportReport::to_json() const {
  nlohmann::json json = {{"tables", nlohmann::json::array()}, {"sources", nlohmann::json::array()}};
  for (const auto& table : tables) {
    nlohmann::json dropped = nlohmann::json::object();
    for (const auto& [reason, count] : table.dropped) dropped[reason] = count;
    json[table.scratch ? "sources" : "tables"].push_back(
        {{"name", table.name},
         {"rows", table.rows},
         {"rejected", table.rejected},
         {"reject_file", table.reject_file.empty() ? nlohmann::json() : nlohmann::json(table.reject_file)},
         {"records", table.records},
         {"dropped", dropped}});
  }
  return json;
}

ImportReport import_recipe(const Recipe& recipe, const std::string& folder, Store& store) {
  ImportReport report;
  Transaction transaction(store);
  for (const auto& table : recipe.tables) {
    if (!table.sql.empty()) {
      report.tables.push_back(import_sql(table, store));
      continue;
    }
    TableImport import(table, folder, store);
    if (import.has_files()) report.tables.push_back(import.run());
  }
  require(!report.tables.empty(), recipe.file, ": no file of this recipe is in ", folder,
          "; give the folder with --from");
  transaction.commit();
  return report;
}

}  // namespace fewshop
