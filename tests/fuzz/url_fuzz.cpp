// Reading of addresses never crashes; what it lets in is UTF-8 without NUL and survives writing and reading again.
#include <cstdlib>
#include <string_view>

#include "http/route.h"
#include "http/url.h"

namespace {

void check(const std::string& text) {
  using namespace fewshop::http;
  if (!is_utf8(text) || text.find('\0') != std::string::npos || percent_decode(percent_encode(text)) != text)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fewshop::http;
  try {
    const Target target = split_target({reinterpret_cast<const char*>(data), size});
    for (const auto& [name, value] : parse_query(target.query)) {
      check(name);
      check(value);
    }
    for (const std::string& segment : path_segments(target.path)) check(segment);
  } catch (const HttpError& error) {
    if (error.status != 400) std::abort();
  }
  return 0;
}
