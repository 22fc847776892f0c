#include "runtime/members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundle/tensor_file.h"
#include "core/error.h"

namespace fewshop {
namespace {

TEST(MembersTest, AnUnknownKindIsRefusedNamingTheKnownOnes) {
  TensorFile file;
  file.put_text("kind", "oracle");
  try {
    load_member(file);
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), ::testing::AllOf(::testing::HasSubstr("oracle"), ::testing::HasSubstr("als")));
  }
  EXPECT_THROW(load_member(TensorFile()), InvalidInput);
}

}  // namespace
}  // namespace fewshop
