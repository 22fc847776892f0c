#pragma once

#include <algorithm>
#include <vector>

#include "core/usage.h"

namespace fewshop::bench {

/// Times of many short chunks of calls. Shared machines lose the processor for milliseconds at a time: the median of
/// short chunks forgets such moments, a mean would not.
class Chunks {
 public:
  template <class Call>
  double time(int calls, Call&& call) {
    const double begin = thread_cpu_seconds();
    for (int i = 0; i < calls; ++i) call();
    const double per_call = (thread_cpu_seconds() - begin) / calls;
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
