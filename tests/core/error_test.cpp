#include "core/error.h"

#include <gtest/gtest.h>

#include <new>

#include "core/cancel.h"

namespace fewshop {
namespace {

template <class Exception>
int status_of(const Exception& exception, std::string& message) {
  try {
    throw exception;
  } catch (...) {
    return exit_status_of_current_exception(message);
  }
}

TEST(ErrorTest, TheExitStatusTellsWhatWentWrong) {
  std::string message;
  EXPECT_EQ(status_of(InvalidInput("bad.csv: line 3"), message), 2);
  EXPECT_EQ(message, "bad.csv: line 3");
  EXPECT_EQ(status_of(Failure("disk full"), message), 1);
  EXPECT_EQ(message, "disk full");
  EXPECT_EQ(status_of(Interrupted(), message), 130);
  EXPECT_EQ(status_of(std::bad_alloc(), message), 1);
  EXPECT_EQ(message, "out of memory");
  EXPECT_EQ(status_of(std::runtime_error("other"), message), 1);
  EXPECT_EQ(status_of(42, message), 1);
  EXPECT_EQ(message, "unknown error");
}

TEST(ErrorTest, WhateverFailsAfterARequestToStopIsAnInterruption) {
  set_cancelled(true);
  std::string message;
  EXPECT_EQ(status_of(Failure("query interrupted"), message), 130);
  EXPECT_EQ(message, "interrupted");
  set_cancelled(false);
}

TEST(ErrorTest, RequireJoinsItsPartsIntoOneMessage) {
  EXPECT_NO_THROW(require(true, "not built ", 1));
  try {
    require(false, "inner_lr: ", 3, " is outside [", 1e-6, ", ", 1, "]");
    FAIL() << "expected InvalidInput";
  } catch (const InvalidInput& e) {
    EXPECT_STREQ(e.what(), "inner_lr: 3 is outside [1e-06, 1]");
  }
}

}  // namespace
}  // namespace fewshop
