#include "http/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "core/cancel.h"
#include "core/error.h"
#include "core/progress.h"
#include "evaluate/evaluate.h"
#include "http/client.h"
#include "http/shop_server.h"
#include "http/url.h"
#include "online/canonical_events.h"
#include "online/live_check.h"
#include "store/store.h"

namespace fewshop::http {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::array kPoints = {0, 1, 2, 5, 10};  // events of a user, of the curve
constexpr size_t kListLength = 10;
constexpr size_t kBatch = 500;       // events of one request
constexpr size_t kLogChunk = 5'000;  // lines parsed at once
constexpr size_t kLabelBatch = 1'000;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Events of a log in order of time.
std::vector<Event> read_log(const std::string& path, int64_t limit, int64_t& rejected) {
  std::ifstream file(path, std::ios::binary);
  require(file.good(), path, ": cannot be read; expected a file of canonical events, one JSON object a line");
  std::vector<Event> events;
  Random random(1);
  std::string chunk, line;
  size_t lines = 0;
  const auto parse = [&] {
    Incoming incoming =
        parse_canonical_events(chunk, {.now = 0, .random = &random, .exported = true, .lines = true, .limits = {}});
    rejected += std::ssize(incoming.refusals);
    for (Event& event : incoming.events) events.push_back(std::move(event));
    chunk.clear();
    lines = 0;
  };
  while (std::getline(file, line)) {
    if (line.empty()) continue;
    chunk += line + "\n";
    if (++lines == kLogChunk) parse();
    check_cancelled();
  }
  if (lines > 0) parse();
  require(!events.empty(), path, ": no event that can be read (", rejected, " lines rejected)");
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
  if (limit > 0 && std::ssize(events) > limit) events.resize(limit);
  return events;
}

/// A server of a bundle alone, whose time is what the log says it is.
class OwnServer {
 public:
  OwnServer(const std::string& bundle, const std::string& data, Micros begin) : bundle_(bundle), now_(begin) {
    ShopServer::Options options;
    options.config.database.data_store = database();
    options.config.server.log = folder_.file("server.log");
    options.tcp = false;
    options.check_users = 0;  // there is no event yet; all of them are checked at the end
    options.now = [this] { return now_.load(); };
    server_ = std::make_unique<ShopServer>(std::move(options));
    if (!data.empty()) copy_catalogue(data);
    server_->shelf().publish(bundle);
  }
  std::string address() const { return "unix:" + ShopServer::socket_of(database()); }
  void set_time(Micros now) { now_ = now; }

  json check() {
    while (server_->shop().queued() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    try {
      const auto models = server_->shop().models();
      const LiveCheck check = check_live(models.empty() ? bundle_ : models.front()->folder(), database(),
                                         std::numeric_limits<int64_t>::max(), &server_->shop());
      return {{"users", check.users}, {"rows", check.rows}, {"difference", check.difference}};
    } catch (const InvalidInput& problem) {
      return {{"error", fmt::format("{}; name a database that has it with --data", problem.what())}};
    }
  }

 private:
  std::string database() const { return folder_.file("shop.db"); }

  /// Items and users with their columns, as labels.
  void copy_catalogue(const std::string& data) {
    const auto store = open_store(data, Store::Access::kRead);
    const auto each = [&](const char* table, const char* key, auto&& use) {
      if (!store->has_table(table)) return;
      const auto cursor = store->read(table);
      const auto& columns = cursor->columns();
      Change change;
      size_t count = 0;
      while (cursor->next()) {
        std::string id;
        json labels = json::object();
        bool hidden = false;
        for (size_t c = 0; c < columns.size(); ++c) {
          static const std::set<std::string> kOwn = {"labels", "comment", "categories", "time"};
          const Value value = cursor->at(static_cast<int>(c));
          if (columns[c].name == key)
            id = value.to_text();
          else if (columns[c].name == "hidden")
            hidden = value.number() != 0;
          else if (kOwn.count(columns[c].name) > 0 || value.is_null())
            continue;
          else if (value.kind == Value::Kind::kText)
            labels[columns[c].name] = std::string(value.text);
          else if (value.kind == Value::Kind::kInteger)
            labels[columns[c].name] = value.integer;
          else
            labels[columns[c].name] = value.real;
        }
        if (id.empty()) continue;
        use(change, id, std::move(labels), hidden);
        if (++count % kLabelBatch == 0) server_->shop().change(std::exchange(change, {}));
      }
      server_->shop().change(std::move(change));
    };
    each("items", "item_id", [](Change& change, const std::string& id, json labels, bool hidden) {
      ItemRecord item;
      item.item_id = id;
      item.hidden = hidden;
      item.labels = std::move(labels);
      change.items.push_back(std::move(item));
    });
    each("users", "user_id", [](Change& change, const std::string& id, json labels, bool) {
      UserRecord user;
      user.user_id = id;
      user.labels = std::move(labels);
      change.users.push_back(std::move(user));
    });
  }

  std::string bundle_;
  TemporaryFolder folder_;
  std::atomic<Micros> now_;
  std::unique_ptr<ShopServer> server_;
};

struct Quality {
  double recall = 0, mrr = 0;
};

Quality quality(const std::vector<std::string>& list, const Event& bought) {
  std::unordered_set<std::string> wanted;
  for (const EventItem& item : bought.items) wanted.insert(item.item_id);
  Quality quality;
  double hits = 0;
  for (size_t i = 0; i < list.size(); ++i)
    if (wanted.count(list[i]) > 0) {
      if (hits == 0) quality.mrr = 1 / static_cast<double>(i + 1);
      ++hits;
    }
  // A list of ten cannot hold more than ten.
  quality.recall = hits / static_cast<double>(std::min(wanted.size(), kListLength));
  return quality;
}

double value_of(const EventItem& item) {
  if (given(item.value)) return item.value;
  if (!given(item.price)) return 0;
  return item.price * (given(item.quantity) ? item.quantity : 1);
}

class Replay {
 public:
  explicit Replay(const ReplayOptions& options) : options_(options) {}

  json run() {
    int64_t rejected = 0;
    const std::vector<Event> events = read_log(options_.log, options_.limit, rejected);
    const bool remote = options_.against.find("://") != std::string::npos || options_.against.starts_with("unix:");
    if (!remote) own_ = std::make_unique<OwnServer>(options_.against, options_.data, events.front().time);
    client_ = std::make_unique<Client>(remote ? options_.against : own_->address(), 600);
    plan(events);

    const auto begin = Clock::now();
    {
      Progress progress("replay", std::ssize(events));
      for (size_t i = 0; i < events.size(); ++i) {
        step(events[i], i);
        progress.advance();
      }
      flush();
    }
    const double seconds = seconds_since(begin);
    json result = {{"events", events.size()},   {"users", seen_.size()}, {"rejected", rejected + rejected_},
                   {"duplicates", duplicates_}, {"seconds", seconds},    {"curve", curve()},
                   {"effect_ms", effect()},     {"value", value()}};
    result["rows"] = own_ ? own_->check() : remote_check();
    return result;
  }

 private:
  bool is_bought(const Event& event) const {
    return !event.items.empty() &&
           std::find(options_.bought.begin(), options_.bought.end(), event.event) != options_.bought.end();
  }

  /// Finds where a question will be judged: the last purchase of every user.
  void plan(const std::vector<Event>& events) {
    for (size_t i = 0; i < events.size(); ++i)
      if (!events[i].user_id.empty() && is_bought(events[i])) last_bought_[events[i].user_id] = i;
  }

  void step(const Event& event, size_t number) {
    const auto last = last_bought_.find(event.user_id);
    if (event.user_id.empty()) return post(event);
    int64_t& count = seen_[event.user_id];
    const bool point = std::find(kPoints.begin(), kPoints.end(), count) != kPoints.end();
    if (point && last != last_bought_.end() && last->second >= number) {
      flush();
      if (own_) own_->set_time(event.time);
      open_[event.user_id].push_back(
          {static_cast<int>(count), list("/api/recommend/" + percent_encode(event.user_id)), list("/api/popular")});
    }
    ++count;
    const auto open = is_bought(event) ? open_.find(event.user_id) : open_.end();
    if (open == open_.end()) return post(event);
    for (const Question& question : open->second) judge(question, event);
    open_.erase(open);
    // From the event to an answer that reflects it.
    flush();
    const auto begin = Clock::now();
    post(event);
    flush();
    list("/api/recommend/" + percent_encode(event.user_id));
    effects_.push_back(1000 * seconds_since(begin));
  }

  void post(const Event& event) {
    if (own_) own_->set_time(event.time);
    waiting_ += (waiting_.empty() ? "" : "\n") + to_json(event);
    if (++waiting_count_ == kBatch) flush();
  }

  void flush() {
    if (waiting_count_ == 0) return;
    const json answer = call("POST", "/api/events", waiting_);
    rejected_ += std::ssize(answer.at("rejected"));
    duplicates_ += answer.at("duplicates").get<int64_t>();
    waiting_.clear();
    waiting_count_ = 0;
  }

  json call(const char* method, const std::string& target, const std::string& body) {
    Client::Headers headers;
    if (!body.empty())
      headers.emplace_back("Content-Type", body.front() == '{' ? "application/x-ndjson" : "application/json");
    if (!options_.key.empty()) headers.emplace_back("X-API-Key", options_.key);
    for (int tries = 0;; ++tries) {
      const Answer answer = client_->request(method, target, body, headers);
      const json object = json::parse(answer.body, nullptr, false);
      if (answer.status == 200 && !object.is_discarded()) return object;
      if ((answer.status == 429 || answer.status == 503) && tries < 20) {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        continue;
      }
      throw Failure(
          fmt::format("{} {}: the server answered {}: {}", method, target, answer.status, answer.body.substr(0, 500)));
    }
  }

  std::vector<std::string> list(const std::string& path) {
    std::string target = path + fmt::format("?n={}", kListLength);
    if (!options_.scenario.empty() && path != "/api/popular")
      target += "&scenario=" + percent_encode(options_.scenario);
    std::vector<std::string> ids;
    for (const json& entry : call("GET", target, ""))
      ids.push_back(entry.is_string() ? entry.get<std::string>() : entry.at("Id").get<std::string>());
    return ids;
  }

  struct Question {
    int k;
    std::vector<std::string> list, popular;
  };
  struct Point {
    int64_t questions = 0;
    Quality served, popular;
  };

  void judge(const Question& question, const Event& bought) {
    Point& point = points_[question.k];
    ++point.questions;
    const auto add = [&](Quality& sum, const std::vector<std::string>& list) {
      const Quality one = quality(list, bought);
      sum.recall += one.recall;
      sum.mrr += one.mrr;
    };
    add(point.served, question.list);
    add(point.popular, question.popular);
    for (const EventItem& item : bought.items) {
      const auto in = [&](const std::vector<std::string>& list) {
        return std::find(list.begin(), list.end(), item.item_id) != list.end();
      };
      const double value = value_of(item);
      bought_ += value;
      in_list_ += in(question.list) ? value : 0;
      in_popular_ += in(question.popular) ? value : 0;
    }
  }

  json curve() const {
    json curve = json::array();
    for (const auto& [k, point] : points_) {
      const auto n = static_cast<double>(point.questions);
      curve.push_back({{"k", k},
                       {"questions", point.questions},
                       {"recall@10", point.served.recall / n},
                       {"mrr@10", point.served.mrr / n},
                       {"popular", {{"recall@10", point.popular.recall / n}, {"mrr@10", point.popular.mrr / n}}}});
    }
    return curve;
  }

  json effect() {
    std::sort(effects_.begin(), effects_.end());
    const auto quantile = [&](double q) {
      return effects_.empty() ? json()
                              : json(effects_[static_cast<size_t>(q * static_cast<double>(effects_.size() - 1))]);
    };
    return {{"count", effects_.size()}, {"p50", quantile(0.5)}, {"p99", quantile(0.99)}};
  }

  json value() const {
    const auto share = [&](double part) { return bought_ > 0 ? json(part / bought_) : json(); };
    return {
        {"bought", bought_}, {"in_list", in_list_}, {"share", share(in_list_)}, {"popular_share", share(in_popular_)}};
  }

  /// The server checks the scenario that answered.
  json remote_check() {
    try {
      std::string scenario = options_.scenario;
      const json live = call("GET", "/api/scenarios", "");
      for (const json& one : live.at("scenarios"))
        if (scenario.empty() && one.at("problem") == "ranking") scenario = one.at("name").get<std::string>();
      if (scenario.empty()) return {{"error", "no model that ranks is live"}};
      return call("POST", "/api/models/" + percent_encode(scenario) + "/check", json{{"users", 1'000'000'000}}.dump());
    } catch (const Failure& problem) {
      return {{"error", problem.what()}};
    }
  }

  const ReplayOptions& options_;
  std::unique_ptr<OwnServer> own_;
  std::unique_ptr<Client> client_;
  std::unordered_map<std::string, int64_t> seen_;  // user -> events so far
  std::unordered_map<std::string, size_t> last_bought_;
  std::unordered_map<std::string, std::vector<Question>> open_;  // asked, and nothing bought since
  std::map<int, Point> points_;
  std::vector<double> effects_;
  double bought_ = 0, in_list_ = 0, in_popular_ = 0;
  std::string waiting_;
  size_t waiting_count_ = 0;
  int64_t rejected_ = 0, duplicates_ = 0;
};

}  // namespace

json replay(const ReplayOptions& options) { return Replay(options).run(); }

}  // namespace fewshop::http
