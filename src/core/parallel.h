#pragma once

#include <cstdint>
#include <functional>

namespace fewshop {

/// Runs body(begin, end, worker) over chunks of [0, count) on `threads` threads (0 = all cores). Chunks are handed out
/// in order; results must not depend on which worker takes which chunk. The first exception is rethrown after all
/// workers have stopped; a request to cancel throws Interrupted.
void parallel_for(int64_t count, int threads, int64_t chunk,
                  const std::function<void(int64_t begin, int64_t end, int worker)>& body);

/// Threads that `threads` stands for: itself, or the number of cores when 0.
int thread_count(int threads);

}  // namespace fewshop
