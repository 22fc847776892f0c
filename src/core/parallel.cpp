#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/cancel.h"
#include "core/helper_threads.h"

namespace fewshop {
namespace {

/// Threads at work beside the caller's; waits for them at the end of its life.
class Helpers {
 public:
  explicit Helpers(size_t most) {
    work_.reserve(most);
    threads_.reserve(most);
  }
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;
  ~Helpers() {
    for (HelperThread* const thread : threads_) thread->finish();
  }

  /// False where there is no thread to do it.
  bool start(std::function<void()> work) {
    HelperThread* const thread = HelperThread::borrow();
    if (!thread) return false;
    thread->start(work_.emplace_back(std::move(work)));
    threads_.push_back(thread);
    return true;
  }

 private:
  std::vector<std::function<void()>> work_;  // stays where it is
  std::vector<HelperThread*> threads_;
};

}  // namespace

int thread_count(int threads) {
  return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel_for(int64_t count, int threads, int64_t chunk, const std::function<void(int64_t, int64_t, int)>& body) {
  chunk = std::max<int64_t>(1, chunk);
  const int workers =
      static_cast<int>(std::min<int64_t>(thread_count(threads), std::max<int64_t>(1, (count + chunk - 1) / chunk)));
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto work = [&](int worker) {
    try {
      while (!stop) {
        const int64_t begin = next.fetch_add(chunk);
        if (begin >= count) return;
        check_cancelled();
        body(begin, std::min(begin + chunk, count), worker);
      }
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
      stop = true;
    }
  };
  {
    Helpers helpers(workers - 1);
    for (int worker = 1; worker < workers; ++worker)
      if (!helpers.start([&work, worker] { work(worker); })) break;  // no more to be had: those there do the work
    work(0);
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace fewshop
