#include "online/housekeeping.h"

namespace fewshop {

Housekeeping::Housekeeping(std::function<void()> tick, std::function<void(const std::string&)> failed,
                           std::chrono::milliseconds interval)
    : tick_(std::move(tick)), failed_(std::move(failed)), interval_(interval), thread_([this] { loop(); }) {}

bool Housekeeping::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Housekeeping::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Housekeeping::loop() {
  auto next = std::chrono::steady_clock::now() + interval_;
  while (true) {
    std::vector<std::function<void()>> tasks;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, next, [&] { return stopping_ || !tasks_.empty(); });
      tasks.swap(tasks_);
      if (stopping_ && tasks.empty()) return;
    }
    for (const auto& task : tasks) task();
    if (std::chrono::steady_clock::now() < next) continue;
    try {
      tick_();
    } catch (const std::exception& problem) {
      failed_(problem.what());
    }
    next = std::chrono::steady_clock::now() + interval_;
  }
}

}  // namespace fewshop
