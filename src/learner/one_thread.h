#pragma once

#include <ATen/Parallel.h>

namespace fewshop::learning {

/// Threads split tasks; inside an operation of libtorch there is one. The setting belongs to a thread, so whoever
/// answers for a task on a thread of unknown origin calls this first.
inline void one_thread() {
  thread_local const bool set = (at::set_num_threads(1), true);
  static_cast<void>(set);
}

}  // namespace fewshop::learning
