#include "scenario/guess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "scenario/read.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

/// A column of a table to guess about: its cell in row r is text or number `r / divide % values`.
struct TestColumn {
  std::string name;
  ColumnType type;
  int values, divide = 1;
};

class GuessTest : public ::testing::Test {
 protected:
  void write(const std::vector<TestColumn>& columns, int rows = 600) {
    Transaction transaction(*store_);
    std::vector<TableColumn> table;
    for (const TestColumn& c : columns) table.push_back({c.name, c.type});
    auto writer = store_->write("log", table);
    for (int r = 0; r < rows; ++r) {
      std::vector<std::string> texts;
      std::vector<Value> row;
      texts.reserve(columns.size());
      for (const TestColumn& c : columns) {
        const int64_t value = r / c.divide % c.values;
        texts.push_back("v" + std::to_string(value));
        row.push_back(c.type == ColumnType::kText   ? Value::of(std::string_view(texts.back()))
                      : c.type == ColumnType::kReal ? Value::of(0.5 * static_cast<double>(value))
                                                    : Value::of(value));
      }
      writer->add(row);
    }
    writer->finish();
    transaction.commit();
  }

  Guess guess(const GuessHints& hints = {}) {
    const Guess guess = guess_scenario(*store_, "log", "shop", hints);
    // Whatever is guessed is a scenario file that can be read.
    const Scenario scenario = parse_scenario(guess.toml, "guessed.toml");
    EXPECT_EQ(scenario.problem, guess.problem);
    EXPECT_EQ(scenario.name, "shop");
    return guess;
  }

  std::string refusal(const GuessHints& hints = {}) {
    try {
      guess_scenario(*store_, "log", "shop", hints);
    } catch (const InvalidInput& e) {
      return e.what();
    }
    return "";
  }

  TempDir folder_;
  std::unique_ptr<Store> store_ = open_store(folder_ / "log.db", Store::Access::kWrite);
};

TEST_F(GuessTest, InvoicesOfAShopAreARankingWithOrders) {
  write({{"InvoiceNo", ColumnType::kText, 150, 4},
         {"StockCode", ColumnType::kText, 37},
         {"Description", ColumnType::kText, 37},
         {"Quantity", ColumnType::kInteger, 9},
         {"InvoiceDate", ColumnType::kTime, 150, 4},
         {"UnitPrice", ColumnType::kReal, 23},
         {"CustomerID", ColumnType::kInteger, 30, 20},
         {"Country", ColumnType::kText, 3, 200}});
  const Guess found = guess();
  EXPECT_EQ(found.user, "CustomerID");
  EXPECT_EQ(found.item, "StockCode");
  EXPECT_EQ(found.time, "InvoiceDate");
  EXPECT_EQ(found.ties, "InvoiceNo");
  EXPECT_EQ(found.rating, "");
  EXPECT_EQ(found.problem, Problem::kRanking);
  const Scenario scenario = parse_scenario(found.toml, "guessed.toml");
  EXPECT_THAT(scenario.items.sql, HasSubstr("Description")) << "one per item: a feature";
  EXPECT_THAT(scenario.tasks.sql, HasSubstr("Country")) << "one per user: a feature";
  EXPECT_TRUE(scenario.episode.by_time);
}

TEST_F(GuessTest, RatingsOfFilmsAreARating) {
  write({{"userId", ColumnType::kText, 30, 20},
         {"movieId", ColumnType::kText, 37},
         {"rating", ColumnType::kReal, 10, 3},
         {"timestamp", ColumnType::kInteger, 600}});
  const Guess found = guess();
  EXPECT_EQ(found.user, "userId");
  EXPECT_EQ(found.item, "movieId");
  EXPECT_EQ(found.rating, "rating");
  EXPECT_EQ(found.time, "timestamp");
  EXPECT_EQ(found.problem, Problem::kRating);
}

TEST_F(GuessTest, ReviewsAreTakenByTheirKeysNotByTheirNamesAndTexts) {
  write({{"reviewerName", ColumnType::kText, 30, 20},
         {"reviewerID", ColumnType::kText, 30, 20},
         {"asin", ColumnType::kText, 37},
         {"reviewText", ColumnType::kText, 600},
         {"overall", ColumnType::kInteger, 5, 7},
         {"summary", ColumnType::kText, 500},
         {"unixReviewTime", ColumnType::kTime, 100}});
  const Guess found = guess();
  EXPECT_EQ(found.user, "reviewerID");
  EXPECT_EQ(found.item, "asin");
  EXPECT_EQ(found.rating, "overall");
  EXPECT_EQ(found.time, "unixReviewTime");
}

TEST_F(GuessTest, ClicksKeepTheirKindOfEventAndTheirSession) {
  write({{"event_time", ColumnType::kTime, 600},
         {"event_type", ColumnType::kText, 3},
         {"product_id", ColumnType::kText, 37},
         {"category_code", ColumnType::kText, 7},
         {"price", ColumnType::kReal, 50},
         {"user_id", ColumnType::kText, 30, 20},
         {"user_session", ColumnType::kText, 150, 4}});
  const Guess found = guess();
  EXPECT_EQ(found.user, "user_id");
  EXPECT_EQ(found.item, "product_id");
  EXPECT_EQ(found.event, "event_type");
  EXPECT_EQ(found.ties, "user_session");
  EXPECT_EQ(found.time, "event_time");
  EXPECT_EQ(found.problem, Problem::kRanking);
}

TEST_F(GuessTest, ColumnsWithoutTellingNamesAreTakenByTheirNumbers) {
  write({{"a", ColumnType::kText, 60, 10}, {"b", ColumnType::kText, 37}, {"c", ColumnType::kReal, 5, 3}});
  const Guess found = guess();
  EXPECT_EQ(found.user, "a");
  EXPECT_EQ(found.item, "b");
  EXPECT_EQ(found.rating, "c");
}

TEST_F(GuessTest, HintsWinAndAreChecked) {
  write({{"userId", ColumnType::kText, 30, 20},
         {"seller", ColumnType::kText, 25, 7},
         {"movieId", ColumnType::kText, 37},
         {"rating", ColumnType::kReal, 10, 3}});
  EXPECT_EQ(guess({.user = "seller"}).user, "seller");
  EXPECT_EQ(guess({.item = "seller"}).item, "seller");
  EXPECT_THAT(refusal({.user = "sellr"}), HasSubstr("--user: no column 'sellr'; columns: userId (text), seller"));
  EXPECT_THAT(refusal({.user = "seller", .item = "seller"}), HasSubstr("two columns"));
  EXPECT_THAT(refusal({.rating = "seller"}), HasSubstr("--rating: column 'seller' holds text, expected numbers"));
  EXPECT_THAT(refusal({.time = "seller"}), HasSubstr("--time: column 'seller' holds text, expected times"));
}

TEST_F(GuessTest, ATableWithoutUsersOrItemsSaysWhatIsMissingAndHowToNameIt) {
  write({{"day", ColumnType::kTime, 600}, {"price", ColumnType::kReal, 600}, {"sold", ColumnType::kInteger, 5}});
  const std::string message = refusal();
  EXPECT_THAT(message, HasSubstr("no column looks like the user"));
  EXPECT_THAT(message, HasSubstr("day (time), price (real), sold (integer)"));
  EXPECT_THAT(message, HasSubstr("--user COLUMN"));
}

TEST_F(GuessTest, AUniqueKeyOfRowsIsNoUser) {
  write(
      {{"customerID", ColumnType::kText, 600}, {"Contract", ColumnType::kText, 3}, {"Churn", ColumnType::kBoolean, 2}});
  EXPECT_THAT(refusal(), HasSubstr("no column looks like the item"));
}

TEST_F(GuessTest, WhoOwnsEachItemIsNoUserAndTheLineOfAnOrderIsNoItem) {
  write({{"order_id", ColumnType::kText, 200, 3},
         {"order_item_id", ColumnType::kInteger, 12},
         {"product_id", ColumnType::kText, 150},
         {"seller_id", ColumnType::kText, 30}});
  EXPECT_THAT(refusal(), HasSubstr("no column looks like the user"));
  EXPECT_THAT(refusal(), HasSubstr("seller_id is none: hardly any product_id has more than one"));
  EXPECT_EQ(guess({.user = "seller_id"}).item, "product_id");
}

TEST_F(GuessTest, AQuantityIsNoItem) {
  write({{"customer", ColumnType::kText, 60, 10},
         {"date", ColumnType::kTime, 600},
         {"quantity", ColumnType::kInteger, 45},
         {"total_amount", ColumnType::kInteger, 90}});
  EXPECT_THAT(refusal(), HasSubstr("no column looks like the item"));
}

TEST_F(GuessTest, RowsOfOneUserAtOneTimeAreABasket) {
  write(
      {{"member", ColumnType::kText, 30, 20}, {"product", ColumnType::kText, 37}, {"date", ColumnType::kTime, 200, 3}});
  const Guess found = guess();
  EXPECT_EQ(found.ties, "time");
  EXPECT_THAT(found.toml, HasSubstr("ties    = \"time\""));
  write({{"member", ColumnType::kText, 30, 20}, {"product", ColumnType::kText, 37}, {"date", ColumnType::kTime, 600}});
  EXPECT_EQ(guess().ties, "");
}

TEST_F(GuessTest, AColumnThatIsCalledATimeAndIsNoneIsSaidSo) {
  write(
      {{"member", ColumnType::kText, 30, 20}, {"product", ColumnType::kText, 37}, {"date", ColumnType::kText, 200, 3}});
  const Guess found = guess();
  EXPECT_EQ(found.time, "");
  EXPECT_THAT(found.reasons, ::testing::Contains(HasSubstr("column 'date' is called like one")));
}

TEST_F(GuessTest, NamesWithQuotesAndOtherAlphabetsAreKept) {
  write({{"user \"x\"", ColumnType::kText, 30, 20}, {"товар item", ColumnType::kText, 37}});
  const Guess found = guess();
  EXPECT_EQ(found.user, "user \"x\"");
  EXPECT_EQ(found.item, "товар item");
}

TEST_F(GuessTest, AnEmptyTableIsRefused) {
  write({{"user", ColumnType::kText, 1}, {"item", ColumnType::kText, 1}}, 0);
  EXPECT_THAT(refusal(), HasSubstr("log: expected rows, found none"));
  EXPECT_THAT(refusal({.place = "orders.csv"}), HasSubstr("orders.csv: expected rows, found none"));
}

TEST_F(GuessTest, AUserColumnWithOneValueIsSaidToHaveOne) {
  write({{"user", ColumnType::kText, 1}, {"item", ColumnType::kText, 37}});
  EXPECT_THAT(refusal(), HasSubstr("'user' holds one value only"));
}

}  // namespace
}  // namespace fewshop
