#include "http/shop_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "core/usage.h"
#include "online/version_quality.h"

namespace fewshop::http {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

// From a small head (20 us) to a list that a reader of the disk waited for.
const Histogram::BucketBoundaries kSeconds = {0.00002, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                              0.01,    0.02,    0.05,   0.1,     0.25,   1,     5};

Family<Gauge>& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Counter>& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Histogram>& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

struct ShopMetrics::Impl {
  explicit Impl(prometheus::Registry& registry)
      : users(gauges(registry, "fewshop_users_total", "Users.").Add({})),
        items(gauges(registry, "fewshop_items_total", "Items.").Add({})),
        feedbacks(gauges(registry, "fewshop_feedbacks_total", "Rows of events.").Add({})),
        queued(gauges(registry, "fewshop_events_queued", "Events that are durable and not yet indexed.").Add({})),
        memory(gauges(registry, "fewshop_memory_inuse_bytes", "Memory by what it holds.")),
        rows_bytes(memory.Add({{"data", "rows"}})),
        process_bytes(memory.Add({{"data", "process"}})),
        rows(gauges(registry, "fewshop_live_rows", "Rows of users in memory.").Add({})),
        models(gauges(registry, "fewshop_models_live", "Models that answer.").Add({})),
        index_recall(gauges(registry, "fewshop_index_recall_ratio",
                            "Share of the best items that a search through the index finds; 1 without one.")),
        index_read(gauges(registry, "fewshop_index_read_ratio", "Share of the rows that a search reads.")),
        quality(gauges(registry, "fewshop_model_quality",
                       "What the live version served on held-out tasks after its training, by split and metric.")),
        ready(gauges(registry, "fewshop_ready", "1 while requests should be sent here.").Add({})),
        cold(gauges(
            registry, "fewshop_cold_requests_ratio",
            "Share of answers since the last scrape: for somebody of whom nothing is known (user), with items that "
            "training has not seen (item), by no model (scenario).")),
        events(counters(registry, "fewshop_feedback_events_total", "Events accepted, by kind.")),
        positives(counters(registry, "fewshop_positive_feedbacks_total",
                           "Rows of these that the scenario's live model took as positive.")),
        requests(counters(registry, "fewshop_rank_requests_total", "Lists and scores, by scenario.")),
        shared(counters(registry, "fewshop_shared_lists_total", "Lists that were worked out together with others.")),
        latency(histograms(registry, "fewshop_rank_latency_seconds", "Time of a list or scores, without HTTP.")),
        adapt(histograms(registry, "fewshop_adapt_latency_seconds", "Time from rows to an adapted model.")),
        effect(histograms(registry, "fewshop_event_to_effect_seconds",
                          "Time from the submission of an event to its effect.")
                   .Add({}, kSeconds)) {}

  struct OfModel {
    Counter *requests, *shared;
    Histogram *latency, *adapt;
  };
  OfModel find(const std::string& scenario) {
    {
      const std::shared_lock lock(mutex);
      if (const auto found = by_model.find(scenario); found != by_model.end()) return found->second;
    }
    const std::unique_lock lock(mutex);
    const std::string name = scenario.empty() ? "popular" : scenario;
    // Adding what is there gives what is there.
    const OfModel of{&requests.Add({{"model", name}}), &shared.Add({{"model", name}}),
                     &latency.Add({{"model", name}}, kSeconds), &adapt.Add({{"model", name}}, kSeconds)};
    by_model.emplace(scenario, of);
    return of;
  }

  Gauge &users, &items, &feedbacks, &queued;
  Family<Gauge>& memory;
  Gauge &rows_bytes, &process_bytes, &rows, &models;
  Family<Gauge>&index_recall, &index_read, &quality;
  Gauge& ready;
  Family<Gauge>& cold;
  Family<Counter>&events, &positives, &requests, &shared;
  Family<Histogram>&latency, &adapt;
  Histogram& effect;

  std::shared_mutex mutex;
  std::map<std::string, OfModel> by_model;
  static constexpr std::array<const char*, 3> kCold = {"user", "item", "scenario"};
  std::atomic<int64_t> answers = 0, cold_answers[kCold.size()] = {};

  std::mutex look_mutex;
  int64_t answers_then = 0, cold_then[kCold.size()] = {};
  using Counted = std::map<std::string, std::pair<Counter*, int64_t>>;  // and how much of it is in the counter
  Counted kinds, positive_rows;

  struct OfVersion {
    std::string folder;
    std::vector<Gauge*> gauges;
  };
  std::map<std::string, OfVersion> versions;  // by scenario: whose quality is shown

  /// Under look_mutex. A version's report is read once.
  void show_quality(const std::vector<Shop::LiveScenario>& live) {
    std::erase_if(versions, [&](const auto& shown) {
      const auto found = std::ranges::find(live, shown.first, &Shop::LiveScenario::name);
      if (found != live.end() && found->folder == shown.second.folder) return false;
      for (Gauge* gauge : shown.second.gauges) quality.Remove(gauge);
      return true;
    });
    for (const auto& scenario : live) {
      const auto [place, is_new] = versions.try_emplace(scenario.name, OfVersion{scenario.folder, {}});
      if (!is_new) continue;
      for (const auto& [split, metrics] : version_quality(scenario.folder))
        for (const auto& [metric, value] : metrics) {
          Gauge& gauge = quality.Add({{"model", scenario.name}, {"split", split}, {"metric", metric}});
          gauge.Set(value);
          place->second.gauges.push_back(&gauge);
        }
    }
  }
};

ShopMetrics::ShopMetrics(prometheus::Registry& registry) : impl_(std::make_unique<Impl>(registry)) {}
ShopMetrics::~ShopMetrics() = default;

void ShopMetrics::answered(const Shop::Answer& answer) {
  const auto of = impl_->find(answer.scenario);
  of.requests->Increment();
  of.latency->Observe(answer.seconds);
  if (!answer.scenario.empty()) of.adapt->Observe(answer.adapt_seconds);
  if (answer.shared) of.shared->Increment();
  impl_->answers.fetch_add(1, std::memory_order_relaxed);
  const bool cold[] = {answer.support == 0, answer.new_items, answer.scenario.empty()};
  for (size_t kind = 0; kind < Impl::kCold.size(); ++kind)
    if (cold[kind]) impl_->cold_answers[kind].fetch_add(1, std::memory_order_relaxed);
}

void ShopMetrics::effect(double seconds) { impl_->effect.Observe(seconds); }

void ShopMetrics::look(const Shop& shop, bool ready) {
  Impl& m = *impl_;
  const auto figures = shop.figures();
  m.users.Set(static_cast<double>(figures.counts.users));
  m.items.Set(static_cast<double>(figures.counts.items));
  m.feedbacks.Set(static_cast<double>(figures.counts.events));
  m.queued.Set(static_cast<double>(figures.queued));
  m.rows_bytes.Set(static_cast<double>(figures.rows.bytes));
  m.process_bytes.Set(static_cast<double>(resident_bytes()));
  m.rows.Set(static_cast<double>(figures.rows.rows));
  m.models.Set(static_cast<double>(figures.models));
  m.ready.Set(ready ? 1 : 0);
  for (const auto& model : shop.models())
    if (const auto report = model->index_report()) {
      m.index_recall.Add({{"model", model->name()}}).Set(report->used ? report->recall : 1);
      m.index_read.Add({{"model", model->name()}}).Set(report->used ? report->read : 1);
    }
  const std::lock_guard lock(m.look_mutex);
  m.show_quality(shop.scenarios());
  const int64_t answers = m.answers.load(), more = answers - m.answers_then;
  m.answers_then = answers;
  for (size_t kind = 0; kind < Impl::kCold.size(); ++kind) {
    const int64_t cold = m.cold_answers[kind].load(), cold_more = cold - m.cold_then[kind];
    m.cold_then[kind] = cold;
    Gauge& ratio = m.cold.Add({{"kind", Impl::kCold[kind]}});
    if (more > 0) ratio.Set(static_cast<double>(cold_more) / static_cast<double>(more));
  }
  const auto follow = [](const std::map<std::string, int64_t>& counts, Impl::Counted& counted,
                         prometheus::Family<Counter>& family, const char* label) {
    for (const auto& [name, count] : counts) {
      auto& [counter, then] = counted[name];
      if (!counter) counter = &family.Add({{label, name}});
      counter->Increment(static_cast<double>(count - then));
      then = count;
    }
  };
  follow(shop.events_by_kind(), m.kinds, m.events, "event");
  follow(shop.positives_by_scenario(), m.positive_rows, m.positives, "model");
}

}  // namespace fewshop::http
