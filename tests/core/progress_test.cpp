#include "core/progress.h"

#include <gtest/gtest.h>

#include "core/cancel.h"
#include "core/error.h"

namespace fewshop {
namespace {

TEST(ProgressTest, NothingIsDrawnWhereStandardErrorIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    Progress bar("rows", 10);
    for (int i = 0; i < 20; ++i) bar.advance();
    Progress unknown("rows", 0);
    unknown.advance(5, "note");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ProgressTest, ALoopWithProgressCanBeLeft) {
  Progress bar("rows", 10);
  bar.advance();
  set_cancelled(true);
  EXPECT_THROW(bar.advance(), Interrupted);
  set_cancelled(false);
  EXPECT_NO_THROW(bar.advance());
}

TEST(ProgressTest, VerboseLinesAppearOnlyWhenAskedFor) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  verbose("hidden");
  set_verbose(true);
  verbose("shown");
  set_verbose(false);
  say("said");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "shown\nsaid\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "") << "standard output carries results only";
}

}  // namespace
}  // namespace fewshop
