// Bodies of canonical events: never a crash, and what is read survives writing and reading again.
#include "incoming_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fewshop;
  fuzz_body(data, size, [](std::string_view body, ParseContext& context) {
    check_incoming(parse_canonical_events(body, context), context);
    context.lines = true;
    check_incoming(parse_canonical_events(body, context), context);
  });
  return 0;
}
