// Reading a recipe never crashes.
#include "core/error.h"
#include "memory_file.h"
#include "table/recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  try {
    fewshop::read_recipe(file.path());
  } catch (const fewshop::InvalidInput&) {
  }
  return 0;
}
