// parse_time never crashes, and what it reads survives writing and reading again.
#include <cstdlib>
#include <string_view>

#include "core/time.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto time = fewshop::parse_time({reinterpret_cast<const char*>(data), size});
  if (time && fewshop::parse_time(fewshop::format_time(*time)) != time) std::abort();
  return 0;
}
