// Bodies of Segment's clients: never a crash, and what is read survives writing and reading again. The first byte
// chooses the call.
#include "incoming_checks.h"
#include "online/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fewshop;
  static constexpr std::string_view kCalls[] = {"track", "identify", "alias", "page", "screen", "group"};
  if (!size) return 0;
  const std::string_view call = *data < 6 ? kCalls[*data] : "batch";
  fuzz_body(data + (*data < 6), size - (*data < 6), [&](std::string_view body, const ParseContext& context) {
    check_incoming(parse_segment(body, call, context), context);
  });
  return 0;
}
