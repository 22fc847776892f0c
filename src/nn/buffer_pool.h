#pragma once

#include <cstddef>
#include <memory>

namespace fewshop::nn {

/// Memory that is used again and again by one meta-batch after another, whichever thread asks: fresh pages cost more
/// than the arithmetic that fills them. 64-byte-aligned, contents undefined.
///
/// Never holds more buffers than were once in use together; a request that no free buffer is large enough for replaces
/// one. Safe to use from several threads; the memory goes back to the pool with the last pointer.
std::shared_ptr<void> pooled_buffer(size_t bytes);

/// The same for tensors: from now on memory that the process frees stays its own, where the C library can do that. Else
/// every large tensor is fresh pages from the system again, which threads wait for each other to get.
void keep_freed_memory();

}  // namespace fewshop::nn
