#pragma once

#include <atomic>
#include <functional>

namespace fewshop {

/// A thread that waits for one piece of work after another: to start a thread for each costs as much as short work
/// itself. Idle ones belong to the process, as many as were ever busy together; they end with it.
class HelperThread {
 public:
  /// An idle one, else a new one; nullptr when the system has no more threads or memory to give. Thread-safe.
  static HelperThread* borrow() noexcept;

  /// Begins `work`, which must not throw, and must live until finish() returns.
  void start(const std::function<void()>& work) noexcept;

  /// Waits for the end of the work. Then the thread is idle and may be borrowed by somebody else.
  void finish() noexcept;

 private:
  friend class IdleHelpers;

  HelperThread() = default;
  void loop();

  const std::function<void()>* work_ = nullptr;
  // An int of its own cache line: what waits for it, waits for nothing else in the process (of other types libstdc++
  // shares a few counters, and every change wakes all who wait). Sequentially consistent: a weaker store can pass the
  // check for waiters.
  alignas(64) std::atomic<int> busy_ = 0;
  HelperThread* next_ = nullptr;  // idle
};

}  // namespace fewshop
