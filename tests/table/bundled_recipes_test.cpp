// Every bundled recipe on a few invented lines in the format of its data (fixtures/RECIPE).
#include <filesystem>
#include <set>

#include "support/temp_dir.h"
#include "table/import.h"
#include "table/records.h"

namespace fewshop {
namespace {

using testing::TempDir;

const std::string kFixtures = FEWSHOP_SOURCE_DIR "/tests/table/fixtures/";

class BundledRecipesTest : public ::testing::Test {
 protected:
  void import(const std::string& name) {
    store_ = open_store(dir_ / "shop.db", Store::Access::kWrite);
    report_ = import_recipe(read_recipe(FEWSHOP_SOURCE_DIR "/datasets/" + name + ".toml"), kFixtures + name, *store_);
    for (const auto& table : report_.tables) EXPECT_EQ(table.rejected, 0) << table.name;
  }

  /// All rows of a query; values with a blank between them, rows with " / ", "-" for a missing value.
  std::string text(const std::string& sql) {
    auto cursor = store_->query(sql);
    std::string all;
    while (cursor->next()) {
      if (!all.empty()) all += " / ";
      for (size_t c = 0; c < cursor->columns().size(); ++c) {
        const std::string value = cursor->at(static_cast<int>(c)).to_text();
        all += (c ? " " : "") + (value.empty() ? "-" : value);
      }
    }
    return all;
  }

  TempDir dir_;
  std::unique_ptr<Store> store_;
  ImportReport report_;
};

TEST_F(BundledRecipesTest, EachHasAFixture) {
  std::set<std::string> recipes, fixtures;
  for (const auto& file : std::filesystem::directory_iterator(FEWSHOP_SOURCE_DIR "/datasets"))
    recipes.insert(file.path().stem());
  for (const auto& folder : std::filesystem::directory_iterator(kFixtures)) fixtures.insert(folder.path().filename());
  EXPECT_EQ(recipes, fixtures);
}

TEST_F(BundledRecipesTest, Movielens1mJoinsTitlesWithTheirDescriptions) {
  import("movielens-1m");
  EXPECT_EQ(text("select count(*), sum(rating) from ratings"), "10 33");
  EXPECT_EQ(text("select cell, user_id, item_id, rating, role, rank_in_user from melu_split where role = 'query'"),
            "user_cold_state 2 3 1 query 1 / item_cold_state 3 2 2 query 3");
  EXPECT_EQ(text("select user_id, age, zip_code from users"), "1 1 01234 / 2 56 70072 / 3 25 55117 / 4 45 02460-1234");
  EXPECT_EQ(text("select item_id, year, genres, mpaa_rate, director, actors, plot from movies"),
            "1 1995 Animation|Children's|Comedy G Ada Nilsen Tom Vale, Ines Roth A keeper says \"stay\". / "
            "2 1999 Drama - Jo Sato Mei Lin - / 3 1921 Documentary - - - Ants. / 4 2000 Comedy|Romance - - - -");
  EXPECT_EQ(text("select title from movies where item_id in ('1', '2')"), "Lighthouse, The (1995) / Café Lumen (1999)");
}

TEST_F(BundledRecipesTest, Movielens100kReadsTypedHeadersAndYearsThatAreNone) {
  import("movielens-100k");
  EXPECT_EQ(text("select count(*), sum(rating), min(timestamp) from ratings"), "10 33 878887116000000");
  EXPECT_EQ(text("select * from users where user_id < '3'"), "1 24 M technician 05711 / 2 53 F other 94043");
  EXPECT_EQ(text("select item_id, title, year, genres from movies"),
            "10 Lighthouse 1995 Animation Children's Comedy / 11 Café Lumen 1996 Drama / "
            "12 Ants \"of\" Summer - Documentary / 13 unknown - unknown");
}

TEST_F(BundledRecipesTest, RowsOfCustomersSalesReviewsAndVisitsAreTyped) {
  import("churn-telco");
  EXPECT_EQ(text("select count(*), sum(tenure), sum(Churn = 'Yes') from customers"), "10 328 3");
  import("walmart-weekly-sales");
  EXPECT_EQ(text("select count(*), sum(Weekly_Sales), sum(IsHoliday) from train"), "10 15452.5 2");
  EXPECT_EQ(text("select count(*), count(CPI) from features"), "10 9");
  import("womens-clothing-reviews");
  EXPECT_EQ(text("select count(*), sum(Rating), min(\"Clothing ID\") from reviews"), "10 30 700");
  import("online-shoppers-intention");
  EXPECT_EQ(text("select count(*), sum(Revenue), sum(Weekend) from sessions"), "10 3 3");
}

TEST_F(BundledRecipesTest, RecboleTakesAFolderWithoutUsers) {
  import("recbole");
  EXPECT_EQ(text("select user_id, item_id, price, timestamp from interactions where user_id = 'u1'"),
            "u1 007 2.5 1300000000000000 / u1 8 1 1300000001000000");
  EXPECT_EQ(text("select * from items"), "007 blue tall 1.5 / 8 red - / 9 - 3");
  EXPECT_EQ(text("select count(*) from sqlite_master where name = 'users'"), "0");
}

TEST_F(BundledRecipesTest, FilmtrustHasRatingsInHalvesAndTrust) {
  import("filmtrust");
  EXPECT_EQ(text("select count(*), sum(rating), min(rating) from ratings"), "10 24 0.5");
  EXPECT_EQ(text("select * from trust where user_id = '1'"), "1 2 1 / 1 3 1");
}

TEST_F(BundledRecipesTest, LastfmPutsTheMostFrequentTagFirst) {
  import("lastfm-hetrec");
  EXPECT_EQ(text("select count(*), max(count) from listens"), "10 13883");
  EXPECT_EQ(text("select item_id, tags from artists"), "51 13|9 / 52 20|100 / 53 9 / 54 - / 55 - / 60 13 / 100 -");
  EXPECT_EQ(text("select count(*) from friends"), "4");
}

TEST_F(BundledRecipesTest, YelpGathersCategoriesAndCities) {
  import("yelp-hin");
  EXPECT_EQ(text("select count(*), sum(rating) from ratings"), "10 34");
  EXPECT_EQ(text("select * from businesses"), "7 334|426 31 / 8 211 35 / 9 334 35 / 10 - 31 / 11 5 -");
  EXPECT_EQ(text("select * from users"), "1 - / 2 1|3 / 3 - / 4 2");
  EXPECT_EQ(text("select * from friends where user_id = '3'"), "3 4");
}

TEST_F(BundledRecipesTest, AmazonReviewsKeepLineEndsAndLeadingZeros) {
  import("amazon-musical-instruments");
  EXPECT_EQ(text("select count(*), sum(rating) from ratings"), "10 38");
  EXPECT_EQ(text("select user_id, item_id, rating, time, summary, text from ratings limit 1"),
            "A1B2 B000000001 5 1393545600000000 good Does what it should.\nNothing more.");
  EXPECT_EQ(text("select item_id, text from ratings where user_id = 'G7H8' limit 1"), "0000000004 音がいい");
}

TEST_F(BundledRecipesTest, DigineticaTurnsPrefixesIntoSupportAndQuery) {
  import("sessions-diginetica");
  EXPECT_EQ(text("select split, count(*), count(distinct session_id) from clicks group by split"),
            "test 16 5 / train 25 10");
  EXPECT_EQ(text("select session_id, position, item_id from clicks where session_id = 'r5'"),
            "r5 0 2 / r5 1 1 / r5 2 2");
  EXPECT_EQ(text("select position, item_id, role from clicks where session_id = 't2' order by position"),
            "0 2 support / 1 4 support / 2 6 support / 3 8 query");
}

TEST_F(BundledRecipesTest, OnlineRetailDropsWhatIsNoPurchaseAndSaysWhy) {
  import("online-retail");
  using Reason = std::pair<std::string, int64_t>;
  EXPECT_THAT(report_.tables[0].dropped,
              ::testing::ElementsAre(Reason("no customer", 1), Reason("cancellation", 1), Reason("not a product", 3)));
  EXPECT_EQ(text("select * from users"), "10000 United Kingdom / 10001 France / 10002 Germany");
  EXPECT_EQ(text("select item_id, title, price, hidden from items"),
            "10001 LANTERN, WHITE 2.55 0 / 10002A HEART HOLDER 3.39 0 / 22423 CAKE STAND 12.75 0");
  EXPECT_EQ(text("select event_id, position, event, user_id, item_id, quantity, value from events"),
            "900001 0 purchase 10000 10001 6 15.299999999999999 / 900001 1 purchase 10000 10002A 8 27.12 / "
            "900002 0 purchase 10001 10001 24 50.400000000000006 / 900005 0 purchase 10000 10002A 2 6.78 / "
            "900006 0 purchase 10002 22423 1 12.75");
}

}  // namespace
}  // namespace fewshop
