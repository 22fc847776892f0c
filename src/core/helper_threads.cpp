#include "core/helper_threads.h"

#include <unistd.h>

#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace fewshop {
namespace {

/// Threads do not live on in a forked child: it begins with none.
struct Idle {
  std::mutex mutex;
  std::vector<HelperThread*> threads;
  pid_t process = getpid();
};

Idle& idle() {
  static auto* const all = new Idle;  // never destroyed: threads wait until the process ends
  return *all;
}

}  // namespace

HelperThread* HelperThread::borrow() {
  {
    Idle& all = idle();
    const std::lock_guard lock(all.mutex);
    if (all.process != getpid()) {
      all.threads.clear();
      all.process = getpid();
    }
    if (!all.threads.empty()) {
      HelperThread* const found = all.threads.back();
      all.threads.pop_back();
      return found;
    }
  }
  auto* const made = new HelperThread;
  try {
    std::thread([made] { made->loop(); }).detach();
  } catch (const std::system_error&) {
    delete made;
    return nullptr;
  }
  return made;
}

void HelperThread::start(const std::function<void()>& work) {
  work_.store(&work, std::memory_order_release);
  work_.notify_all();
}

void HelperThread::finish() {
  for (const auto* work = work_.load(std::memory_order_acquire); work; work = work_.load(std::memory_order_acquire))
    work_.wait(work, std::memory_order_acquire);
  Idle& all = idle();
  const std::lock_guard lock(all.mutex);
  all.threads.push_back(this);
}

void HelperThread::loop() {
  while (true) {
    work_.wait(nullptr, std::memory_order_acquire);
    const auto* const work = work_.load(std::memory_order_acquire);
    if (!work) continue;
    (*work)();
    work_.store(nullptr, std::memory_order_release);
    work_.notify_all();
  }
}

}  // namespace fewshop
