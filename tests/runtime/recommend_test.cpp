#include "runtime/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/random.h"
#include "runtime/member_contract.h"
#include "runtime/small_model.h"

namespace fewshop {
namespace {

/// The best n of `items` by the served score, every score asked for by itself.
std::vector<Model::Scored> full_sort(const Model& model, ModelSession& session, const std::set<int32_t>& items,
                                     size_t n) {
  std::vector<Model::Scored> all;
  for (const int32_t item : items) {
    Model::Scored scored{item, 0, 0, 0};
    float variance = 0;
    model.score(session, Model::kServed, {&scored.item, 1}, {&scored.score, 1}, {&variance, 1});
    std::tie(scored.low, scored.high) = Model::interval(scored.score, variance);
    all.push_back(scored);
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.score != b.score ? a.score > b.score : a.item < b.item; });
  all.resize(std::min(n, all.size()));
  return all;
}

std::vector<int32_t> some_items(Random& random, int32_t items, int count) {
  std::set<int32_t> chosen;
  while (static_cast<int>(chosen.size()) < count) chosen.insert(static_cast<int32_t>(random.below(items)));
  return {chosen.begin(), chosen.end()};
}

/// The best of the learner's head as the stack weighs it with popularity.
std::vector<int32_t> best_by_head_and_popularity(const Model& model, std::span<const SupportRow> support,
                                                 const ItemSet& excluded, size_t n) {
  const auto& members = model.parts().members;
  const size_t items = model.item_ids().size();
  std::vector<float> head(items), popularity(items);
  for (const auto& [member, score] : {std::pair{0, &head}, {1, &popularity}}) {
    const auto workspace = members[member]->workspace();
    members[member]->adapt({support, {}}, *workspace);
    members[member]->score_all(*workspace, *score);
  }
  int groups = 0;
  for (size_t s = 0; s < support.size(); ++s) groups += s == 0 || support[s].group != support[s - 1].group;
  std::vector<double> weights(members.size() + 1), mix(items);
  std::vector<int32_t> order;
  for (int32_t item = 0; item < std::ssize(mix); ++item) {
    model.parts().stack.weights(groups, item_cell(model.item_counts()[item]), weights);
    EXPECT_GT(weights[0], 0);
    mix[item] = weights[0] * head[item] + weights[1] * popularity[item] + weights.back();
    if (!excluded.contains(item)) order.push_back(item);
  }
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return mix[a] > mix[b]; });
  order.resize(std::min(n, order.size()));
  return order;
}

/// The documented union, put together from the members' own answers.
void expect_what_the_members_name(int depth, int depth_of_twelve) {
  const auto model = testing::small_model();
  model->set_candidate_depth(depth);
  const auto session = model->session();
  const auto items = static_cast<int32_t>(model->item_ids().size());
  const auto& counts = model->item_counts();
  Random random(4);
  for (int draw = 0; draw < 30; ++draw) {
    const auto support = testing::random_support(random, items, 1 + draw, true);
    const auto excluded = ItemSet::of(some_items(random, items, 3 * (draw % 5)));
    constexpr int kWanted = 12;
    std::set<int32_t> named;
    const auto members = std::span(model->parts().members);
    for (const auto& member : members.subspan(1)) {
      const auto workspace = member->workspace();
      member->adapt({support, {}}, *workspace);
      std::vector<int32_t> best;
      member->candidates(*workspace, depth_of_twelve, excluded, best);
      EXPECT_LE(best.size(), static_cast<size_t>(depth_of_twelve));
      named.insert(best.begin(), best.end());
    }
    const auto best = best_by_head_and_popularity(*model, support, excluded, depth_of_twelve);
    named.insert(best.begin(), best.end());
    std::vector<int32_t> popular(items);
    std::iota(popular.begin(), popular.end(), 0);
    std::stable_sort(popular.begin(), popular.end(), [&](int32_t a, int32_t b) { return counts[a] > counts[b]; });
    std::erase_if(popular, [&](int32_t item) { return excluded.contains(item); });
    named.insert(popular.begin(), popular.begin() + 2 * depth_of_twelve / 5 + kWanted);

    model->adapt({support, {}}, *session);
    ASSERT_TRUE(model->served_adapted(*session, -1));
    std::vector<int32_t> candidates;
    model->candidates(*session, kWanted, excluded, candidates);
    EXPECT_LT(candidates.size(), static_cast<size_t>(items - excluded.count(items)));
    std::sort(candidates.begin(), candidates.end());
    EXPECT_EQ(candidates, std::vector<int32_t>(named.begin(), named.end())) << "each once";

    std::vector<Model::Scored> found;
    model->recommend(*session, kWanted, excluded, found);
    const auto expected = full_sort(*model, *session, named, kWanted);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].item, expected[i].item) << "place " << i;
      EXPECT_EQ(found[i].score, expected[i].score);
      EXPECT_EQ(found[i].low, expected[i].low);
      EXPECT_EQ(found[i].high, expected[i].high);
    }
  }
}

TEST(Recommend, RanksWhatTheMembersName) { expect_what_the_members_name(500, 500); }

TEST(Recommend, RanksWhatTheMembersNameAtTheDepthOfTheModel) { expect_what_the_members_name(61, 74); }

TEST(Recommend, TheLearnersCandidatesAreTheBestOfItsHeadExactly) {
  const auto model = testing::small_model({.items = 5000, .d = 24});
  const auto& bayes = dynamic_cast<const BayesMember&>(*model->parts().members[0]);
  const auto workspace = bayes.workspace();
  Random random(5);
  for (int draw = 0; draw < 10; ++draw) {
    bayes.adapt({testing::random_support(random, 5000, 2 + 4 * draw, true), {}}, *workspace);
    std::vector<int32_t> all(5000), found;
    std::iota(all.begin(), all.end(), 0);
    std::vector<float> score(5000);  // what a row adds to the score of its own item is among it
    bayes.score(*workspace, all, score, {});
    std::vector<float> sorted = score;
    std::nth_element(sorted.begin(), sorted.begin() + 499, sorted.end(), std::greater<>());
    bayes.candidates(*workspace, 500, {}, found);
    ASSERT_EQ(std::set<int32_t>(found.begin(), found.end()).size(), 500U);
    for (const int32_t item : found) EXPECT_GE(score[item], sorted[499] - 1e-5F) << item;
  }
}

TEST(Recommend, AnIndexIsUsedWhereItWasBuiltForTheMix) {
  constexpr int kItems = 20'000, kQueries = 90, kWanted = 100;
  const auto model = testing::small_model({.items = kItems, .d = 16, .centres = 100});
  model->set_candidate_depth(50);
  auto& bayes = dynamic_cast<BayesMember&>(*model->parts().members[0]);
  const auto workspace = bayes.workspace();
  Random random(3);
  std::vector<float> queries;
  std::vector<ItemMix> mixes(kQueries);
  for (int q = 0; q < kQueries; ++q) {
    const auto support = testing::random_support(random, kItems, 8, true);
    bayes.adapt({support, {}}, *workspace);
    const auto head = bayes.head(*workspace);
    queries.insert(queries.end(), head.begin(), head.end());
    ASSERT_TRUE(model->mix_at(Model::groups_of(support), mixes[q]));
  }
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> hits;
  const auto build = [&](bool mixed, CellIndex::Report& report) {
    const auto exact = [&](std::span<const float> query, std::vector<int32_t>& best) {
      const ItemMix& mix = mixes[(query.data() - queries.data()) / query.size()];
      bayes.search().exact_top(query.data(), kWanted, {}, buffers, hits, mixed ? &mix : nullptr);
      best.clear();
      for (const auto& hit : hits) best.push_back(hit.item);
    };
    const CellIndex::Options options{.wanted = kWanted, .least_recall = 0.9, .mix = mixed ? mixes.data() : nullptr};
    return CellIndex::build(
        bayes.search().codes(), queries, exact, options, Random(5), [] { return false; }, report);
  };
  const auto install = [&](std::shared_ptr<const CellIndex> index) {
    bayes.search().begin_index();
    bayes.search().install(std::move(index));
  };
  const auto session = model->session();
  const auto candidates = [&](std::span<const SupportRow> support, int n) {
    model->adapt({support, {}}, *session);
    std::vector<int32_t> found;
    model->candidates(*session, n, {}, found);
    std::sort(found.begin(), found.end());
    return found;
  };
  CellIndex::Report of_head, of_mix;
  const auto index_of_head = build(false, of_head), index_of_mix = build(true, of_mix);
  ASSERT_TRUE(index_of_head && index_of_mix) << of_head.read << " " << of_mix.read;
  EXPECT_TRUE(index_of_mix->mixed());
  double found = 0, wanted = 0;
  for (int draw = 0; draw < 40; ++draw) {
    const auto support = testing::random_support(random, kItems, 8, true);
    bayes.search().install(nullptr);
    const auto all = candidates(support, 10), longer = candidates(support, 45);
    install(index_of_head);
    EXPECT_EQ(candidates(support, 10), all) << "an index that knows no mix is not asked";
    install(index_of_mix);
    const auto through_index = candidates(support, 10);
    wanted += static_cast<double>(all.size());
    for (const int32_t item : all) found += std::binary_search(through_index.begin(), through_index.end(), item);
    EXPECT_EQ(candidates(support, 45), longer) << "more than it was measured for: everything is read";
  }
  EXPECT_GT(found / wanted, 0.95);
  EXPECT_LT(found, wanted) << "the index is asked";
}

TEST(Recommend, UnderAFilterTheBestThatPassAreFoundHoweverFewPass) {
  constexpr int kItems = 20'000;
  const auto model = testing::small_model({.items = kItems, .d = 24});
  const auto& bayes = dynamic_cast<const BayesMember&>(*model->parts().members[0]);
  const auto session = model->session();
  const auto workspace = bayes.workspace();
  Random random(8);
  for (const double share : {0.5, 0.05, 0.005}) {
    ItemSet excluded;
    std::set<int32_t> passing;
    for (int32_t item = 0; item < kItems; ++item)
      if (random.uniform() < share)
        passing.insert(item);
      else
        excluded.set(item, true);
    int64_t wanted = 0, contained = 0;
    for (int draw = 0; draw < 20; ++draw) {
      const auto support = testing::random_support(random, kItems, 3 + draw, true);
      // The head names its best of those that pass, as many as there are up to the number asked for.
      bayes.adapt({support, {}}, *workspace);
      std::vector<int32_t> named, order(passing.begin(), passing.end());
      bayes.candidates(*workspace, 500, excluded, named);
      std::vector<float> score(kItems);
      bayes.score_all(*workspace, score);
      std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return score[a] > score[b]; });
      const size_t most = std::min<size_t>(500, order.size());
      ASSERT_EQ(named.size(), most);
      for (const int32_t item : named) {
        EXPECT_TRUE(passing.contains(item));
        EXPECT_GE(score[item], score[order[most - 1]] - 1e-5F);
      }
      // So the full stack's best of all that pass are in the list.
      model->adapt({support, {}}, *session);
      ASSERT_TRUE(model->served_adapted(*session, -1));
      std::vector<Model::Scored> found;
      model->recommend(*session, 10, excluded, found);
      ASSERT_EQ(found.size(), 10U);
      for (const auto& best : full_sort(*model, *session, passing, 10)) {
        ++wanted;
        contained += std::any_of(found.begin(), found.end(), [&](const auto& f) { return f.item == best.item; });
      }
    }
    EXPECT_GE(contained, 0.99 * static_cast<double>(wanted)) << "share that passes " << share;
  }
}

TEST(Recommend, ALongListIsAsLongAsWhatPasses) {
  const auto model = testing::small_model({.items = 3000});
  const auto session = model->session();
  Random random(9);
  ItemSet excluded;
  for (int32_t item = 0; item < 3000; ++item) excluded.set(item, item % 3 != 0);
  const auto support = testing::random_support(random, 3000, 5, true);
  model->adapt({support, {}}, *session);
  ASSERT_TRUE(model->served_adapted(*session, -1));
  std::vector<Model::Scored> found;
  for (const int n : {700, 900, 1000, 1500}) {
    model->recommend(*session, n, excluded, found);
    EXPECT_EQ(found.size(), std::min<size_t>(n, 1000));
  }
}

TEST(Recommend, AnItemThatWasAddedIsFoundWhereItScoresBest) {
  const auto model = testing::small_model();
  const auto session = model->session();
  const auto old_items = static_cast<int32_t>(model->item_ids().size());
  const int32_t colours[] = {0, 1, 2};
  for (int i = 0; i < 30; ++i)
    model->add_item("new-" + std::to_string(i), std::vector<ColumnView>{{{}, {&colours[i % 3], 1}}});
  std::vector<float> score(old_items + 30);
  std::vector<int32_t> order(score.size());
  Random random(6);
  int new_ones = 0;
  for (int draw = 0; draw < 400; ++draw) {
    const auto support = testing::random_support(random, old_items, 6, true);
    model->adapt({support, {}}, *session);
    if (!model->served_adapted(*session, -1)) continue;
    std::vector<Model::Scored> found;
    model->recommend(*session, 10, {}, found);
    model->score_all(*session, Model::kAdapted, score);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + 10, order.end(),
                      [&](int32_t a, int32_t b) { return score[a] != score[b] ? score[a] > score[b] : a < b; });
    // A new item is named by the head only; where it is among the best of all items, the head ranks it high.
    for (int i = 0; i < 10; ++i) {
      if (order[i] < old_items) continue;
      ++new_ones;
      EXPECT_TRUE(std::any_of(found.begin(), found.end(), [&](const auto& f) { return f.item == order[i]; }));
    }
  }
  EXPECT_GT(new_ones, 10) << "the test asks for something";
}

TEST(Recommend, WhereABaselineIsServedAllItemsAreRanked) {
  const auto model = testing::small_model();
  const auto session = model->session();
  model->adapt({}, *session);
  ASSERT_FALSE(model->served_adapted(*session, -1));
  std::set<int32_t> all;
  for (int32_t i = 0; i < 1500; ++i) all.insert(i);
  for (const int32_t item : {0, 7, 1499}) all.erase(item);
  std::vector<Model::Scored> found;
  // Numbers that are no items do no harm.
  model->recommend(*session, 2000, ItemSet::of(std::vector<int32_t>{-1, 0, 7, 1499, 1500, 9999}), found);
  ASSERT_EQ(found.size(), 1497u);
  const auto expected = full_sort(*model, *session, all, 1497);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].item, expected[i].item);
}

}  // namespace
}  // namespace fewshop
