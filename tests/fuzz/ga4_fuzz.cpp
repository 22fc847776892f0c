// Bodies of the Measurement Protocol: never a crash, and what is read survives writing and reading again.
#include "incoming_checks.h"
#include "online/ga4.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fewshop;
  fuzz_body(data, size, [](std::string_view body, const ParseContext& context) {
    check_incoming(parse_ga4(body, context), context);
  });
  return 0;
}
