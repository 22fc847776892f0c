#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace fewshop::http {

/// A thread for what would hold up an I/O thread: one piece of work after the other, in the order in which it came.
///
/// Threads: post() any number; stop() once, from none that post() could be called on after it.
class Aside {
 public:
  /// At most so many pieces wait. The thread starts with the first one.
  explicit Aside(size_t most_waiting) : most_waiting_(most_waiting) {}
  ~Aside() { stop(); }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  /// False where too many wait, or it has stopped. Work must not throw.
  bool post(std::function<void()> work);
  /// Ends after what is being done now; what waits is dropped.
  void stop();

 private:
  void run();

  const size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fewshop::http
