#include "http/line_log.h"

#include <spdlog/details/log_msg.h>

#include <cstdio>
#include <utility>

namespace fewshop::http {
namespace {

constexpr auto kGather = std::chrono::milliseconds(20);
constexpr auto kSayAgain = std::chrono::minutes(1);

}  // namespace

LineLog::LineLog(Options options) : options_(std::move(options)) {
  options_.sink->set_pattern("%v");
  thread_ = std::thread([this] { loop(); });
}

LineLog::~LineLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LineLog::write(std::string line) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < options_.most_waiting) {
      first = waiting_.empty();
      waiting_.push_back(std::move(line));
    } else {
      waiting_[oldest_] = std::move(line);
      oldest_ = (oldest_ + 1) % waiting_.size();
      ++lost_;
    }
  }
  if (first) wake_.notify_one();
}

void LineLog::loop() {
  for (bool last = false; !last;) {
    std::vector<std::string> lines;
    size_t first = 0;
    int64_t lost = 0;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      wake_.wait_for(lock, kGather, [&] { return stopping_; });
      last = stopping_;
      lines.swap(waiting_);
      first = std::exchange(oldest_, 0);
      lost = std::exchange(lost_, 0);
    }
    if (lost > 0 && options_.lost) attempt([&] { options_.sink->log({{}, spdlog::level::info, options_.lost(lost)}); });
    for (size_t i = 0; i < lines.size(); ++i)
      attempt([&] { options_.sink->log({{}, spdlog::level::info, lines[(first + i) % lines.size()]}); });
    attempt([&] { options_.sink->flush(); });
  }
}

/// Nothing that goes wrong here may end the server.
void LineLog::attempt(const std::function<void()>& part) {
  try {
    part();
  } catch (const std::exception& problem) {
    const auto now = std::chrono::steady_clock::now();
    if (said_ != std::chrono::steady_clock::time_point{} && now - said_ < kSayAgain) return;
    said_ = now;
    std::fprintf(stderr, "fewshop: the log cannot be written: %s\n", problem.what());
  }
}

}  // namespace fewshop::http
