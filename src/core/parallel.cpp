#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/cancel.h"
#include "core/helper_threads.h"

namespace fewshop {

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
  std::vector<HelperThread*> helpers;
  std::vector<std::function<void()>> tasks;
  helpers.reserve(workers);
  tasks.reserve(workers);
  for (int worker = 1; worker < workers; ++worker) {
    HelperThread* const helper = HelperThread::borrow();
    if (!helper) break;  // the system has no more threads to give: those there do the work
    helpers.push_back(helper);
    helper->start(tasks.emplace_back([&work, worker] { work(worker); }));
  }
  work(0);
  for (HelperThread* const helper : helpers) helper->finish();
  if (error) std::rethrow_exception(error);
}

}  // namespace fewshop
