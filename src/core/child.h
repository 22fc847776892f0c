#pragma once

#include <sys/types.h>
#include <string>
#include <vector>

namespace fewshop {

/// A program that runs beside this one: in a process group of its own, at lower priority, ended with the thread that
/// started it however this process ends.
class Child {
 public:
  /// Starts arguments[0] (a path) with standard output and error written to files. Throws Failure.
  Child(const std::vector<std::string>& arguments, const std::string& output, const std::string& error);
  /// Ends it where it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Whether it has ended; waits up to so long.
  bool wait(double seconds);
  /// Its exit status; 128 + the signal that ended it. After wait() was true.
  int status() const { return status_; }
  /// Asks it to stop, and after `seconds` ends it.
  void stop(double seconds);

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

/// The path of the program that runs.
std::string own_program();

}  // namespace fewshop
