#pragma once

#include <gtest/gtest.h>

#include <string>

namespace fewshop::testing {

/// What() of the exception of this type that body throws.
template <class Exception, class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.what();
  } catch (const std::exception& e) {
    ADD_FAILURE() << "another exception: " << e.what();
    return "";
  }
  ADD_FAILURE() << "no exception";
  return "";
}

}  // namespace fewshop::testing
