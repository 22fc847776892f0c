#include "nn/buffer_pool.h"

#include <malloc.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace fewshop::nn {
namespace {

constexpr std::align_val_t kAlignment{64};

struct Buffer {
  void* memory;
  size_t bytes;
  std::thread::id last;  // who used it last: it may still lie in the cache of that core
};

/// Free buffers, the smallest first.
class Pool {
 public:
  Buffer take(size_t bytes) {
    const auto me = std::this_thread::get_id();
    Buffer found{nullptr, 0, me};
    {
      const std::lock_guard lock(mutex_);
      auto at = std::lower_bound(free_.begin(), free_.end(), bytes,
                                 [](const Buffer& buffer, size_t wanted) { return buffer.bytes < wanted; });
      // One's own, unless it is much larger than asked for.
      const auto mine = std::find_if(at, free_.end(), [&](const Buffer& buffer) { return buffer.last == me; });
      if (mine != free_.end() && mine->bytes <= 2 * at->bytes) at = mine;
      if (at == free_.end() && at != free_.begin()) --at;  // the largest one is too small: it is replaced
      if (at != free_.end()) {
        found = *at;
        free_.erase(at);
      }
    }
    if (found.bytes >= bytes && found.memory) return found;
    ::operator delete(found.memory, kAlignment);
    // A little more than asked for: the next batch may have one row more.
    const size_t size = bytes + bytes / 4;
    return {::operator new(size, kAlignment), size, me};
  }

  void give(Buffer buffer) {
    buffer.last = std::this_thread::get_id();
    const std::lock_guard lock(mutex_);
    free_.insert(std::lower_bound(free_.begin(), free_.end(), buffer.bytes,
                                  [](const Buffer& a, size_t wanted) { return a.bytes < wanted; }),
                 buffer);
  }

 private:
  std::mutex mutex_;
  std::vector<Buffer> free_;
};

Pool& pool() {
  static auto* const all = new Pool;  // never destroyed: buffers may come back during exit
  return *all;
}

}  // namespace

std::shared_ptr<void> pooled_buffer(size_t bytes) {
  const Buffer buffer = pool().take(std::max<size_t>(bytes, 64));
  return {buffer.memory, [buffer](void*) { pool().give(buffer); }};
}

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that it takes
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 16 << 20);
#endif
}

}  // namespace fewshop::nn
