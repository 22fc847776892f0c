// Every bundled recipe against the public data that it is for (docs/data.md). Skipped where the data is not at hand;
// bundled_recipes_test.cpp has a few lines of each.
#include "support/public_data.h"
#include "support/temp_dir.h"
#include "table/import.h"
#include "table/records.h"

namespace fewshop {
namespace {

using testing::TempDir;

class DatasetsTest : public ::testing::Test {
 protected:
  /// Imports a recipe, or says why not.
  bool import(const std::string& name, const std::string& folder) {
    const std::string data = folder[0] == '/' ? folder : testing::data_folder(folder);
    if (data.empty()) return false;
    store_ = open_store(dir_ / "shop.db", Store::Access::kWrite);
    report_ = import_recipe(read_recipe(FEWSHOP_SOURCE_DIR "/datasets/" + name + ".toml"), data, *store_);
    for (const auto& table : report_.tables) EXPECT_EQ(table.rejected, 0) << table.name;
    return true;
  }

  int64_t number(const std::string& sql) {
    auto cursor = store_->query(sql);
    return cursor->next() ? cursor->at(0).integer : -1;
  }

  std::string text(const std::string& sql) {
    auto cursor = store_->query(sql);
    std::string all;
    while (cursor->next())
      for (size_t c = 0; c < cursor->columns().size(); ++c)
        all += (all.empty() ? "" : " ") + cursor->at(static_cast<int>(c)).to_text();
    return all;
  }

  int64_t rows(const std::string& table) { return store_->describe(table).rows; }

  TempDir dir_;
  std::unique_ptr<Store> store_;
  ImportReport report_;
};

#define IMPORT_OR_SKIP(name, folder) \
  if (!import(name, folder)) GTEST_SKIP() << "no data: " << folder

TEST_F(DatasetsTest, Movielens1m) {
  IMPORT_OR_SKIP("movielens-1m", "movielens-1m");
  EXPECT_EQ(rows("ratings"), 1'000'209);
  EXPECT_EQ(rows("melu_split"), 1'000'205);
  EXPECT_EQ(rows("users"), 6'040);
  EXPECT_EQ(rows("movies"), 3'881);
  EXPECT_EQ(text("select rating, count(*) from ratings group by rating order by rating"),
            "1 56174 2 107557 3 261197 4 348971 5 226310");
  EXPECT_EQ(text("select title, year, genres, mpaa_rate, director, actors from movies where item_id = '1'"),
            "Toy Story (1995) 1995 Animation|Children's|Comedy G John Lasseter Tom Hanks, Tim Allen, Don Rickles, Jim "
            "Varney");
  EXPECT_EQ(number("select count(*) from movies where year not between 1915 and 2000 or year is null"), 0);
  EXPECT_EQ(text("select distinct role from melu_split order by role"), "other query support");
  EXPECT_EQ(number("select count(*) from users where zip_code = '02460'"), 3);
}

TEST_F(DatasetsTest, Movielens100k) {
  IMPORT_OR_SKIP("movielens-100k", "movielens-100k");
  EXPECT_EQ(rows("ratings"), 100'000);
  EXPECT_EQ(rows("users"), 943);
  EXPECT_EQ(rows("movies"), 1'682);
  EXPECT_EQ(text("select * from ratings limit 1"), "196 242 3 881250949000000");
}

TEST_F(DatasetsTest, RecboleDirectory) {
  IMPORT_OR_SKIP("recbole", "movielens-100k");
  EXPECT_EQ(rows("interactions"), 100'000);
  EXPECT_EQ(rows("users"), 943);
  EXPECT_EQ(rows("items"), 1'682);
}

TEST_F(DatasetsTest, OnlineRetail) {
  IMPORT_OR_SKIP("online-retail", FEWSHOP_SOURCE_DIR "/data/online-retail");
  const auto& lines = report_.tables[0];
  EXPECT_EQ(lines.records, 541'909);
  using Reason = std::pair<std::string, int64_t>;
  EXPECT_THAT(lines.dropped, ::testing::ElementsAre(Reason("no customer", 135'080), Reason("cancellation", 8'905),
                                                    Reason("not a product", 1'554)));
  EXPECT_EQ(rows("events"), 541'909 - 135'080 - 8'905 - 1'554);
  EXPECT_EQ(rows("users"), 4'335);
  EXPECT_EQ(rows("items"), 3'659);
  EXPECT_EQ(number("select count(*) from (select distinct event_id, position from events)"), rows("events"));
  EXPECT_EQ(number("select count(*) from events where user_id not in (select user_id from users) or item_id not in "
                   "(select item_id from items)"),
            0);
  EXPECT_EQ(text("select event, user_id, item_id, quantity, price, value from events limit 1"),
            "purchase 17850 85123A 6 2.55 15.299999999999999");
}

TEST_F(DatasetsTest, LastfmHetrec) {
  IMPORT_OR_SKIP("lastfm-hetrec", "lastfm-hetrec");
  EXPECT_EQ(rows("listens"), 92'834);
  EXPECT_EQ(rows("artist_tags"), 184'941);
  EXPECT_EQ(rows("friends"), 25'434);
  EXPECT_EQ(rows("artists"), 17'632);
  EXPECT_EQ(number("select count(distinct user_id) from listens"), 1'892);
}

TEST_F(DatasetsTest, Filmtrust) {
  IMPORT_OR_SKIP("filmtrust", "filmtrust");
  EXPECT_EQ(rows("ratings"), 35'497);
  EXPECT_EQ(rows("trust"), 1'853);
  EXPECT_EQ(text("select min(rating), max(rating) from ratings"), "0.5 4");
}

TEST_F(DatasetsTest, YelpHin) {
  IMPORT_OR_SKIP("yelp-hin", "yelp-hin");
  EXPECT_EQ(rows("ratings"), 198'397);
  EXPECT_EQ(rows("businesses"), 14'284);
  EXPECT_EQ(rows("users"), 16'239);
  EXPECT_EQ(rows("friends"), 158'590);
  EXPECT_EQ(text("select * from businesses limit 1"), "1 334|426 31");
}

TEST_F(DatasetsTest, AmazonMusicalInstruments) {
  IMPORT_OR_SKIP("amazon-musical-instruments", "amazon-musical-instruments");
  EXPECT_EQ(rows("ratings"), 10'261);
  EXPECT_EQ(number("select count(distinct user_id) from ratings"), 1'429);
  EXPECT_EQ(number("select count(distinct item_id) from ratings"), 900);
  EXPECT_EQ(text("select user_id, rating, time from ratings limit 1"), "A2IBPI20UZIR0U 5 1393545600000000");
}

TEST_F(DatasetsTest, SessionsDiginetica) {
  IMPORT_OR_SKIP("sessions-diginetica", "sessions-diginetica");
  EXPECT_EQ(number("select count(*) from clicks where split = 'train'"), 906'140);
  EXPECT_EQ(number("select count(distinct session_id) from clicks where split = 'train'"), 186'670);
  EXPECT_EQ(number("select count(*) from clicks where role = 'query'"), 60'858);
  EXPECT_EQ(text("select position, item_id, role from clicks where session_id = 't3' order by position"),
            "0 21553 support 1 20071 support 2 8762 support 3 21566 query");
}

}  // namespace
}  // namespace fewshop
