#include "core/child.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "support/temp_dir.h"

namespace fewshop {
namespace {

using testing::read_whole;
using testing::TempDir;

TEST(Child, WritesToFilesAndEndsWithItsStatus) {
  const TempDir folder;
  Child child({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}, folder / "out", folder / "err");
  ASSERT_TRUE(child.wait(10));
  EXPECT_EQ(child.status(), 7);
  EXPECT_EQ(read_whole(folder / "out"), "out\n");
  EXPECT_EQ(read_whole(folder / "err"), "err\n");
}

TEST(Child, IsAskedToStopAndThenEnded) {
  const TempDir folder;
  Child polite({"/bin/sleep", "100"}, folder / "out", folder / "err");
  EXPECT_FALSE(polite.wait(0.05));
  polite.stop(10);
  EXPECT_EQ(polite.status(), 128 + SIGTERM);
  Child deaf({"/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"}, folder / "out",
             folder / "err");
  while (read_whole(folder / "out").empty()) deaf.wait(0.01);
  const auto begin = std::chrono::steady_clock::now();
  deaf.stop(0.2);
  EXPECT_EQ(deaf.status(), 128 + SIGKILL);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(Child, AProgramThatIsNotThereEndsAtOnce) {
  const TempDir folder;
  Child child({folder / "nothing"}, folder / "out", folder / "err");
  ASSERT_TRUE(child.wait(10));
  EXPECT_EQ(child.status(), 127);
}

}  // namespace
}  // namespace fewshop
