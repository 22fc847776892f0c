#include "http/answer_log.h"

#include <spdlog/sinks/rotating_file_sink.h>

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/hash.h"
#include "http/line_log.h"

namespace fewshop::http {

struct AnswerLog::Impl {
  double share;
  std::optional<LineLog> lines;
};

AnswerLog::AnswerLog(const Options& options) : impl_(std::make_unique<Impl>()) {
  impl_->share = options.share;
  try {
    const auto half = std::max<size_t>(1, static_cast<size_t>(options.most_mb)) << 19;
    LineLog::Options lines;
    lines.sink = std::make_shared<spdlog::sinks::rotating_file_sink_st>(options.path, half, 1);
    impl_->lines.emplace(std::move(lines));
  } catch (const spdlog::spdlog_ex& problem) {
    throw Failure(options.path + ": the log of answers cannot be opened: " + problem.what());
  }
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
  impl_->lines->write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace fewshop::http
