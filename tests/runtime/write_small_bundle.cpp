// Writes the small model as a bundle, for the examples and the text tests:  write_small_bundle FOLDER [rating]
#include <cstdio>

#include "runtime/small_model.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  fewshop::testing::SmallModelOptions options;
  if (argc > 2) options.problem = fewshop::Problem::kRating;
  fewshop::testing::small_model(options)->save(argv[1], nlohmann::json::object(), nlohmann::json::object());
  std::printf("%s\n", argv[1]);
}
