#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace fewshop {

/// Base of everything fewshop throws. A message says where, what was expected, what came, and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Something wrong in what was given: arguments, a file, a scenario, data, a database, a bundle. Exit status 2.
class InvalidInput : public Error {
 public:
  using Error::Error;
};

/// The operation cannot go on although the input may be right: locked database, full disk, divergence. Exit status 1.
class Failure : public Error {
 public:
  using Error::Error;
};

/// The user asked to stop (Ctrl-C). Exit status 130.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

/// Throws InvalidInput with the concatenated parts unless `ok`.
template <class... Parts>
void require(bool ok, const Parts&... parts) {
  if (ok) [[likely]]
    return;
  std::ostringstream message;
  (message << ... << parts);
  throw InvalidInput(message.str());
}

/// The exit status that the command line gives for the exception being handled: 2, 1 or 130.
int exit_status_of_current_exception(std::string& message);

}  // namespace fewshop
