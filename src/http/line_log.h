#pragma once

#include <spdlog/sinks/sink.h>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fewshop::http {

/// Lines that a thread of its own writes, so that a slow disk slows no request. The thread gathers what comes for a few
/// hundredths of a second: waking it for every line would cost a busy server more than writing them. What is written
/// is flushed at once. Where the queue is full the oldest lines go. Safe from any thread.
class LineLog {
 public:
  struct Options {
    spdlog::sink_ptr sink;
    size_t most_waiting = 8192;
    std::function<std::string(int64_t lost)> lost = nullptr;  // a line that says how many went; null = none is written
  };
  explicit LineLog(Options options);
  ~LineLog();  // writes what is queued
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  void write(std::string line);

 private:
  void loop();
  void attempt(const std::function<void()>& part);

  Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::string> waiting_;
  size_t oldest_ = 0;  // in waiting_, which goes round where it is full
  int64_t lost_ = 0;   // since the last batch
  bool stopping_ = false;
  std::chrono::steady_clock::time_point said_ = {};  // when standard error was last told that the sink fails
  std::thread thread_;
};

}  // namespace fewshop::http
