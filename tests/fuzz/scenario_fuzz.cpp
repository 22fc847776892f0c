// The scenario file: whatever the bytes, a Scenario that survives its own JSON, or InvalidInput.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "scenario/read.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const fewshop::Scenario scenario = fewshop::parse_scenario(text, "fuzz.toml", {"split.seed=3"});
    const nlohmann::json json = fewshop::scenario_to_json(scenario);
    if (fewshop::scenario_to_json(fewshop::scenario_from_json(json)) != json) std::abort();
  } catch (const fewshop::InvalidInput&) {
  }
  return 0;
}
