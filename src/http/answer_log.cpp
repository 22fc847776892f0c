#include "http/answer_log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/periodic_worker.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/hash.h"

namespace fewshop::http {

struct AnswerLog::Impl {
  double share;
  std::shared_ptr<spdlog::async_logger> logger;
  // Goes first, as in AccessLog.
  std::shared_ptr<spdlog::details::thread_pool> pool = std::make_shared<spdlog::details::thread_pool>(8192, 1);
  std::unique_ptr<spdlog::details::periodic_worker> flusher;  // before them all
};

AnswerLog::AnswerLog(const Options& options) : impl_(std::make_unique<Impl>()) {
  impl_->share = options.share;
  try {
    const auto half = std::max<size_t>(1, static_cast<size_t>(options.most_mb)) << 19;
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.path, half, 1);
    sink->set_pattern("%v");
    impl_->logger = std::make_shared<spdlog::async_logger>("answers", std::move(sink), impl_->pool,
                                                           spdlog::async_overflow_policy::overrun_oldest);
  } catch (const spdlog::spdlog_ex& problem) {
    throw Failure(options.path + ": the log of answers cannot be opened: " + problem.what());
  }
  impl_->flusher = std::make_unique<spdlog::details::periodic_worker>(
      [logger = impl_->logger.get()] { logger->flush(); }, std::chrono::seconds(1));
}

AnswerLog::~AnswerLog() = default;

void AnswerLog::answered(const ListReply& reply, Micros now) {
  // The ids are random: so is the draw, and both ends of a join can repeat it.
  if (static_cast<double>(hash64(reply.recommendation_id)) >= impl_->share * 0x1p64) return;
  nlohmann::json items = nlohmann::json::array(), scores = nlohmann::json::array();
  for (const auto& item : reply.items) {
    items.push_back(item.id);
    scores.push_back(item.score);
  }
  const nlohmann::json line = {{"time", format_time(now)},   {"id", reply.recommendation_id},
                               {"scenario", reply.scenario}, {"version", reply.version},
                               {"served", reply.served},     {"support", reply.support},
                               {"items", std::move(items)},  {"scores", std::move(scores)}};
  impl_->logger->info("{}", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace fewshop::http
