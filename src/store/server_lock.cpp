#include "store/server_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace fewshop {
namespace {

std::string holder(int file) {
  char text[32] = {};
  const ssize_t size = ::pread(file, text, sizeof text - 1, 0);
  std::string pid(text, size > 0 ? static_cast<size_t>(size) : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

ServerLock::ServerLock(const std::string& database) {
  const std::string path = database + ".lock";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) throw Failure(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    const std::string pid = holder(file_);
    ::close(file_);
    if (error != EWOULDBLOCK) throw Failure(fmt::format("{}: cannot be locked: {}", path, std::strerror(error)));
    throw Failure(fmt::format(
        "{}: served by another server, process {}; a database has one server: stop that one first", database, pid));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  // The process id is for people: a disk without room for it is found out by the first write to the database.
  if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, pid.data(), pid.size(), 0) < 0) return;
}

ServerLock::~ServerLock() { ::close(file_); }

void refuse_served(const std::string& database) {
  const int file = ::open((database + ".lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  const bool served = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const std::string pid = served ? holder(file) : "";
  ::close(file);
  if (served)
    throw Failure(
        fmt::format("{}: a server, process {}, has this database; it can be read, but is changed through the server "
                    "only: send the change there, or stop the server and run this again",
                    database, pid));
}

}  // namespace fewshop
