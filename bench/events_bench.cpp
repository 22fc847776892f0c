// Reading bodies of events: a batch of 500 as a shop sends them, one view_item with one item each.
//   events_per_s  events that one CPU second turns into Event values (canonical, Gorse, Segment, GA4), or single
//                 posts of one event
//   body_bytes    size of the body
// The goal is less than 3 us of CPU time an event.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <functional>
#include <string>

#include "bench/measure.h"
#include "core/random.h"
#include "core/time.h"
#include "online/canonical_events.h"
#include "online/ga4.h"
#include "online/gorse.h"
#include "online/segment.h"

namespace fewshop {
namespace {

constexpr Micros kStart = 1'795'334'400 * kSecond;  // 2026-11-22

std::string list(int events, const std::function<std::string(int)>& event) {
  std::string text;
  for (int i = 0; i < events; ++i) {
    if (i) text += ',';
    text += event(i);
  }
  return text;
}

std::string canonical(int i) {
  return fmt::format(
      R"({{"event_id":"7c0a7c3e-3b0f-4c55-9a55-{:012}","event":"view_item","timestamp":"{}","user_id":"user-{}",)"
      R"("session_id":"session-{}","items":[{{"item_id":"SKU_{}","price":9.99,"quantity":1}}]}})",
      i, format_time(kStart + i * 1000), i % 100, i % 100, i * 7919 % 100'000);
}

std::string gorse(int i) {
  return fmt::format(R"({{"FeedbackType":"read","UserId":"user-{}","ItemId":"SKU_{}","Timestamp":"{}"}})", i % 100,
                     i * 7919 % 100'000, format_time(kStart + i * 1000));
}

std::string segment(int i) {
  return fmt::format(
      R"({{"timestamp":"{}","integrations":{{}},"event":"Product Viewed","type":"track","userId":"user-{}",)"
      R"("properties":{{"product_id":"SKU_{}","price":9.99,"quantity":1}},"messageId":"node-next-1795673214310-{:012}",)"
      R"("context":{{"library":{{"name":"@segment/analytics-node","version":"3.1.0"}}}},)"
      R"("_metadata":{{"nodeVersion":"v20.20.2","jsRuntime":"node"}}}})",
      format_time(kStart + i * 1000), i % 100, i * 7919 % 100'000, i);
}

std::string ga4(int i) {
  return fmt::format(
      R"({{"name":"view_item","params":{{"session_id":"s{}","items":[{{"item_id":"SKU_{}","price":9.99,"quantity":1}}]}}}})",
      i % 100, i * 7919 % 100'000);
}

void measure(benchmark::State& state, const std::string& body, int events,
             Incoming (*parse)(std::string_view, const ParseContext&)) {
  Random random(1);
  ParseContext context;
  context.now = kStart;
  context.random = &random;
  bench::Chunks chunks;
  const int calls = std::max(1, 1000 / events);
  for (auto _ : state) {
    state.SetIterationTime(chunks.time(calls, [&] {
      const Incoming incoming = parse(body, context);
      if (incoming.events.size() != static_cast<size_t>(events)) state.SkipWithError("an event was refused");
    }));
  }
  state.counters["events_per_s"] = events / chunks.median();
  state.counters["us_per_event"] = 1e6 * chunks.median() / events;
  state.counters["body_bytes"] = static_cast<double>(body.size());
}

void canonical_batch(benchmark::State& state) {
  measure(state, fmt::format("[{}]", list(500, canonical)), 500, parse_canonical_events);
}
void canonical_lines(benchmark::State& state) {
  std::string body;
  for (int i = 0; i < 500; ++i) body += fmt::format("{}\n", canonical(i));
  measure(state, body, 500, parse_canonical_events);
}
void canonical_single(benchmark::State& state) { measure(state, canonical(1), 1, parse_canonical_events); }
void gorse_batch(benchmark::State& state) {
  measure(state, fmt::format("[{}]", list(500, gorse)), 500,
          [](std::string_view body, const ParseContext& context) { return parse_gorse_feedback(body, context); });
}
void segment_batch(benchmark::State& state) {
  measure(state, fmt::format("{{\"batch\":[{}],\"writeKey\":\"k\"}}", list(500, segment)), 500,
          [](std::string_view body, const ParseContext& context) { return parse_segment(body, "batch", context); });
}
void ga4_batch(benchmark::State& state) {
  measure(state,
          fmt::format(R"({{"client_id":"c.1","timestamp_micros":1795334400000000,"events":[{}]}})", list(500, ga4)),
          500, parse_ga4);
}

BENCHMARK(canonical_batch)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(canonical_lines)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(canonical_single)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(gorse_batch)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(segment_batch)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(ga4_batch)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fewshop
