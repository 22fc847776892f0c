#include "feature/column_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "feature/encode.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using testing::TempDir;

CachedColumns columns() {
  const RawColumn kind{{"items.kind", FeatureType::kCategory}, {"x", "y", "x"}};
  const RawColumn price{{"items.price", FeatureType::kNumber}, {"1", "2", std::nullopt}};
  CachedColumns result;
  for (const auto& column : {kind, price}) result.encoders.items.push_back(fit_encoder(column, {1, 1, 1}));
  result.items = encode_columns(result.encoders.items, {kind, price}, 3);
  result.tasks.rows = 7;
  result.notes = {"something was left out"};
  return result;
}

TEST(ColumnCacheTest, GivesBackWhatWasWritten) {
  const TempDir folder;
  const std::string file = folder / "new/shop.columns";
  ASSERT_TRUE(write_column_cache(file, "key", columns()));
  const auto back = open_column_cache(file, "key");
  ASSERT_TRUE(back.has_value());
  const CachedColumns before = columns();
  EXPECT_EQ(encoders_to_json(back->encoders), encoders_to_json(before.encoders));
  EXPECT_EQ(back->notes, before.notes);
  EXPECT_EQ(back->tasks.rows, 7);
  ASSERT_EQ(back->items.columns.size(), 2);
  for (int c = 0; c < 2; ++c)
    for (int r = 0; r < 3; ++r) {
      const ColumnView a = back->items.columns[c].row(r), b = before.items.columns[c].row(r);
      EXPECT_TRUE(std::equal(a.dense.begin(), a.dense.end(), b.dense.begin(), b.dense.end()));
      EXPECT_TRUE(std::equal(a.ids.begin(), a.ids.end(), b.ids.begin(), b.ids.end()));
    }
  // Written under another name first: nothing else is left in the folder.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "new"), {}), 1);
}

TEST(ColumnCacheTest, AnotherKeyOrNoFileIsNoCache) {
  const TempDir folder;
  ASSERT_TRUE(write_column_cache(folder / "c", "key", columns()));
  EXPECT_FALSE(open_column_cache(folder / "c", "other").has_value());
  EXPECT_FALSE(open_column_cache(folder / "absent", "key").has_value());
  EXPECT_FALSE(open_column_cache(folder.path().string(), "key").has_value());
  EXPECT_FALSE(open_column_cache(folder.write("empty", ""), "key").has_value());
}

TEST(ColumnCacheTest, EveryFlippedByteAndEveryTruncationIsNoticed) {
  const TempDir folder;
  ASSERT_TRUE(write_column_cache(folder / "c", "key", columns()));
  const std::string whole = testing::read_whole(folder / "c");
  for (size_t i = 0; i < whole.size(); i += 3) {
    std::string damaged = whole;
    damaged[i] ^= 0x10;
    EXPECT_FALSE(open_column_cache(folder.write("d", damaged), "key").has_value()) << i;
    EXPECT_FALSE(open_column_cache(folder.write("t", whole.substr(0, i)), "key").has_value()) << i;
  }
}

TEST(ColumnCacheTest, AFolderThatCannotBeWrittenIsNoError) {
  EXPECT_FALSE(write_column_cache("/proc/nowhere/c.columns", "key", columns()));
}

}  // namespace
}  // namespace fewshop
