#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/options.h"

namespace fewshop::http {

// What `fewshop serve` can be told, section by section of its file. Every option has three ways in; what is said on the
// command line beats the file, and the file beats the environment (FEWSHOP_SERVER_PORT=8087).

struct ServerSection {
  std::string host = "127.0.0.1";
  int port = 8087;
  int threads = 2;
  std::string tls_certificate, tls_key;
  bool require_key = false;
  std::string cors_origins;
  int default_n = 10;
  int max_body_mb = 64;
  int max_connections = 20'000;
  int max_in_flight = 1'000;
  double drain_seconds = 20;
  std::string log;
};
template <class Visitor>
void fields(ServerSection& o, Visitor&& visit) {
  visit("host", o.host, Field{0, 1, "address to listen on; 0.0.0.0 = all, which needs a key"});
  visit("port", o.port, Field{0, 65535, "port to listen on; 0 = any that is free"});
  visit("threads", o.threads, Field{1, 1024, "threads that answer"});
  visit("tls_certificate", o.tls_certificate, Field{0, 1, "PEM file of the certificate chain; empty = no TLS"});
  visit("tls_key", o.tls_key, Field{0, 1, "PEM file of the certificate's key"});
  visit("require_key", o.require_key, Field{0, 1, "start only where a key has been made, also on a loopback address"});
  visit("cors_origins", o.cors_origins, Field{0, 1, "web sites whose pages may ask, separated by commas; * = all"});
  visit("default_n", o.default_n, Field{1, 10'000, "items of a list where the request says nothing"});
  visit("max_body_mb", o.max_body_mb, Field{1, 4096, "largest body of a request, MiB as sent"});
  visit("max_connections", o.max_connections, Field{1, 1'000'000, "connections at one time"});
  visit("max_in_flight", o.max_in_flight, Field{1, 1'000'000, "requests that wait for their answer at one time"});
  visit("drain_seconds", o.drain_seconds, Field{0, 3600, "how long requests may go on when the server stops"});
  visit("log", o.log, Field{0, 1, "file of the log, JSON lines; empty = standard error"});
}

struct DatabaseSection {
  std::string data_store;
  int cache_mb = 1024;
  int rows_per_user = 1000;
  int recent_ids = 10'000'000;
};
template <class Visitor>
void fields(DatabaseSection& o, Visitor&& visit) {
  visit("data_store", o.data_store, Field{0, 1, "the shop's database: a path, or sqlite://PATH"});
  visit("cache_mb", o.cache_mb, Field{1, 1 << 20, "memory for rows of users, MiB"});
  visit("rows_per_user", o.rows_per_user,
        Field{1, 1e6, "latest rows of a user that answers take, of the kinds of event that live models use"});
  visit("recent_ids", o.recent_ids,
        Field{1000, 1e9, "ids of events remembered against duplicates; older ones are found when they are indexed"});
}

struct ModelsSection {
  std::string folder;
  int keep = 5;
  double retrain_hours = 0;
  int train_threads = 0;
  int index_from = 100'000;
  int share_from = 50'000;
};
template <class Visitor>
void fields(ModelsSection& o, Visitor&& visit) {
  visit(
      "folder", o.folder,
      Field{0, 1, "where versions of models are kept; empty = the last one that was given, at first DATABASE.models"});
  visit("keep", o.keep, Field{1, 1000, "versions kept of every scenario"});
  visit("retrain_hours", o.retrain_hours, Field{0, 8760, "a live model older than this is trained anew; 0 = never"});
  visit("train_threads", o.train_threads, Field{0, 1024, "threads of a training; 0 = all cores"});
  visit("index_from", o.index_from,
        Field{1000, 2e9, "items from which lists are searched through an index, where it finds 99 % of the best"});
  visit(
      "share_from", o.share_from,
      Field{1, 2e9,
            "items from which lists that are asked for at one time are worked out together, where no index is in use"});
}

struct RecommendSection {
  std::string scenario;
  std::string answer_log;
  double answer_log_share = 0.1;
  int answer_log_mb = 100;
};
template <class Visitor>
void fields(RecommendSection& o, Visitor&& visit) {
  visit("scenario", o.scenario,
        Field{0, 1, "scenario of lists where the request names none; empty = the only ranking one"});
  visit("answer_log", o.answer_log,
        Field{0, 1,
              "file of what was answered, JSON lines, for joining outcomes by recommendation_id; empty = "
              "DATABASE.answers, \"none\" = no such file"});
  visit("answer_log_share", o.answer_log_share, Field{0, 1, "share of the answers that are logged"});
  visit("answer_log_mb", o.answer_log_mb, Field{1, 1 << 20, "most MiB that the log of answers takes"});
}

struct Config {
  ServerSection server;
  DatabaseSection database;
  ModelsSection models;
  RecommendSection recommend;
  /// [retention]: kind of event ("*" = all others) -> days after which its rows are removed. From the file and the
  /// command line only: kinds are the shop's own words.
  std::map<std::string, double> retention;
};
/// Calls visit("server", config.server) for every section.
template <class Visitor>
void sections(Config& config, Visitor&& visit) {
  visit("server", config.server);
  visit("database", config.database);
  visit("models", config.models);
  visit("recommend", config.recommend);
}

/// Reads a configuration: defaults, then the environment, then the file ("" = none), then "section.key=value"
/// overrides. Throws InvalidInput naming file, line and key, or the variable.
Config read_config(const std::string& file, const std::vector<std::string>& overrides,
                   const std::function<std::optional<std::string>(const std::string&)>& environment);

/// The defaults as a commented TOML file.
std::string default_config();

}  // namespace fewshop::http
