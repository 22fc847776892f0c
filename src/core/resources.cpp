#include "core/resources.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace fewshop {

namespace fs = std::filesystem;

std::string library_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&library_folder), &info) == 0 || !info.dli_fname) return {};
  std::error_code error;
  return fs::weakly_canonical(info.dli_fname, error).parent_path().string();
}

std::string resource_folder(const std::string& name) {
  std::vector<fs::path> candidates;
  if (const char* home = std::getenv("FEWSHOP_HOME"); home && *home) {
    candidates.push_back(fs::path(home) / name);
  } else {
    const fs::path folder = library_folder();
    candidates = {folder / "../share/fewshop" / name, folder / "../../share/fewshop" / name, folder / "../.." / name};
  }
  std::error_code error;
  for (const auto& candidate : candidates)
    if (fs::is_directory(candidate, error)) return fs::weakly_canonical(candidate, error).string();
  return {};
}

}  // namespace fewshop
