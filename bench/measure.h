#pragma once

#include <algorithm>
#include <ctime>
#include <vector>

namespace fewshop::bench {

/// CPU seconds of this thread.
inline double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Times of many short chunks of calls. Shared machines lose the processor for milliseconds at a time: the median of
/// short chunks forgets such moments, a mean would not.
class Chunks {
 public:
  template <class Call>
  double time(int calls, Call&& call) {
    const double begin = cpu_seconds();
    for (int i = 0; i < calls; ++i) call();
    const double per_call = (cpu_seconds() - begin) / calls;
    per_call_.push_back(per_call);
    return per_call * calls;
  }

  double median() {
    auto middle = per_call_.begin() + static_cast<long>(per_call_.size() / 2);
    std::nth_element(per_call_.begin(), middle, per_call_.end());
    return *middle;
  }
  double minimum() const { return *std::min_element(per_call_.begin(), per_call_.end()); }

 private:
  std::vector<double> per_call_;
};

}  // namespace fewshop::bench
