#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/cancel.h"

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
  {
    std::vector<std::jthread> others;  // joined at the end of the block, also when a thread cannot be started
    for (int worker = 1; worker < workers; ++worker) {
      try {
        others.emplace_back(work, worker);
      } catch (const std::system_error&) {
        break;  // the system has no more threads to give: those there do the work
      }
    }
    work(0);
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace fewshop
