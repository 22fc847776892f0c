#include "scenario/read.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "scenario/names.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDir;

constexpr const char* kLeast = "[rows]\ntable = \"ratings\"\ntask = \"user\"\nitem = \"item\"\ntarget = \"rating\"\n";

Scenario parse(const std::string& text, const std::vector<std::string>& overrides = {},
               const std::string& learner = {}) {
  return parse_scenario(text, "shop.toml", overrides, learner);
}

std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

/// The least scenario with lines added behind it.
std::string with(const std::string& more) { return std::string(kLeast) + more; }

TEST(ReadScenarioTest, FillsInEveryDefaultAndTellsIt) {
  const Scenario s = parse(kLeast);
  EXPECT_EQ(s.name, "shop");
  EXPECT_EQ(s.problem, Problem::kRating);
  EXPECT_EQ(s.split.train, 0.8);
  EXPECT_EQ(s.split.valid, 0.1);
  EXPECT_EQ(s.split.test, 0.1);
  EXPECT_EQ(s.split.seed, 0);
  EXPECT_EQ(s.episode.support_min, 0);
  EXPECT_EQ(s.episode.support_max, 100);
  EXPECT_EQ(s.episode.query_count, 10);
  EXPECT_EQ(s.episode.rows_min, 11);
  EXPECT_FALSE(s.episode.by_time);
  EXPECT_EQ(s.episode.shots.size(), 5);
  EXPECT_EQ(s.learner, "bayes");
  EXPECT_TRUE(s.stack && s.gate);
  EXPECT_THAT(s.metrics, ElementsAre("rmse", "mae", "ndcg@5"));
  EXPECT_THAT(s.baselines, IsEmpty());
  for (const char* key : {"name", "problem", "split", "split.seed", "episode.support", "episode.query", "episode.order",
                          "episode.rows", "episode.shots", "learner.name", "report.metrics", "report.baselines"})
    EXPECT_THAT(s.defaults, Contains(::testing::StartsWith(std::string(key) + ": "))) << key;
}

TEST(ReadScenarioTest, TheProblemFollowsItemTargetAndPositive) {
  EXPECT_EQ(parse("[rows]\ntable = 'r'\ntask = 'u'\nitem = 'i'\n").problem, Problem::kRanking);
  EXPECT_EQ(parse(with("positive = '>= 4'\n")).problem, Problem::kRanking);
  EXPECT_THAT(refusal("[rows]\ntable = 'r'\ntask = 'u'\ntarget = 't'\n"), HasSubstr("names no item"));
  EXPECT_THAT(refusal("problem = 'forecast'\n" + with("")), HasSubstr("not in this version yet; available: rating"));
  EXPECT_THAT(refusal("problem = 'guess'\n" + with("")), HasSubstr("is no kind of problem"));
  EXPECT_THAT(refusal("problem = 'rating'\n" + with("positive = '>= 4'\n")), HasSubstr("problem = \"ranking\""));
  EXPECT_THAT(refusal("problem = 'rating'\n[rows]\ntable = 'r'\ntask = 'u'\nitem = 'i'\n"),
              HasSubstr("rating needs target"));
}

TEST(ReadScenarioTest, ProblemsOfRowsNeedATargetAndNoItem) {
  const auto rows = [](const std::string& problem, const std::string& more) {
    return "problem = '" + problem + "'\n[rows]\ntable = 'r'\ntask = 'u'\n" + more;
  };
  for (const char* problem : {"binary", "multiclass", "regression", "count", "ordinal"}) {
    const Scenario s = parse(rows(problem, "target = 't'\n"));
    EXPECT_STREQ(problem_name(s.problem), problem);
    EXPECT_TRUE(is_row_problem(s.problem));
    EXPECT_THAT(refusal(rows(problem, "")), HasSubstr(std::string(problem) + " needs target"));
    const Scenario back = scenario_from_json(scenario_to_json(s));
    EXPECT_EQ(back.problem, s.problem);
  }
  EXPECT_EQ(parse(rows("binary", "target = 't'\npositive = '== yes'\n")).positive, "== yes");
  EXPECT_THAT(refusal(rows("count", "target = 't'\npositive = '> 1'\n")), HasSubstr("problem = \"binary\""));
  EXPECT_THAT(refusal(rows("binary", "target = 't'\n[items]\ntable = 'i'\n")), HasSubstr("names no item"));
  EXPECT_THAT(refusal(rows("binary", "target = 't'\n[episode]\nunseen_items = 'drop'\n")), HasSubstr("names no item"));
}

TEST(ReadScenarioTest, ClassesAreListedInOrderAndOnlyWhereThereAreSome) {
  const std::string head = "[rows]\ntable = 'r'\ntask = 'u'\ntarget = 't'\n";
  const Scenario s = parse("problem = 'ordinal'\n" + head + "classes = ['bad', 'good', 'best']\n");
  EXPECT_THAT(s.classes, ElementsAre("bad", "good", "best"));
  EXPECT_EQ(scenario_from_json(scenario_to_json(s)).classes, s.classes);
  EXPECT_THAT(refusal("problem = 'ordinal'\n" + head + "classes = ['one']\n"), HasSubstr("at least two classes"));
  EXPECT_THAT(refusal("problem = 'ordinal'\n" + head + "classes = ['a', 'a']\n"), HasSubstr("listed twice"));
  EXPECT_THAT(refusal("problem = 'binary'\n" + head + "classes = ['a', 'b']\n"), HasSubstr("\"multiclass\" or"));
}

TEST(ReadScenarioTest, FeaturesOfRowsBelongToProblemsOfRows) {
  const Scenario s = parse(
      "problem = 'binary'\n[rows]\ntable = 'r'\ntask = 'u'\ntarget = 't'\n[features]\n\"rows.hour\" = 'category'\n");
  ASSERT_EQ(s.features.size(), 1);
  EXPECT_EQ(s.features[0].name, "rows.hour");
}

TEST(ReadScenarioTest, OrdersByTimeWhereThereIsATimeColumn) {
  EXPECT_TRUE(parse(with("time = 't'\n")).episode.by_time);
  EXPECT_FALSE(parse(with("time = 't'\n[episode]\norder = 'random'\n")).episode.by_time);
  EXPECT_THAT(refusal(with("[episode]\norder = 'time'\n")), HasSubstr("needs time = \"COLUMN\""));
  EXPECT_THAT(refusal(with("[episode]\nties = 'time'\n")), HasSubstr("needs time = \"COLUMN\""));
}

TEST(ReadScenarioTest, UnknownKeysAreRefusedWithTheKnownOnesAndTheLine) {
  EXPECT_THAT(
      refusal(with("tagret = 'x'\n")),
      HasSubstr("shop.toml:6: rows.tagret: unknown key, did you mean 'target'?; known keys of [rows]: table, sql"));
  EXPECT_THAT(refusal("titel = 'x'\n" + with("")), HasSubstr("did you mean 'title'?"));
  EXPECT_THAT(refusal(with("[splits]\nseed = 1\n")), HasSubstr("did you mean 'split'?"));
  EXPECT_THAT(refusal(with("[episode]\nquery_size = 3\n")), HasSubstr("episode.query_size: unknown key"));
  EXPECT_THAT(refusal(with("[split]\ntime = { valid = '2011-01-01', tset = '2011-02-01' }\n")),
              HasSubstr("split.time.tset"));
}

TEST(ReadScenarioTest, SaysWhatWasExpectedAndWhatCame) {
  EXPECT_THAT(refusal(with("[split]\ntrain = 'most'\n")),
              HasSubstr("split.train: expected a number from 0 to 1, got \"most\""));
  EXPECT_THAT(refusal(with("[episode]\nquery = -1\n")), HasSubstr("expected a whole number from 1"));
  EXPECT_THAT(refusal(with("[episode]\nsupport = [5, 2]\n")), HasSubstr("least <= most"));
  EXPECT_THAT(refusal(with("[episode]\nshots = [1, 'many']\n")), HasSubstr("\"80%\"], got [1,\"many\"]"));
  EXPECT_THAT(refusal(with("[episode]\norder = 'sometimes'\n")), HasSubstr("one of time, random"));
  EXPECT_THAT(refusal(with("[learner]\nstack = 'yes'\n")), HasSubstr("true or false"));
  EXPECT_THAT(refusal("rows = 3\n"), HasSubstr("expected a section [rows]"));
  EXPECT_THAT(refusal(""), HasSubstr("[rows] is missing"));
  EXPECT_THAT(refusal("[rows]\ntask = 'u'\n"), HasSubstr("needs table"));
  EXPECT_THAT(refusal("[rows]\ntable = 'r'\nsql = 'select 1'\ntask = 'u'\n"), HasSubstr("both table and sql"));
  EXPECT_THAT(refusal("[rows]\ntable = 'r'\nitem = 'i'\n"), HasSubstr("needs task"));
  EXPECT_THAT(refusal(with("[episode]\nhorizon = 8\n")), HasSubstr("not in this version yet"));
  EXPECT_THAT(refusal(with("positive = 'large'\n")), HasSubstr("a comparison such as"));
  EXPECT_THAT(refusal(with("[report]\nmetrics = ['mae', 'rmse', 'mae']\n")), HasSubstr("'mae' is listed twice"));
  EXPECT_THAT(refusal(with("[report]\nbaselines = ['als', 'als']\n")), HasSubstr("'als' is listed twice"));
}

TEST(ReadScenarioTest, MetricsAndBaselinesAreListedOnce) {
  EXPECT_THAT(refusal(with("[report]\nmetrics = ['mae', 'rmse', 'mae']\n")),
              HasSubstr("report.metrics: 'mae' is listed twice"));
  EXPECT_THAT(refusal(with("[report]\nbaselines = ['als', 'als']\n")),
              HasSubstr("report.baselines: 'als' is listed twice"));
}

TEST(ReadScenarioTest, SharesAddUp) {
  const Scenario s = parse(with("[split]\ntrain = 0.7\ntest = 0.2\n"));
  EXPECT_NEAR(s.split.valid, 0.1, 1e-12);
  EXPECT_NEAR(parse(with("[split]\ntrain = 0.6\n")).split.test, 0.3, 1e-12);
  EXPECT_NEAR(parse(with("[split]\ntest = 0.5\n")).split.train, 0.4, 1e-12);
  EXPECT_THAT(refusal(with("[split]\ntrain = 0.8\ntest = 0.8\n")), HasSubstr("add up to at most 1"));
  EXPECT_THAT(refusal(with("[split]\ntrain = 1\n")), HasSubstr("add up to at most 1"));
}

TEST(ReadScenarioTest, ReadsFoldsColumnsAndTimeCuts) {
  EXPECT_EQ(parse(with("[split]\nfolds = 5\n")).split.folds, 5);
  EXPECT_EQ(parse(with("[split]\nfolds = 'each'\n")).split.folds, -1);
  EXPECT_THAT(refusal(with("[split]\nfolds = 1\n")), HasSubstr("from 2 to 1000"));
  EXPECT_THAT(refusal(with("[split]\nfolds = 5\ntrain = 0.8\n")), HasSubstr("with folds only valid"));

  const Scenario cells = parse(with("[split]\ncolumn = 'cell'\ntrain = ['a']\ntest = ['b', 'c']\nvalid = 0.2\n"));
  EXPECT_THAT(cells.split.test_values, ElementsAre("b", "c"));
  EXPECT_EQ(cells.split.valid, 0.2);
  EXPECT_THAT(parse(with("[split]\ncolumn = 'cell'\ntrain = 'a'\ntest = 'b'\nvalid = ['c']\n")).split.valid_values,
              ElementsAre("c"));
  EXPECT_THAT(refusal(with("[split]\ncolumn = 'cell'\ntrain = ['a']\ntest = ['a']\n")),
              HasSubstr("'a' is listed twice"));
  EXPECT_THAT(refusal(with("[split]\ncolumn = 'cell'\ntest = ['a']\n")),
              HasSubstr("lists the values that are trained on"));
  EXPECT_THAT(refusal(with("[split]\ncolumn = 'cell'\nfolds = 5\n")), HasSubstr("both column and folds"));

  const std::string cuts = "time = 't'\n[split]\ntime = { valid = 2011-03-01, test = '2011-06-01' }\n";
  EXPECT_TRUE(parse(with(cuts)).split.by_time_alone());
  EXPECT_EQ(*parse(with(cuts)).split.time_valid, *parse_time("2011-03-01"));
  EXPECT_FALSE(parse(with(cuts + "test = 0.3\n")).split.by_time_alone());
  EXPECT_THAT(refusal(with("[split]\ntime = { valid = '2011-03-01', test = '2011-06-01' }\n")),
              HasSubstr("need time = \"COLUMN\""));
  EXPECT_THAT(refusal(with("time = 't'\n[split]\ntime = { valid = '2011-02-30', test = '2011-06-01' }\n")),
              HasSubstr("'2011-02-30' is no date that exists"));
  EXPECT_THAT(refusal(with("time = 't'\n[split]\ntime = { valid = '2011-07-01', test = '2011-06-01' }\n")),
              HasSubstr("not be later"));
  EXPECT_THAT(refusal(with(cuts + "test = 0.3\n[episode]\norder = 'random'\n")), HasSubstr("need order = \"time\""));
}

TEST(ReadScenarioTest, ReadsQueriesAndRanges) {
  const Scenario rest = parse(with("[episode]\nquery = 'rest'\nquery_after = 10\nsupport = 20\nrows = [13, 100]\n"));
  EXPECT_EQ(rest.episode.query, EpisodeSpec::Query::kRest);
  EXPECT_EQ(rest.episode.query_after, 10);
  EXPECT_EQ(rest.episode.support_min, 20);
  EXPECT_EQ(rest.episode.support_max, 20);
  EXPECT_EQ(rest.episode.rows_max, 100);
  EXPECT_EQ(parse(with("[episode]\nquery = 'next'\n")).episode.rows_min, 2);
  EXPECT_EQ(parse(with("[episode]\nquery = 'rest'\nquery_after = 10\n")).episode.rows_min, 11);
  EXPECT_EQ(parse(with("[episode]\nrows = 5\n")).episode.rows_max, 0);
  EXPECT_THAT(refusal(with("[episode]\nquery_after = 10\n")), HasSubstr("goes with query = \"rest\""));
  EXPECT_THAT(refusal(with("[episode]\nquery = 'rest'\nquery_after = 3\nshots = [5]\n")), HasSubstr("would overlap"));
}

TEST(ReadScenarioTest, FeaturesNeedPrefixTableAndKnownType) {
  const std::string items = "[items]\ntable = 'movies'\n[features]\n";
  const Scenario s =
      parse(with(items + "\"items.genres\" = { type = 'categories', separator = ' ' }\nitems.year = 'number'\n"));
  ASSERT_EQ(s.features.size(), 2);
  EXPECT_EQ(s.features[0].name, "items.year");
  EXPECT_EQ(s.features[1].name, "items.genres");
  EXPECT_EQ(s.features[1].separator, " ");
  EXPECT_EQ(s.items_key, "item");
  EXPECT_THAT(refusal(with(items + "\"items.genres\" = 'genre'\n")),
              HasSubstr("'genre' is no type of feature; known types: id, number"));
  EXPECT_THAT(refusal(with(items + "genres = 'category'\n")), HasSubstr("with its prefix"));
  EXPECT_THAT(refusal(with(items + "\"rows.hour\" = 'number'\n")), HasSubstr("so features of rows cannot be used"));
  EXPECT_THAT(refusal(with(items + "\"tasks.age\" = 'number'\n")), HasSubstr("no [tasks]"));
  EXPECT_THAT(refusal(with(items + "\"items.genres\" = { type = 'categories', by = ' ' }\n")),
              HasSubstr("expected a type"));
  EXPECT_THAT(refusal(with(items + "\"items.genres\" = 3\n")), HasSubstr("expected a type"));
}

TEST(ReadScenarioTest, ATaskDescriptionNeedsOneTaskColumn) {
  EXPECT_EQ(parse(with("[tasks]\ntable = 'users'\n")).tasks_key, "user");
  EXPECT_THAT(refusal("[rows]\ntable = 'r'\ntask = ['a', 'b']\nitem = 'i'\n[tasks]\ntable = 'users'\n"),
              HasSubstr("one task column"));
}

TEST(ReadScenarioTest, OverridesComeBeforeTheChecks) {
  EXPECT_EQ(parse(kLeast, {"split.seed=3"}).split.seed, 3);
  EXPECT_EQ(parse(kLeast, {"learner.d=32"}).learner_options, nlohmann::json({{"d", 32}}));
  EXPECT_THAT(refusal(kLeast, {"split.sede=3"}), HasSubstr("did you mean 'seed'?"));
}

TEST(ReadScenarioTest, AnotherLearnerLeavesTheOptionsOfTheFilesBehind) {
  const std::string text = with("[learner]\nd = 64\nstack = false\n[learner.encoder]\nwidth = 8\n");
  EXPECT_EQ(parse(text).learner_options, nlohmann::json({{"d", 64}}));
  const Scenario other = parse(text, {"learner.rank=8"}, "als");
  EXPECT_EQ(other.learner, "als");
  EXPECT_EQ(other.learner_options, nlohmann::json({{"rank", 8}}));
  EXPECT_FALSE(other.stack);
  EXPECT_EQ(other.encoder_options, nlohmann::json({{"width", 8}}));
  EXPECT_EQ(parse(text, {}, "bayes").learner_options, nlohmann::json({{"d", 64}}));
}

TEST(ReadScenarioTest, LiveEventsAreNumbersOrColumns) {
  EXPECT_EQ(parse(with("[live]\nevents = { purchase = 1, rate = 'rating' }\n")).live_events.at("rate"), "rating");
  EXPECT_THAT(refusal(with("[live]\nevents = { purchase = true }\n")), HasSubstr("for event 'purchase'"));
}

TEST(ReadScenarioTest, FindsFilesAndBundledNames) {
  const TempDir folder;
  EXPECT_EQ(read_scenario(folder.write("mine.toml", kLeast)).name, "mine");
  try {
    read_scenario("movielens-mellu");
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'movielens-melu'?"));
  }
}

TEST(ReadScenarioTest, EveryBundledScenarioIsReadAndHasItsName) {
  const auto files = bundled_scenarios();
  EXPECT_GE(files.size(), 10);
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    const Scenario s = read_scenario(file);
    EXPECT_THAT(file, HasSubstr("/" + s.name + ".toml"));
    EXPECT_THAT(s.covers, ::testing::Not(IsEmpty()));
    EXPECT_NE(s.title, s.name);
  }
}

TEST(ScenarioJsonTest, WritesAndReadsBackEveryField) {
  for (const auto& file : bundled_scenarios()) {
    SCOPED_TRACE(file);
    const Scenario s = read_scenario(file);
    const nlohmann::json json = scenario_to_json(s);
    EXPECT_EQ(scenario_to_json(scenario_from_json(json)), json);
  }
  for (const char* more :
       {"[split]\nfolds = 'each'\nfold = 3\n", "[split]\ncolumn = 'c'\ntrain = ['a']\ntest = ['b']\nvalid = ['d']\n",
        "positive = '>= 4'\nevent = 'e'\nweight = 'w'\n[live]\nevents = { buy = 1 }\n[learner]\nd = 3\n"}) {
    const nlohmann::json json = scenario_to_json(parse(with(more)));
    const Scenario back = scenario_from_json(json);
    EXPECT_EQ(scenario_to_json(back), json);
  }
  const Scenario shares =
      scenario_from_json(scenario_to_json(parse(with("[split]\ntrain = 0.7\nvalid = 0.1\ntest = 0.2\n"))));
  EXPECT_EQ(shares.split.test, 0.2);
}

TEST(ScenarioJsonTest, DoesNotDependOnWhereTheFileIs) {
  const nlohmann::json json = scenario_to_json(parse_scenario(kLeast, "shop.toml"));
  EXPECT_EQ(scenario_to_json(parse_scenario(kLeast, "/home/ann/shops/shop.toml")), json);
  nlohmann::json older = json;
  older["file"] = "/home/ann/shop.toml";
  EXPECT_EQ(scenario_to_json(scenario_from_json(older)), json) << "older bundles have it";
}

TEST(ScenarioJsonTest, RefusesWhatItDidNotWrite) {
  EXPECT_THROW(scenario_from_json(nlohmann::json::object()), InvalidInput);
  nlohmann::json json = scenario_to_json(parse(kLeast));
  json["problem"] = "guess";
  EXPECT_THROW(scenario_from_json(json), InvalidInput);
  json = scenario_to_json(parse(kLeast));
  json["episode"]["shots"] = "all";
  EXPECT_THROW(scenario_from_json(json), InvalidInput);
}

TEST(ShotTest, LabelsAreWhatTheFileSays) {
  EXPECT_EQ(parse_shot(5)->label(), "5");
  EXPECT_EQ(parse_shot("80%")->label(), "80%");
  EXPECT_EQ(parse_shot("12.5%")->label(), "12.5%");
  for (const nlohmann::json& wrong :
       {nlohmann::json(-1), nlohmann::json("0%"), nlohmann::json("100%"), nlohmann::json("80"), nlohmann::json(0.8)})
    EXPECT_FALSE(parse_shot(wrong).has_value()) << wrong;
}

}  // namespace
}  // namespace fewshop
