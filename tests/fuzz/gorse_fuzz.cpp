// Bodies of Gorse's clients: never a crash; feedback, users and items survive writing and reading again.
#include "incoming_checks.h"
#include "online/gorse.h"

namespace {

using namespace fewshop;

template <class Records>
void check_records(const Records& records, const ParseContext& context,
                   Records (*parse)(std::string_view, const ParseContext&)) {
  if (records.records.size() + records.refusals.size() != static_cast<size_t>(records.total)) std::abort();
  for (const auto& record : records.records) {
    const std::string text = to_gorse_json(record);
    const Records again = parse(text, context);
    if (again.records.size() != 1 || to_gorse_json(again.records[0]) != text) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_body(data, size, [](std::string_view body, const ParseContext& context) {
    check_incoming(parse_gorse_feedback(body, context), context);
    check_incoming(parse_gorse_feedback(body, context, true), context);
    check_records(parse_gorse_users(body, context), context, parse_gorse_users);
    check_records(parse_gorse_items(body, context), context, parse_gorse_items);
    try {
      parse_gorse_user_patch(body, "u", context);
    } catch (const InvalidInput&) {
    }
    parse_gorse_item_patch(body, "i", context);
  });
  return 0;
}
