#include <algorithm>
#include <filesystem>

#include "core/resources.h"
#include "scenario/read.h"

namespace fewshop {

std::vector<std::string> bundled_scenarios() {
  std::vector<std::string> files;
  const std::string folder = resource_folder("scenarios");
  if (folder.empty()) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".toml") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end(),
            [](const std::filesystem::path& a, const std::filesystem::path& b) { return a.stem() < b.stem(); });
  return files;
}

}  // namespace fewshop
