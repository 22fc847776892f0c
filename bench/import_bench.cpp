// Importing ratings: import_recipe beside bare inserts of the same rows, in the same run and in turns.
//   rows_per_s    rows that one CPU second imports from a CSV file into a new SQLite file: reading, types (given, or
//                 inferred), checks, fingerprint, index
//   insert_per_s  the same for rows that lie ready in memory: one prepared statement, one transaction, one index, the
//                 same settings of SQLite
//   ratio         rows_per_s / insert_per_s
// The goal is 300,000 rows a CPU second.
#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "store/store.h"
#include "support/temp_dir.h"
#include "table/import.h"

namespace fewshop {
namespace {

constexpr int kRows = 200'000;

struct Rating {
  std::string user, item;
  double rating;
  int64_t time;
};

std::vector<Rating> ratings() {
  Random random(1);
  std::vector<Rating> rows;
  for (int i = 0; i < kRows; ++i)
    rows.push_back({"u" + std::to_string(i / 50), std::to_string(random.below(4000)),
                    0.5 * static_cast<double>(1 + random.below(10)), 1'300'000'000 + static_cast<int64_t>(i) * 37});
  return rows;
}

std::string csv(const testing::TempDir& folder, const std::vector<Rating>& rows) {
  std::string text = "user_id,item_id,rating,time\n";
  for (const Rating& r : rows)
    text += r.user + "," + r.item + "," + std::to_string(r.rating).substr(0, 3) + "," + std::to_string(r.time) + "\n";
  return folder.write("ratings.csv", text);
}

void need(int status, sqlite3* db) {
  if (status != SQLITE_OK && status != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db));
}

void bare_inserts(const std::string& path, const std::vector<Rating>& rows) {
  sqlite3* db = nullptr;
  need(sqlite3_open(path.c_str(), &db), db);
  const auto run = [&](const char* sql) { need(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), db); };
  run("pragma journal_mode = wal");
  run("pragma synchronous = full");
  run("begin");
  run("create table ratings(user_id text, item_id text, rating real, time integer)");
  sqlite3_stmt* insert = nullptr;
  need(sqlite3_prepare_v2(db, "insert into ratings values (?, ?, ?, ?)", -1, &insert, nullptr), db);
  for (const Rating& r : rows) {
    sqlite3_bind_text(insert, 1, r.user.data(), static_cast<int>(r.user.size()), SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, r.item.data(), static_cast<int>(r.item.size()), SQLITE_STATIC);
    sqlite3_bind_double(insert, 3, r.rating);
    sqlite3_bind_int64(insert, 4, r.time * 1'000'000);
    need(sqlite3_step(insert), db);
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  run("create index ratings_user on ratings(user_id)");
  run("commit");
  sqlite3_close(db);
}

void import_ratings(benchmark::State& state) {
  const bool inferred = state.range(0) != 0;
  const testing::TempDir folder;
  const std::vector<Rating> rows = ratings();
  const std::string file = csv(folder, rows);
  std::string recipe_text = "[[table]]\nname = 'ratings'\nfiles = 'ratings.csv'\nindex = ['user_id']\n";
  recipe_text += inferred ? "infer = true\n" : "types = { rating = 'real', time = 'time' }\n";
  const Recipe recipe = read_recipe(folder.write("ratings.toml", recipe_text));
  bench::Chunks ours, bare;
  int run = 0;
  for (auto _ : state) {
    const std::string name = std::to_string(++run);
    state.SetIterationTime(ours.time(1, [&] {
      const auto store = open_store(folder / (name + ".db"), Store::Access::kWrite);
      import_recipe(recipe, folder.path().string(), *store);
    }));
    bare.time(1, [&] { bare_inserts(folder / (name + "-bare.db"), rows); });
    std::filesystem::remove(folder / (name + ".db"));
    std::filesystem::remove(folder / (name + "-bare.db"));
  }
  state.counters["rows_per_s"] = kRows / ours.median();
  state.counters["insert_per_s"] = kRows / bare.median();
  state.counters["ratio"] = bare.median() / ours.median();
}

BENCHMARK(import_ratings)
    ->ArgName("inferred")
    ->Arg(0)
    ->Arg(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(7);

}  // namespace
}  // namespace fewshop
