// Writes the small ranking model as a bundle for the examples:  write_small_bundle FOLDER
#include <cstdio>

#include "runtime/small_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  fewshop::testing::small_model()->save(argv[1], nlohmann::json::object(), nlohmann::json::object());
  std::printf("%s\n", argv[1]);
}
