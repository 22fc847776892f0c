#include "runtime/code_dots.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "runtime/code_rows.h"

namespace fewshop {
namespace {

/// Rows and queries of codes; every fourth trial takes the largest magnitudes only.
struct Codes {
  Codes(int d, int64_t count, int queries, int largest, bool extreme, Random& random) : rows() {
    const auto code = [&](int most) {
      return extreme ? (random.below(2) == 0 ? most : -most) : static_cast<int>(random.below(2 * most + 1)) - most;
    };
    rows.clear(d);
    rows.resize(count);
    for (int64_t i = 0; i < count; ++i) {
      std::vector<float> vector(d);
      for (float& x : vector) x = static_cast<float>(code(127));
      vector[0] = 127;  // so the scale is 1 and codes are the numbers themselves
      rows.put(i, vector.data(), 0);
      row.push_back(vector);
    }
    for (int q = 0; q < queries; ++q) {
      query.emplace_back(static_cast<size_t>(rows.quads()) * 4, int8_t{0});
      for (int j = 0; j < d; ++j) query.back()[j] = static_cast<int8_t>(code(largest));
    }
  }
  CodeRows rows;
  std::vector<std::vector<float>> row;
  std::vector<std::vector<int8_t>> query;
};

TEST(CodeDotsTest, EveryFormGivesTheDotProducts) {
  Random random(1);
  for (const CodeDots* form : CodeDots::all()) {
    SCOPED_TRACE(form->name);
    for (int trial = 0; trial < 400; ++trial) {
      const int d = 1 + static_cast<int>(random.below(140)), queries = 1 + static_cast<int>(random.below(4));
      const auto count = 1 + static_cast<int64_t>(random.below(300));
      const Codes codes(d, count, queries, form->largest, trial % 4 == 0, random);
      std::vector<const int8_t*> query;
      std::vector<int32_t> start;
      for (const auto& one : codes.query) {
        query.push_back(one.data());
        start.push_back(CodeDots::start_of(one.data(), static_cast<int>(one.size())));
      }
      std::vector<const uint8_t*> blocks;
      std::vector<int64_t> number;
      for (int64_t block = 0; block < codes.rows.blocks(); ++block) {
        if (random.below(3) == 0) continue;  // they need not follow one another
        blocks.push_back(codes.rows.block(block));
        number.push_back(block);
      }
      std::vector<float> out(blocks.size() * queries * 8 + 1, -1.0F);
      form->function[queries - 1](query.data(), start.data(), blocks.data(), static_cast<int>(blocks.size()),
                                  codes.rows.quads(), out.data());
      EXPECT_EQ(out.back(), -1) << "nothing is written behind the last one";
      for (size_t b = 0; b < blocks.size(); ++b)
        for (int q = 0; q < queries; ++q)
          for (int64_t i = 0; i < 8; ++i) {
            const int64_t item = number[b] * 8 + i;
            double dot = 0;
            for (int j = 0; item < count && j < d; ++j) dot += codes.query[q][j] * codes.row[item][j];
            ASSERT_EQ(out[(b * queries + q) * 8 + i], dot) << "d " << d << ", item " << item << " of " << count;
          }
    }
  }
}

TEST(CodeDotsTest, LongRowsOfOneSignStayWithinWholeNumbers) {
  // As many dimensions as codes of the largest magnitude may have (ItemSearch takes smaller ones beyond).
  constexpr int kQuads = 10'000;
  CodeRows rows;
  rows.clear(4 * kQuads);
  rows.resize(8);
  const std::vector<float> largest(4 * kQuads, 127.0F);
  for (int i = 0; i < 8; ++i) rows.put(i, largest.data(), 0);
  for (const CodeDots* form : CodeDots::all())
    for (const int sign : {1, -1}) {
      const std::vector<int8_t> query(4 * kQuads, static_cast<int8_t>(sign * form->largest));
      const int8_t* codes = query.data();
      const int32_t start = CodeDots::start_of(codes, 4 * kQuads);
      const uint8_t* const blocks[] = {rows.block(0), rows.block(0), rows.block(0)};
      float out[3 * 8];
      form->function[0](&codes, &start, blocks, 3, kQuads, out);
      for (const float x : out) EXPECT_FLOAT_EQ(x, sign * 127.0F * form->largest * 4 * kQuads) << form->name;
    }
}

TEST(CodeDotsTest, TheBestIsTheLastOfAll) {
  const auto all = CodeDots::all();
  EXPECT_EQ(std::string(all.front()->name), "plain");
  EXPECT_EQ(all.back(), &CodeDots::best());
}

}  // namespace
}  // namespace fewshop
