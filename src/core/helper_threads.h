#pragma once

#include <atomic>
#include <functional>

namespace fewshop {

/// A thread that waits for one piece of work after another: to start a thread costs as much as a short one. Idle ones
/// belong to the process, as many as were ever busy together; they end with it.
class HelperThread {
 public:
  /// An idle one, else a new one; nullptr when the system has no more threads to give. Thread-safe.
  static HelperThread* borrow();

  /// Begins `work`, which must not throw, and must live until finish() returns.
  void start(const std::function<void()>& work);

  /// Waits for the end of the work. Then the thread is idle and may be borrowed by somebody else.
  void finish();

 private:
  HelperThread() = default;
  void loop();

  std::atomic<const std::function<void()>*> work_ = nullptr;
};

}  // namespace fewshop
