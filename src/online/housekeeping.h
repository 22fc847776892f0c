#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fewshop {

/// A thread for what a server does beside requests: tasks that are too long for the threads that serve and write, and a
/// tick at intervals. One thing at a time, tasks first.
class Housekeeping {
 public:
  /// What a tick throws goes to `failed`; tasks must not throw.
  Housekeeping(std::function<void()> tick, std::function<void(const std::string&)> failed,
               std::chrono::milliseconds interval);
  ~Housekeeping() { stop(); }

  /// False, and the task is dropped, once it stops.
  bool run(std::function<void()> task);
  /// Runs the tasks that are waiting, then ends.
  void stop();

 private:
  void loop();

  std::function<void()> tick_;
  std::function<void(const std::string&)> failed_;
  std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace fewshop
