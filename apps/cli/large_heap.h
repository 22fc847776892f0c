#pragma once

namespace fewshop::cli {

/// For commands that answer from hundreds of megabytes: has all memory of this process in large pages, where the system
/// gives them to who asks. The C library is told so by its environment (glibc.malloc.hugetlb of GLIBC_TUNABLES) and
/// reads that at its start alone, so the program begins again, once, as the same process. Call it before anything else
/// was done. A value of the user's own stays, 0 among them.
void keep_heap_in_large_pages();

}  // namespace fewshop::cli
