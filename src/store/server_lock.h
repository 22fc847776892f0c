#pragma once

#include <string>

namespace fewshop {

/// The lock of the one server that a database may have: the file DATABASE.lock, held with flock(2) for the life of the
/// object and containing the process id. The kernel gives it up when the process ends, however it ends, so that a stale
/// file locks nothing; the file itself stays (to remove it would let two servers hold two files of one name).
class ServerLock {
 public:
  /// Throws Failure, naming the process, where another server holds it.
  explicit ServerLock(const std::string& database);
  ~ServerLock();
  ServerLock(const ServerLock&) = delete;
  ServerLock& operator=(const ServerLock&) = delete;

 private:
  int file_ = -1;
};

/// Throws Failure, naming the process and what to do, where a server holds the lock of the database.
void refuse_served(const std::string& database);

}  // namespace fewshop
