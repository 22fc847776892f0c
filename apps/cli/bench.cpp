// fewshop bench serve: what a server on this machine does, beside what the machine itself does.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <numeric>
#include <thread>

#include "command.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/usage.h"
#include "http/client.h"
#include "http/load_generator.h"
#include "http/shop_server.h"
#include "large_heap.h"
#include "online/synthetic_shop.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

struct BenchArguments {
  int items = 100'000, users = 20'000, events = 20, d = 64, centres = 0, connections = 64, threads = 2;
  int share_from = http::Config().models.share_from;
  int index_from = http::Config().models.index_from;
  double seconds = 3, paced = 0;
  int64_t growth = 0;
  bool restart = false;
  std::string folder, only;
};

/// Appends of 4 kB that reach the disk, one after the other, per second.
double syncs_per_second(const std::string& folder) {
  const std::string path = folder + "/syncs";
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return 0;
  const std::string page(4096, 'x');
  int64_t count = 0;
  const auto begin = std::chrono::steady_clock::now();
  double seconds = 0;
  do {
    if (::write(file, page.data(), page.size()) != static_cast<ssize_t>(page.size()) || ::fdatasync(file) != 0) break;
    ++count;
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  } while (seconds < 1);
  ::close(file);
  std::filesystem::remove(path);
  return static_cast<double>(count) / seconds;
}

class Bench {
 public:
  Bench(const BenchArguments& arguments, const Globals& globals) : a_(arguments), globals_(globals) {
    // A folder of its own: it is removed at the end, and whoever names one may have other things there.
    const auto place = a_.folder.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(a_.folder);
    folder_ = (place / "fewshop-bench").string();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~Bench() {
    server_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void run() {
    open();
    say(fmt::format("bench: a shop of {} items and {} users with {} events each", a_.items, a_.users, a_.events));
    SyntheticShop synthetic(
        {.items = a_.items, .users = a_.users, .events = a_.events, .d = a_.d, .centres = a_.centres});
    synthetic.fill(server_->shop());
    synthetic.write_model(folder_ + "/model");
    server_->shelf().publish(folder_ + "/model");
    const nlohmann::json manifest = LiveModel::Access(*server_->shop().model("")).model().manifest();
    say(fmt::format("  {:<34} {} of every member, recall {:.4f} over 200 other users", "candidates",
                    manifest.at("candidate_depth").get<int>(), manifest.at("candidate_recall").get<double>()));
    index();
    if (!a_.only.empty()) say("bench: only what contains '" + a_.only + "'");
    warm();
    const double syncs = syncs_per_second(folder_);
    result_["machine"] = {{"cores", thread_count(0)}, {"syncs_per_second", syncs}};
    say(fmt::format("  {:<34} {:>9.0f} syncs/s, each after an append of 4 kB", "disk", syncs));
    result_["shop"] = {{"items", a_.items}, {"users", a_.users}, {"events", a_.events}, {"d", a_.d}};

    measure("do-nothing route", [](int64_t) { return http::request_text("GET", "/api/health/live"); });
    alone();
    const auto recommend = [&](int64_t i) {
      return http::request_text("GET", fmt::format("/api/recommend/user-{}?n=10", (i * 7919) % a_.users));
    };
    recall("recall_at_10", "");
    for (const auto& [share, every] : {std::pair{"50", 2}, std::pair{"5", 20}, std::pair{"0.5", 200}})
      recall(fmt::format("recall_at_10, filter that leaves {} %", share),
             fmt::format("cast(substr(item_id, 6) as integer) % {} = 0", every));
    measure("recommend 10", recommend);
    latency("recommend 10", recommend);
    const std::string support = support_text();
    measure("predict, support in the request", [&](int64_t i) {
      return http::request_text(
          "POST", "/api/scenarios/synthetic/predict",
          fmt::format(R"({{"support":{},"query":[{{"item_id":"item-{}"}}]}})", support, (i * 7919) % a_.items));
    });
    measure("events, single posts",
            [&](int64_t i) { return http::request_text("POST", "/api/events", event_text("single", i)); });
    latency("events, single posts",
            [&](int64_t i) { return http::request_text("POST", "/api/events", event_text("paced", i)); });
    event_to_effect();
    events_in_batches();
    if (a_.growth > 0) growth(recommend);
    if (a_.restart) restart();
    result_["memory_bytes"] = resident_bytes();
    if (globals_.json) print_json(result_);
  }

 private:
  void open() {
    http::ShopServer::Options options;
    options.config.server.port = 0;
    options.config.server.threads = a_.threads;
    options.config.server.log = "/dev/null";
    options.config.models.share_from = a_.share_from;
    options.config.models.index_from = a_.index_from;
    options.config.database.data_store = folder_ + "/shop.db";
    server_ = std::make_unique<http::ShopServer>(options);
  }

  /// An index is built behind the answers; the bench measures with it, where it is used.
  void index() {
    if (a_.items < a_.index_from) return;
    while (server_->shelf().indexes().empty()) {
      check_cancelled();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const auto report = server_->shelf().indexes().begin()->second;
    result_["index"] = to_json(report);
    say(fmt::format("  {:<34} {} of {} cells, {:.1f} % of the rows, recall {:.4f}: {}; {:.1f} s CPU", "index",
                    report.cells_read, report.cells, 100 * report.read, report.recall,
                    report.used ? "in use" : "not used, all rows are read", report.cpu_seconds));
    if (const auto& few = report.few; few.wanted > 0)
      say(fmt::format("  {:<34} {} cells, {:.1f} % of the rows, recall {:.4f} of the best {}", "index, lists of ten",
                      few.cells_read, 100 * few.read, few.recall, few.wanted));
  }

  std::string event_text(const char* prefix, int64_t i) const {
    return fmt::format(
        R"({{"event_id":"{}-{}","event":"view_item","user_id":"user-{}","item_id":"item-{}","timestamp":{}}})", prefix,
        i, (i * 104729) % a_.users, (i * 7919) % a_.items, 1'700'000'000 + i);
  }

  std::string support_text() const {
    std::string text = "[";
    for (int i = 0; i < a_.events; ++i)
      text += fmt::format(R"({}{{"item_id":"item-{}","event":"view_item","time":"2023-11-{:02}T10:00:00Z"}})",
                          i ? "," : "", i * 37 % a_.items, 1 + i % 28);
    return text + "]";
  }

  http::LoadResult load(const std::function<std::string(int64_t)>& request, double rate, double seconds) {
    http::Load load;
    load.port = server_->port();
    load.connections = a_.connections;
    load.seconds = seconds;
    load.rate = rate;
    load.request = request;
    check_cancelled();
    return http::run_load(load);
  }

  void warm() {
    // What was written is indexed first: the bench measures a server that has run for a while.
    while (server_->shop().queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const std::atomic<bool> stop = false;
    const auto begin = std::chrono::steady_clock::now();
    server_->shop().warm(stop);
    const auto usage = server_->shop().usage();
    result_["live rows"] = {
        {"users", usage.keys},
        {"rows", usage.rows},
        {"bytes", usage.bytes},
        {"load_seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()}};
  }

  void measure(const std::string& name, const std::function<std::string(int64_t)>& request, int events = 1) {
    if (name.find(a_.only) == std::string::npos) return;
    load(request, 0, 0.3);  // caches, pages
    const double cpu = process_cpu_seconds();
    const auto result = load([&](int64_t i) { return request(i + 1'000'000); }, 0, a_.seconds);
    const double server_cpu = process_cpu_seconds() - cpu - result.cpu_seconds;
    const double rate = static_cast<double>(result.requests) / result.seconds;
    json& row = result_[name];
    row["requests_per_second"] = rate;
    row["server_cpu_us"] = 1e6 * server_cpu / static_cast<double>(std::max<int64_t>(1, result.requests));
    row["p50_ms"] = result.percentile(0.5);
    row["p99_ms"] = result.percentile(0.99);
    row["failed"] = result.failed();
    if (events > 1) row["events_per_second"] = rate * events;
    say(fmt::format("  {:<34} {:>9.0f} {}/s  {:>7.0f} us CPU of the server  p50 {:.2f} ms  p99 {:.2f} ms  {} failed",
                    name, events > 1 ? rate * events : rate, events > 1 ? "events" : "requests",
                    row["server_cpu_us"].get<double>(), row["p50_ms"].get<double>(), row["p99_ms"].get<double>(),
                    result.failed()));
  }

  /// At the rate that was asked for, 70 % of what it can do by default.
  void latency(const std::string& name, const std::function<std::string(int64_t)>& request) {
    if (!result_.contains(name)) return;
    const double rate = a_.paced > 0 ? a_.paced : 0.7 * result_[name]["requests_per_second"].get<double>();
    const auto result = load([&](int64_t i) { return request(i + 5'000'000); }, rate, a_.seconds);
    result_[name]["paced"] = {{"requests_per_second", static_cast<double>(result.requests) / result.seconds},
                              {"p50_ms", result.percentile(0.5)},
                              {"p99_ms", result.percentile(0.99)},
                              {"failed", result.failed()}};
    say(fmt::format("  {:<34} {:>9.0f} requests/s ({})  p50 {:.2f} ms  p99 {:.2f} ms", name,
                    static_cast<double>(result.requests) / result.seconds, a_.paced > 0 ? "paced" : "70 %",
                    result.percentile(0.5), result.percentile(0.99)));
  }

  /// What adapting and searching take without HTTP: on one thread, and on as many as the server has at once, which
  /// share caches and may lie on cores that reach memory faster or slower.
  void alone() {
    json& row = result_["adapt and search alone"];
    row["cpu_us"] = alone_on(1);
    row["cpu_us_of_all_threads"] = alone_on(a_.threads);
    say(fmt::format("  {:<34} {:>9.0f} us CPU, {:.0f} on {} threads at once", "adapt and search alone",
                    row["cpu_us"].get<double>(), row["cpu_us_of_all_threads"].get<double>(), a_.threads));
  }

  /// Microseconds of CPU time: the mean over the threads of their medians.
  double alone_on(int threads) {
    constexpr int kChunks = 61, kCalls = 50;
    Shop& shop = server_->shop();
    std::vector<double> medians(threads);
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        std::vector<double> chunks;
        int64_t user = int64_t{t} * kChunks * kCalls;
        for (int chunk = 0; chunk < kChunks; ++chunk) {
          const double cpu = thread_cpu_seconds();
          for (int i = 0; i < kCalls; ++i)
            shop.recommend(shop.model_or_null(""),
                           {fmt::format("user-{}", (user++ * 7919) % a_.users), "", std::nullopt}, {});
          chunks.push_back((thread_cpu_seconds() - cpu) / kCalls);
        }
        std::nth_element(chunks.begin(), chunks.begin() + kChunks / 2, chunks.end());
        medians[t] = chunks[kChunks / 2];
      });
    for (std::thread& thread : running) thread.join();
    return 1e6 * std::accumulate(medians.begin(), medians.end(), 0.0) / threads;
  }

  /// The best ten by the head's own scores of all items that a list without a filter may have.
  std::vector<std::string> best_of_head(const LiveModel& live, const std::string& user) {
    const Micros now = server_->shop().now();
    const std::vector<LiveRow> rows = server_->shop().rows_of(user, now);
    LiveModel::Access access(live);
    std::vector<ArrivedRow> arrived;
    access.support(rows, now, arrived);
    std::vector<SupportRow> support;
    ItemSet excluded = access.not_shown();
    for (const ArrivedRow& row : arrived) {
      support.push_back(row.row);
      if (live.scenario().exclude_seen) excluded.set(row.row.item, true);
    }
    const Model& model = access.model();
    model.adapt_served({support, {}}, access.session());
    std::vector<float> score(model.item_ids().size());
    model.score_all(access.session(), Model::kFirstMember + model.learner(), score);
    std::vector<int32_t> order;
    excluded.each_absent(std::ssize(score), [&](int32_t item) { order.push_back(item); });
    const auto keep = std::min<int64_t>(ListRequest().n, std::ssize(order));
    std::partial_sort(order.begin(), order.begin() + keep, order.end(),
                      [&](int32_t a, int32_t b) { return score[a] > score[b] || (score[a] == score[b] && a < b); });
    std::vector<std::string> ids;
    for (const int32_t item : std::span(order).first(keep)) ids.push_back(model.item_ids()[item]);
    return ids;
  }

  /// How much of the full stack's best ten over all items that pass the filter the served list of ten has, and what
  /// a list takes. Without a filter also how much of it the head's own best ten are: what the search must not be.
  void recall(const std::string& name, const std::string& filter) {
    constexpr int kUsers = 100;
    int64_t found = 0, found_by_head = 0, wanted = 0;
    std::vector<double> seconds;
    for (int u = 0; u < std::min(kUsers, a_.users); ++u) {
      const Asker asker{fmt::format("user-{}", u * 7919LL % a_.users), "", std::nullopt};
      ListRequest all, plain;
      all.filter = plain.filter = filter;
      all.boosts = {{"item_id is null", 0}};  // with a boost, every item is scored
      const auto best = server_->shop().recommend(server_->shop().model(""), asker, all);
      const double cpu = thread_cpu_seconds();
      const auto served = server_->shop().recommend(server_->shop().model(""), asker, plain);
      seconds.push_back(thread_cpu_seconds() - cpu);
      std::vector<std::string> by_head;
      if (filter.empty()) by_head = best_of_head(*server_->shop().model(""), asker.user_id);
      for (const auto& item : best.items) {
        ++wanted;
        found += std::any_of(served.items.begin(), served.items.end(), [&](const auto& s) { return s.id == item.id; });
        found_by_head += std::find(by_head.begin(), by_head.end(), item.id) != by_head.end();
      }
    }
    std::nth_element(seconds.begin(), seconds.begin() + std::ssize(seconds) / 2, seconds.end());
    const auto share = [&](int64_t count) {
      return static_cast<double>(count) / static_cast<double>(std::max<int64_t>(1, wanted));
    };
    const double recall = share(found);
    const double cpu_us = 1e6 * seconds[seconds.size() / 2];
    result_[name] = {{"recall", recall}, {"cpu_us", cpu_us}};
    say(fmt::format("  {:<34} {:>9.3f} of the full stack's best ten over all items, {:.0f} us CPU",
                    filter.empty() ? "recall" : "recall, " + name.substr(name.find("filter")), recall, cpu_us));
    if (!filter.empty()) return;
    result_[name]["head_alone"] = share(found_by_head);
    say(fmt::format("  {:<34} {:>9.3f} of the same, ranked by the head's score alone", "recall, the head alone",
                    share(found_by_head)));
  }

  /// Memory before and after many requests of all sorts: lists, single events, predictions.
  void growth(const std::function<std::string(int64_t)>& recommend) {
    const std::string support = support_text();
    std::atomic<int64_t> base = 20'000'000;
    const auto mixed = [&](int64_t i) {
      if (i % 10 < 7) return recommend(i);
      if (i % 10 < 9) return http::request_text("POST", "/api/events", event_text("mixed", base + i));
      return http::request_text(
          "POST", "/api/scenarios/synthetic/predict",
          fmt::format(R"({{"support":{},"query":[{{"item_id":"item-{}"}}]}})", support, (i * 7919) % a_.items));
    };
    json steps = json::array();
    int64_t asked = 0;
    while (asked < a_.growth) {
      const auto result = load(mixed, 0, 5);
      asked += result.requests;
      base += result.requests + 1000;
      steps.push_back({{"requests", asked}, {"memory_bytes", resident_bytes()}, {"failed", result.failed()}});
      say(fmt::format("  {:<34} {:>9} requests, {:.1f} MiB resident", "growth", asked,
                      static_cast<double>(resident_bytes()) / (1 << 20)));
    }
    result_["growth"] = steps;
  }

  /// From opening the database to the first answer that says ready, and to all rows in memory.
  void restart() {
    server_.reset();
    const auto begin = std::chrono::steady_clock::now();
    const auto since = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
    open();
    http::Client client(fmt::format("http://127.0.0.1:{}", server_->port()));
    while (client.get("/api/health/ready").status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const double ready = since();
    const std::atomic<bool> stop = false;
    server_->shop().warm(stop);
    const auto usage = server_->shop().usage();
    result_["restart"] = {{"ready_seconds", ready}, {"resident_seconds", since()}, {"users", usage.keys},
                          {"rows", usage.rows},     {"rows_bytes", usage.bytes},   {"memory_bytes", resident_bytes()}};
    say(fmt::format(
        "  {:<34} ready after {:.2f} s; {} rows of {} users in memory after {:.1f} s: {:.1f} MiB, process {:.1f} MiB",
        "restart", ready, usage.rows, usage.keys, since(), static_cast<double>(usage.bytes) / (1 << 20),
        static_cast<double>(resident_bytes()) / (1 << 20)));
  }

  /// From sending an event to the end of the first answer that reflects it, one after the other, under a light load.
  void event_to_effect() {
    if (std::string("event to effect").find(a_.only) == std::string::npos) return;
    std::atomic<bool> stop = false;
    std::thread background([&] {
      while (!stop)
        load([&](int64_t i) { return http::request_text("POST", "/api/events", event_text("beside", next_++ + i)); },
             500, 0.5);
    });
    http::Client client(fmt::format("http://127.0.0.1:{}", server_->port()));
    std::vector<double> milliseconds;
    int missed = 0;
    for (int i = 0; i < 500; ++i) {
      const std::string user = fmt::format("effect-{}", i);
      const auto begin = std::chrono::steady_clock::now();
      client.post("/api/events", fmt::format(R"({{"event":"view_item","user_id":"{}","item_id":"item-{}"}})", user, i));
      const auto answer = client.get(fmt::format("/api/recommend/{}?n=1&explain=true", user));
      milliseconds.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
      missed += answer.body.find("\"row\":0") == std::string::npos;
    }
    stop = true;
    background.join();
    std::sort(milliseconds.begin(), milliseconds.end());
    const double p50 = milliseconds[milliseconds.size() / 2], p99 = milliseconds[milliseconds.size() * 99 / 100];
    result_["event to effect"] = {{"p50_ms", p50}, {"p99_ms", p99}, {"missed", missed}};
    say(fmt::format("  {:<34} p50 {:.2f} ms  p99 {:.2f} ms, event and answer together, beside 500 events/s; {} missed",
                    "event to effect", p50, p99, missed));
  }

  void events_in_batches() {
    constexpr int kBatch = 500;
    measure(
        "events, batches of 500",
        [&](int64_t i) {
          std::string body = "[";
          for (int e = 0; e < kBatch; ++e) body += (e ? "," : "") + event_text("batch", i * kBatch + e);
          return http::request_text("POST", "/api/events", body + "]");
        },
        kBatch);
  }

  BenchArguments a_;
  const Globals& globals_;
  std::string folder_;
  std::unique_ptr<http::ShopServer> server_;
  std::atomic<int64_t> next_ = 10'000'000;
  json result_ = json::object();
};

}  // namespace

void add_bench(CLI::App& app, Globals& globals) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = app.add_subcommand("bench", "measure this machine");
  command->require_subcommand(1);
  CLI::App* serve = command->add_subcommand(
      "serve", "requests and events per second of a server with a synthetic shop, load and server on this machine");
  serve->add_option("--items", arguments->items, "items of the shop")->check(CLI::Range(1000, 10'000'000));
  serve->add_option("--users", arguments->users, "users")->check(CLI::Range(1, 10'000'000));
  serve->add_option("--events", arguments->events, "events of a user")->check(CLI::Range(0, 1000));
  serve->add_option("-d", arguments->d, "size of the head")->check(CLI::Range(2, 512));
  serve
      ->add_option("--centres", arguments->centres,
                   "centres that item vectors lie around, as those of like products do; 0 = none")
      ->check(CLI::Range(0, 1'000'000));
  serve->add_option("--share-from", arguments->share_from, "models.share_from of the server")
      ->check(CLI::Range(1, 2'000'000'000));
  serve->add_option("--index-from", arguments->index_from, "models.index_from of the server")
      ->check(CLI::Range(1, 2'000'000'000));
  serve
      ->add_option("--paced", arguments->paced,
                   "requests per second at which latencies are measured; 70 % of what it can do where not given")
      ->check(CLI::Range(1.0, 1e6));
  serve->add_option("--growth", arguments->growth, "mixed requests over which the growth of memory is measured")
      ->check(CLI::Range(0, 1'000'000'000));
  serve->add_flag("--restart", arguments->restart, "measure opening the database again, and the memory after it");
  serve->add_option("--connections", arguments->connections, "connections of the load")->check(CLI::Range(1, 10'000));
  serve->add_option("--seconds", arguments->seconds, "seconds of each measurement")->check(CLI::Range(0.1, 3600.0));
  serve->add_option("--only", arguments->only, "only measurements whose name contains this");
  serve->add_option("--folder", arguments->folder,
                    "where the shop's database is made; on the disk that is to be measured");
  serve->callback([arguments, &globals] {
    keep_heap_in_large_pages();
    Bench(*arguments, globals).run();
  });
}

}  // namespace fewshop::cli
