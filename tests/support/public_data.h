#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace fewshop::testing {

/// Folder of a public data set, or "" where it is not there: NAME in the folder that the environment variable
/// FEWSHOP_DATA names, by default shared/data beside the checkout. docs/data.md says what belongs there.
inline std::string data_folder(const std::string& name) {
  const char* given = std::getenv("FEWSHOP_DATA");
  const std::filesystem::path data = given && *given ? given : FEWSHOP_SOURCE_DIR "/../shared/data";
  std::error_code error;
  return std::filesystem::is_directory(data / name, error) ? (data / name).string() : "";
}

}  // namespace fewshop::testing
