#include "core/read_ahead.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace fewshop {
namespace {

constexpr int64_t kAtOnce = int64_t{8} << 20;  // bytes
constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

/// A number that is all there is in a file; kUnknown where there is none ("max").
int64_t number_in(const char* path) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : kUnknown;
}

/// The number behind a name in a file of names and numbers; 0 where it has none.
int64_t named_number(const char* path, const std::string& name) {
  std::ifstream file(path);
  int64_t number = 0;
  for (std::string word; file >> word;)
    if (word == name && file >> number) return number;
  return 0;
}

/// Bytes that programs may still take without others having to give way; half of the machine's memory where that is not
/// told (a service that sees no more of /proc than its processes).
int64_t available_bytes() {
  int64_t available = named_number("/proc/meminfo", "MemAvailable:") * 1024;
  if (available == 0) available = int64_t{::sysconf(_SC_PHYS_PAGES)} / 2 * ::sysconf(_SC_PAGESIZE);
  // A container has its own bound, in which the system's cache counts although it gives way.
  const int64_t most = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
  if (most == kUnknown || used == kUnknown) return available;
  const int64_t cached = named_number("/sys/fs/cgroup/memory.stat", "inactive_file") +
                         named_number("/sys/fs/cgroup/memory.stat", "active_file");
  return std::min(available, std::max<int64_t>(0, most - used + cached));
}

}  // namespace

bool read_ahead(const std::string& path, int64_t from) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (status.st_size < from || status.st_size > available_bytes() / 2) return false;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  // Piece by piece: of a longer range Linux reads the beginning.
  int refused = 0;
  for (int64_t at = 0; at < status.st_size && refused == 0; at += kAtOnce)
    refused = ::posix_fadvise(file, at, kAtOnce, POSIX_FADV_WILLNEED);
  ::close(file);
  return refused == 0;
}

}  // namespace fewshop
