#include "core/helper_threads.h"

#include <pthread.h>

#include <mutex>
#include <new>
#include <thread>
#include <utility>

namespace fewshop {

/// The threads that wait, the last one to have worked in front: it may still be awake.
class IdleHelpers {
 public:
  static IdleHelpers& all() {
    static auto* const idle = new IdleHelpers;  // never destroyed: threads wait until the process ends
    return *idle;
  }

  HelperThread* take() {
    const std::lock_guard lock(mutex_);
    return first_ ? std::exchange(first_, first_->next_) : nullptr;
  }
  void give(HelperThread* helper) {
    const std::lock_guard lock(mutex_);
    helper->next_ = std::exchange(first_, helper);
  }

 private:
  /// Threads do not live on in a forked child: it begins with none.
  IdleHelpers() {
    pthread_atfork([] { all().mutex_.lock(); }, [] { all().mutex_.unlock(); },
                   [] {
                     all().first_ = nullptr;
                     all().mutex_.unlock();
                   });
  }

  std::mutex mutex_;
  HelperThread* first_ = nullptr;
};

HelperThread* HelperThread::borrow() noexcept {
  if (HelperThread* const idle = IdleHelpers::all().take()) return idle;
  auto* const made = new (std::nothrow) HelperThread;
  if (!made) return nullptr;
  try {
    std::thread([made] { made->loop(); }).detach();
  } catch (...) {
    delete made;
    return nullptr;
  }
  return made;
}

void HelperThread::start(const std::function<void()>& work) noexcept {
  work_ = &work;
  busy_ = 1;
  busy_.notify_one();
}

void HelperThread::finish() noexcept {
  while (busy_ != 0) busy_.wait(1);
  IdleHelpers::all().give(this);
}

void HelperThread::loop() {
  while (true) {
    while (busy_ == 0) busy_.wait(0);
    (*work_)();
    busy_ = 0;
    busy_.notify_one();
  }
}

}  // namespace fewshop
