#pragma once

#include <memory>

#include "http/metrics.h"
#include "online/shop.h"

namespace fewshop::http {

/// What /metrics shows of a shop:
///   fewshop_users_total, fewshop_items_total, fewshop_feedbacks_total   gauges: rows of the tables, seconds old
///   fewshop_events_queued                       gauge: events that are durable and not yet indexed
///   fewshop_memory_inuse_bytes{data}            gauge: "rows" of users in memory, "process" the whole
///   fewshop_live_rows, fewshop_models_live      gauges
///   fewshop_index_recall_ratio{model}, fewshop_index_read_ratio{model}
///                                               gauges, where an index was tried: share of the best that it finds,
///                                               share of the rows that it reads; 1 and 1 where everything is read
///   fewshop_ready                               gauge: 1 while the server is ready, else 0
///   fewshop_feedback_events_total{event}        counter: events accepted since the start
///   fewshop_rank_requests_total{model}          counter: lists, scores and predictions by scenario; "popular" where no
///                                               model answers
///   fewshop_rank_latency_seconds{model}         histogram: from the question to the list, without HTTP
///   fewshop_adapt_latency_seconds{model}        histogram: of that, from the rows to an adapted model
///   fewshop_event_to_effect_seconds             histogram: from an event's submission to its effect, durable
///   fewshop_cold_requests_ratio{kind}           gauge: of the answers since the last look, "user": those without any
///                                               support row; "item": with items that training has not seen;
///                                               "scenario": by no model
///   fewshop_shared_lists_total{model}           counter: lists that were worked out together with others
///   fewshop_positive_feedbacks_total{model}     counter: rows of events that the model took as positive
/// Safe from any thread. An answer costs three look-ups by pointer, no allocation and one short lock.
class ShopMetrics {
 public:
  explicit ShopMetrics(prometheus::Registry& registry);
  ~ShopMetrics();
  ShopMetrics(const ShopMetrics&) = delete;
  ShopMetrics& operator=(const ShopMetrics&) = delete;

  // What Shop::Options::answered and effect pass on.
  void answered(const Shop::Answer& answer);
  void effect(double seconds);

  /// Sets the gauges; to be called before the text is made.
  void look(const Shop& shop, bool ready);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fewshop::http
