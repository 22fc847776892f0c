#include "online/dump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "online/keys.h"
#include "online/ledger.h"
#include "online/secret.h"
#include "store/connection.h"
#include "store/event_codec.h"
#include "store/event_tables.h"
#include "store/person_key.h"
#include "store/server_lock.h"
#include "store/shop_schema.h"
#include "store/shop_store.h"
#include "table/text_source.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr int kLevel = 3;  // zstd's

/// The names in a dump and the tables, in the order of the file.
struct Dumped {
  const char *name, *table;
  bool numbered;  // the number of a row is its place in the order of acceptance
};
constexpr Dumped kTables[] = {{"users", "users", false},
                              {"items", "items", false},
                              {"joins", "fewshop_joins", false},
                              {"refusals", "fewshop_refusals", false},
                              {"events", "events", true},
                              {"events_future", "events_future", true},
                              {"events_withheld", "events_withheld", true}};

/// A file that appears under its name when it is complete.
class LineFile {
 public:
  explicit LineFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {
    // Everything of everybody: for its owner only.
    const int file = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    file_ = file >= 0 ? ::fdopen(file, "wb") : nullptr;
    if (!file_) throw Failure(fmt::format("{}: cannot be written: {}", part_, std::strerror(errno)));
    if (!path_.ends_with(".zst")) return;
    stream_ = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(stream_, ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(stream_, ZSTD_c_checksumFlag, 1);
    out_.resize(ZSTD_CStreamOutSize());
  }
  ~LineFile() {
    if (file_) {
      std::fclose(file_);
      ::unlink(part_.c_str());
    }
    ZSTD_freeCCtx(stream_);
  }
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  void line(const json& value) {
    std::string text = value.dump();
    text += '\n';
    if (stream_)
      compress(text, ZSTD_e_continue);
    else
      write(text.data(), text.size());
  }

  void finish() {
    if (stream_) compress("", ZSTD_e_end);
    if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) fail();
    std::fclose(std::exchange(file_, nullptr));
    if (::rename(part_.c_str(), path_.c_str()) != 0) {
      ::unlink(part_.c_str());
      fail();
    }
  }

 private:
  [[noreturn]] void fail() const {
    throw Failure(fmt::format("{}: cannot be written: {}", path_, std::strerror(errno)));
  }

  void write(const char* data, size_t size) {
    if (std::fwrite(data, 1, size, file_) != size) fail();
  }

  void compress(std::string_view text, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{text.data(), text.size(), 0};
    while (true) {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      const size_t left = ZSTD_compressStream2(stream_, &out, &in, directive);
      if (ZSTD_isError(left)) throw Failure(fmt::format("{}: zstd: {}", path_, ZSTD_getErrorName(left)));
      write(out_.data(), out.pos);
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
    }
  }

  std::string path_, part_;
  FILE* file_ = nullptr;
  ZSTD_CCtx* stream_ = nullptr;
  std::vector<char> out_;
};

bool is_utf8(const std::string& text) {
  try {
    (void)json(text).dump();
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

json value_of(sqlite3_stmt* row, int column) {
  switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(row, column);
    case SQLITE_NULL:
      return nullptr;
    default: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
      std::string text(bytes ? bytes : "", static_cast<size_t>(sqlite3_column_bytes(row, column)));
      if (!is_utf8(text)) return {{"base64url", base64url_of(text)}};
      return text;
    }
  }
}

json row_of_statement(sqlite3_stmt* row) {
  json out = json::object();
  for (int column = 0; column < sqlite3_column_count(row); ++column) {
    json value = value_of(row, column);
    if (!value.is_null()) out[sqlite3_column_name(row, column)] = std::move(value);
  }
  return out;
}

json queued_row(const EventRow& row) {
  json out = {{"event_id", row.event_id},
              {"position", row.position},
              {"time", row.time},
              {"event", row.event},
              {"guest", row.guest ? 1 : 0}};
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  text("user_id", row.user_id);
  text("client_id", row.client_id);
  text("session_id", row.session_id);
  text("item_id", row.item_id);
  text("recommendation_id", row.recommendation_id);
  text("extra", row.extra);
  const auto number = [&](const char* name, double value) {
    if (given(value)) out[name] = value;
  };
  number("quantity", row.quantity);
  number("price", row.price);
  number("value", row.value);
  number("rating", row.rating);
  return out;
}

/// A key without what opens it.
json harmless(const std::string& name, json value) {
  if (!name.starts_with(KeyRing::kSettings)) return value;
  value.erase("hash");
  if (!value.contains("revoked_at")) value["revoked_at"] = value.value("created", Micros{1});
  return value;
}

std::map<std::string, json> settings_of(Connection& connection) {
  std::map<std::string, json> settings;
  auto query = connection.query("select name, value from fewshop_settings order by name");
  while (query.step()) settings.emplace(query.text(0), json::parse(query.view(1)));
  return settings;
}

void check_schema(Connection& connection) {
  auto query = connection.query("pragma user_version");
  query.step();
  const int64_t version = query.integer(0);
  require(version > 0, connection.database().path(),
          ": is no shop's database: no server has opened it yet (`fewshop serve --data` makes it one)");
  require(version <= kSchemaVersion, connection.database().path(), ": has schema version ", version,
          "; this program knows versions up to ", kSchemaVersion);
}

// --- Restoring.

std::string from_base64url(const std::string& text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string bytes;
  unsigned bits = 0;
  int held = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    require(digit != std::string_view::npos, "base64url: expected letters, digits, '-' and '_'");
    bits = bits << 6 | static_cast<unsigned>(digit);
    if ((held += 6) >= 8) bytes += static_cast<char>(bits >> (held -= 8) & 255);
  }
  return bytes;
}

/// Who is to be left out.
class Forgotten {
 public:
  /// Entries that the dump has itself are done: the database that it was made of had forgotten them by then.
  void know(const std::map<std::string, json>& others) {
    std::map<std::string, json> settings;
    for (const auto& [name, value] : others)
      if (name.starts_with(Ledger::kKeys) || name.starts_with(Ledger::kEntries)) settings.emplace(name, value);
    if (!settings.empty()) ledgers_.push_back(settings);
  }
  void begin(const std::map<std::string, json>& of_dump) {
    for (auto& settings : ledgers_) {
      std::erase_if(settings, [&](const auto& entry) {
        const auto done = of_dump.find(entry.first);
        return entry.first.starts_with(Ledger::kEntries) && done != of_dump.end() &&
               done->second.value("time", Micros{0}) >= entry.second.value("time", Micros{0});
      });
      ready_.push_back(std::make_unique<Ledger>(settings));
    }
  }
  bool is(const std::string& who) const {
    return std::any_of(ready_.begin(), ready_.end(), [&](const auto& ledger) { return ledger->forgotten_at(who); });
  }
  bool concerns(const std::string& table, const json& row) const {
    if (ready_.empty()) return false;
    const auto text = [&](const char* name) {
      const auto value = row.find(name);
      return value != row.end() && value->is_string() ? value->get<std::string>() : std::string();
    };
    const std::string user = text("user_id"), client = text("client_id");
    if (table == "refusals") return is(text("who"));
    if (!user.empty() && is(user_key(user))) return true;
    const bool guest = table == "joins" || (row.contains("guest") && row["guest"] == 1);
    return guest && !client.empty() && is(guest_key(client));
  }
  /// Entries to be kept in the new database.
  void each(const std::function<void(const std::string&, const json&)>& use) const {
    for (const auto& settings : ledgers_)
      for (const auto& [name, value] : settings) use(name, value);
  }

 private:
  std::vector<std::map<std::string, json>> ledgers_;
  std::vector<std::unique_ptr<Ledger>> ready_;
};

class Restore {
 public:
  Restore(Connection& connection, Forgotten& forgotten)
      : connection_(connection), forgotten_(forgotten), now_(system_time()) {}

  /// One line; false after the last.
  bool take(const json& line) {
    require(line.is_object() && !line.empty(), "expected an object");
    require(!ended_, "there is more after the end");
    if (!begun_) {
      require(line.contains("fewshop_dump"), "this is no dump of fewshop: expected {\"fewshop_dump\": 1, ...}");
      require(line["fewshop_dump"] == kFormat, "format ", line["fewshop_dump"].dump(), ": this program reads format ",
              kFormat);
      columns(line.at("tables"));
      begun_ = true;
      return true;
    }
    if (line.contains("setting")) {
      require(!rows_begun_, "settings come before rows");
      settings_[line["setting"].get<std::string>()] = line.at("value");
      return true;
    }
    if (!rows_begun_) {
      rows_begun_ = true;
      forgotten_.begin(settings_);
    }
    if (line.contains("end")) {
      require(line["end"].value("rows", int64_t{-1}) == rows_, "the end says ", line["end"].dump(), ", but ", rows_,
              " rows came");
      ended_ = true;
      settle_settings();
      return false;
    }
    const std::string name = line.begin().key();
    const json& row = line.begin().value();
    require(row.is_object(), name, ": expected a row");
    ++rows_;
    if (forgotten_.concerns(name, row)) {
      ++report.forgotten;
      return true;
    }
    ++report.rows[name];
    if (name == "queue") {
      queued(row);
      return true;
    }
    for (const Dumped& table : kTables)
      if (name == table.name) {
        insert(table.table, row, "insert");
        return true;
      }
    throw InvalidInput("unknown kind of row '" + name.substr(0, 100) + "'");
  }
  bool ended() const { return ended_; }

  DumpReport report;

 private:
  /// Adds the columns that labels and imports have given the tables.
  void columns(const json& tables) {
    for (const Dumped& table : kTables) {
      const auto listed = tables.find(table.name);
      if (listed == tables.end()) continue;
      std::set<std::string> present;
      for (const auto& [name, type] : columns_of(connection_, table.table)) present.insert(name);
      for (const auto& column : *listed) {
        const std::string name = column.at(0);
        const std::string type = ascii_lower(column.at(1).get<std::string>());
        if (present.insert(name).second)
          add_column(connection_, table.table, name, type_from_name(type).value_or(ColumnType::kText));
      }
      known_[table.table] = std::move(present);
    }
  }

  void insert(const std::string& table, const json& row, const char* how) {
    const auto& known = known_[table];
    std::string names, marks;
    for (const auto& [name, value] : row.items()) {
      require(name == "rowid" || known.count(name) > 0, table, ": no column '", name.substr(0, 100), "'");
      names += (names.empty() ? "" : ", ") + quote_name(name);
      marks += marks.empty() ? "?" : ", ?";
    }
    auto query = connection_.query(fmt::format("{} into {} ({}) values ({})", how, table, names, marks));
    int at = 0;
    for (const auto& [name, value] : row.items()) bind(query.statement(), ++at, value);
    query.run();
  }

  static void bind(sqlite3_stmt* statement, int at, const json& value) {
    const auto text = [&](const std::string& bytes) {
      require(
          sqlite3_bind_text64(statement, at, bytes.data(), bytes.size(), SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK,
          "a text is too long for the database");
    };
    if (value.is_string())
      text(value.get_ref<const std::string&>());
    else if (value.is_number_integer())
      sqlite3_bind_int64(statement, at, value.get<int64_t>());
    else if (value.is_number())
      sqlite3_bind_double(statement, at, value.get<double>());
    else if (value.is_object() && value.contains("base64url"))
      text(from_base64url(value["base64url"].get<std::string>()));
    else
      throw InvalidInput("expected a text or a number, got " + value.dump().substr(0, 100));
  }

  /// As the server indexes its queue: an event that is there already falls out, and what it names is there.
  void queued(const json& row) {
    const auto name = [&](const char* table, const char* column) {
      if (row.contains(column)) insert(table, json{{column, row[column]}}, "insert or ignore");
    };
    name("users", "user_id");
    name("items", "item_id");
    insert(row.at("time").get<Micros>() > now_ ? "events_future" : "events", row, "insert or ignore");
  }

  void settle_settings() {
    const auto put = [&](const std::string& name, const json& value) {
      connection_.query("insert or replace into fewshop_settings values (?, ?)").add(name).add(value.dump()).run();
    };
    const auto present = settings_of(connection_);
    for (const auto& [name, value] : settings_)
      if (!name.starts_with(KeyRing::kSettings) || present.count(name) == 0) put(name, value);
    // Last: entries that are newer than the dump's.
    forgotten_.each(put);
  }

  Connection& connection_;
  Forgotten& forgotten_;
  Micros now_;
  bool begun_ = false, rows_begun_ = false, ended_ = false;
  int64_t rows_ = 0;
  std::map<std::string, json> settings_;
  std::map<std::string, std::set<std::string>> known_;
};

void check_empty(Connection& connection) {
  for (const char* table : {"users", "items", "events", "events_future", "events_withheld", "fewshop_queue",
                            "fewshop_joins", "fewshop_refusals"}) {
    auto query = connection.query(fmt::format("select 1 from {} limit 1", table));
    require(!query.step(), connection.database().path(), ": has rows in ", table,
            "; a dump is restored into a new database or an empty one");
  }
}

}  // namespace

DumpReport dump(const std::string& database, const std::string& file) {
  const std::string path = database_path(database);
  require(::access(path.c_str(), F_OK) == 0, path, ": no such database");
  Connection connection(path, Store::Access::kRead, {});
  check_schema(connection);
  DumpReport report;
  LineFile out(file);
  connection.exec("begin");
  json tables = json::object();
  for (const Dumped& table : kTables) {
    auto& list = tables[table.name] = json::array();
    for (const auto& [name, type] : columns_of(connection, table.table)) list.push_back({name, type});
  }
  out.line({{"fewshop_dump", kFormat}, {"tables", tables}});
  for (const auto& [name, value] : settings_of(connection))
    if (!name.starts_with("server/"))  // what a server notes for itself
      out.line({{"setting", name}, {"value", harmless(name, value)}});
  int64_t rows = 0;
  const auto row = [&](const char* name, json value) {
    out.line({{name, std::move(value)}});
    ++rows;
    ++report.rows[name];
  };
  for (const Dumped& table : kTables) {
    auto query = connection.query(fmt::format(
        "select {} from {} order by {}", table.numbered ? "rowid as rowid, *" : "*", table.table,
        table.name == std::string_view("joins") || table.name == std::string_view("refusals") ? "1" : "rowid"));
    while (query.step()) row(table.name, row_of_statement(query.statement()));
  }
  auto queue = connection.query("select events from fewshop_queue order by batch");
  while (queue.step())
    for (const Event& event : decode_events(queue.view(0)))
      for (const EventRow& queued : rows_of(event)) row("queue", queued_row(queued));
  out.line({{"end", {{"rows", rows}}}});
  out.finish();
  return report;
}

DumpReport restore(const std::string& file, const std::string& database, const std::string& ledger) {
  const std::string path = database_path(database);
  TextSource source(file, Encoding::kUtf8);
  Forgotten forgotten;
  if (!ledger.empty()) {
    require(::access(database_path(ledger).c_str(), F_OK) == 0, database_path(ledger), ": no such database");
    Connection other(database_path(ledger), Store::Access::kRead, {});
    check_schema(other);
    forgotten.know(settings_of(other));
  }
  const bool created = ::access(path.c_str(), F_OK) != 0;
  const auto attempt = [&] {
    ShopStore::open(path, {});  // makes the tables
    const ServerLock lock(path);
    Connection connection(path, Store::Access::kWrite, {});
    connection.exec("begin immediate");
    check_empty(connection);
    forgotten.know(settings_of(connection));
    Restore restore(connection, forgotten);
    std::string_view line;
    int64_t number = 0;
    while (source.next_line(line)) {
      ++number;
      try {
        restore.take(json::parse(line));
      } catch (const InvalidInput& problem) {
        throw InvalidInput(fmt::format("{}:{}: {}", file, number, problem.what()));
      } catch (const json::exception& problem) {
        throw InvalidInput(fmt::format("{}:{}: {}", file, number, problem.what()));
      }
    }
    require(restore.ended(), file, ": ends after line ", number, " without {\"end\": ...}: the dump is not complete");
    connection.exec("commit");
    return restore.report;
  };
  try {
    return attempt();
  } catch (...) {
    // What was not there before is not there afterwards.
    if (created)
      for (const char* suffix : {"", "-wal", "-shm", ".lock"}) ::unlink((path + suffix).c_str());
    throw;
  }
}

}  // namespace fewshop
