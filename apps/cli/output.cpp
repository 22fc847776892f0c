#include "output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace fewshop::cli {

void write_file(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".partial";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  bool written = file && std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (file) written = std::fclose(file) == 0 && written;
  if (written && std::rename(temporary.c_str(), path.c_str()) == 0) return;
  const std::string reason = std::strerror(errno);
  std::remove(temporary.c_str());
  throw Failure(path + ": cannot be written: " + reason);
}

}  // namespace fewshop::cli
