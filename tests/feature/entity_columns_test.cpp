#include "feature/entity_columns.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace fewshop {
namespace {

const std::vector<float> kDense{1, 2, 3, 4};
const std::vector<int64_t> kOffsets{0, 2, 3};
const std::vector<int32_t> kIds{4, 1, 2};

/// Two entities with a dense column of two numbers and a bag.
Columns two() {
  Columns columns;
  columns.rows = 2;
  columns.columns.push_back({"items.size", 2, 0, kDense, {}, {}});
  columns.columns.push_back({"items.genres", 0, 5, {}, kOffsets, kIds});
  return columns;
}

std::vector<int32_t> ids(const Columns& columns, int64_t row) {
  const auto view = columns.columns[1].row(row).ids;
  return {view.begin(), view.end()};
}

std::vector<float> dense(const Columns& columns, int64_t row) {
  const auto view = columns.columns[0].row(row).dense;
  return {view.begin(), view.end()};
}

TEST(EntityColumnsTest, ACopyAnswersAsTheOriginal) {
  const EntityColumns owned(two());
  EXPECT_EQ(owned.columns().rows, 2);
  EXPECT_EQ(ids(owned.columns(), 0), (std::vector<int32_t>{4, 1}));
  EXPECT_EQ(ids(owned.columns(), 1), (std::vector<int32_t>{2}));
  EXPECT_EQ(dense(owned.columns(), 1), (std::vector<float>{3, 4}));
}

TEST(EntityColumnsTest, AnAppendedEntityStandsBehindTheOthersAndLeavesThemAsTheyWere) {
  EntityColumns owned(two());
  const std::vector<float> size{7, 8};
  const std::vector<int32_t> genres{0, 3, 4};
  owned.append(std::vector<ColumnView>{{size, {}}, {{}, genres}});
  owned.append({});  // nothing is known
  EXPECT_EQ(owned.columns().rows, 4);
  EXPECT_EQ(ids(owned.columns(), 2), genres);
  EXPECT_EQ(dense(owned.columns(), 2), size);
  EXPECT_TRUE(ids(owned.columns(), 3).empty());
  EXPECT_EQ(dense(owned.columns(), 3), (std::vector<float>{0, 0}));
  EXPECT_EQ(ids(owned.columns(), 0), (std::vector<int32_t>{4, 1}));
}

TEST(EntityColumnsTest, AReplacedEntityMovesNoOther) {
  EntityColumns owned(two());
  const std::vector<float> size{7, 8};
  const std::vector<int32_t> genres{0, 2, 3};
  owned.replace(0, std::vector<ColumnView>{{size, {}}, {{}, genres}});
  EXPECT_EQ(ids(owned.columns(), 0), genres);
  EXPECT_EQ(ids(owned.columns(), 1), (std::vector<int32_t>{2}));
  EXPECT_EQ(dense(owned.columns(), 0), size);
  EXPECT_EQ(dense(owned.columns(), 1), (std::vector<float>{3, 4}));
  const std::vector<int32_t> none;
  owned.replace(0, std::vector<ColumnView>{{size, {}}, {{}, none}});
  EXPECT_TRUE(ids(owned.columns(), 0).empty());
  EXPECT_EQ(ids(owned.columns(), 1), (std::vector<int32_t>{2}));
}

TEST(EntityColumnsTest, ColumnsWithoutRowsTakeTheirFirst) {
  Columns shapes;
  shapes.columns = two().columns;
  for (auto& column : shapes.columns) column.dense = {}, column.offsets = {}, column.ids = {};
  EntityColumns owned(shapes);
  const std::vector<float> size{7, 8};
  const std::vector<int32_t> genres{0, 3};
  owned.append(std::vector<ColumnView>{{size, {}}, {{}, genres}});
  EXPECT_EQ(owned.columns().rows, 1);
  EXPECT_EQ(owned.columns().columns[1].offsets.size(), 2);
  EXPECT_EQ(ids(owned.columns(), 0), genres);
  EXPECT_EQ(dense(owned.columns(), 0), size);
}

TEST(EntityColumnsTest, OtherColumnsOrRowsAreRefused) {
  EntityColumns owned(two());
  const std::vector<float> size{7, 8};
  EXPECT_THROW(owned.append(std::vector<ColumnView>{{size, {}}}), InvalidInput);
  EXPECT_THROW(owned.replace(2, std::vector<ColumnView>{{size, {}}, {}}), InvalidInput);
}

}  // namespace
}  // namespace fewshop
