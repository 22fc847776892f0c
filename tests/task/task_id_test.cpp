#include "task/task_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string joined(const std::vector<std::string>& values) {
  std::string id;
  for (size_t i = 0; i < values.size(); ++i) append_task_value(id, values[i], i == 0);
  return id;
}

TEST(TaskIdTest, ValuesAreJoinedAsInALineOfACsvFile) {
  EXPECT_EQ(joined({"u1", "2011"}), "u1,2011");
  EXPECT_EQ(joined({"Smith, Ann", "say \"so\"", ""}), "\"Smith, Ann\",\"say \"\"so\"\"\",");
  const std::vector<std::string> columns{"name", "year"};
  EXPECT_THAT(task_values("\"Smith, Ann\",2011", columns), ElementsAre("Smith, Ann", "2011"));
  EXPECT_THAT(task_values("a / b,", columns), ElementsAre("a / b", ""));
}

TEST(TaskIdTest, TheIdOfOneColumnIsItsValue) {
  const std::vector<std::string> columns{"name"};
  EXPECT_THAT(task_values("Smith, \"Ann\"", columns), ElementsAre("Smith, \"Ann\""));
}

RC_GTEST_PROP(TaskIdTest, WhatIsJoinedComesApartAgain, (std::vector<std::string> values)) {
  RC_PRE(values.size() >= 2);
  const std::vector<std::string> columns(values.size(), "c");
  RC_ASSERT(task_values(joined(values), columns) == values);
}

TEST(TaskIdTest, AnotherNumberOfValuesIsRefused) {
  const std::vector<std::string> columns{"name", "year"};
  const auto refusal = [&](const char* id) -> std::string {
    try {
      task_values(id, columns);
    } catch (const InvalidInput& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal("u1"), HasSubstr("task 'u1': expected 2 values joined by commas (name,year), got 1"));
  EXPECT_THAT(refusal("a,b,c"), HasSubstr("got 3"));
  EXPECT_THAT(refusal("\"a,b"), HasSubstr("a quote that is not closed"));
}

}  // namespace
}  // namespace fewshop
