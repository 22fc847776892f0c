#include "core/progress.h"

#include <gtest/gtest.h>

#include "core/cancel.h"
#include "core/error.h"
#include "core/progress_lines.h"

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

TEST(ProgressTest, LinesTellAnotherProgramHowFarThisOneIs) {
  set_progress_lines(true);
  testing::internal::CaptureStderr();
  {
    Progress bar("rows of next", 8);
    bar.advance(3);
    bar.advance(3);  // too soon after the first
    Progress unknown("table events", 0);
    unknown.advance(5);
  }
  set_progress_lines(false);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text, "progress 0.375 rows of next\nprogress - table events\n");
  EXPECT_EQ(last_progress_line("progress 0.375 rows of next\nprogr").name, "rows of next");
  EXPECT_EQ(last_progress_line("progress 0.375 rows of next\nprogr").share, 0.375);
  EXPECT_EQ(last_progress_line(text).share, -1);
  EXPECT_EQ(last_progress_line("progress").name, "");
  EXPECT_EQ(without_progress_lines("a\nprogress - x\nprogress is good\nfewshop: b"), "a\nprogress is good\nfewshop: b");
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
