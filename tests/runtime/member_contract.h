#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "core/random.h"
#include "runtime/member.h"
#include "runtime/members.h"

namespace fewshop::testing {

// What every member promises (runtime/member.h), checked on random supports.

/// A support of random items, unknown ones, repeats and baskets included.
inline std::vector<SupportRow> random_support(Random& random, int32_t items, int rows, bool ranking) {
  std::vector<SupportRow> support;
  int32_t group = 0;
  for (int r = 0; r < rows; ++r) {
    SupportRow row;
    row.item =
        random.uniform() < 0.1 ? (random.uniform() < 0.5 ? -1 : items + 3) : static_cast<int32_t>(random.below(items));
    if (r > 0 && random.uniform() < 0.15) row.item = support[random.below(support.size())].item;
    row.target = ranking ? 1.0f : static_cast<float>(1 + random.below(5));
    row.weight = random.uniform() < 0.8 ? 1.0f : static_cast<float>(random.uniform() * 2);
    if (random.uniform() < 0.6) ++group;
    row.group = group;
    row.age = static_cast<float>(rows - r) * 86'400.0f * static_cast<float>(random.uniform());
    row.kind = static_cast<uint8_t>(random.below(3));
    support.push_back(row);
  }
  return support;
}

inline std::vector<float> all_scores(const Member& member, const std::vector<SupportRow>& support, int32_t items,
                                     Workspace& workspace) {
  std::vector<float> score(items + 2);  // two items that came after training
  member.adapt({support, {}}, workspace);
  member.score_all(workspace, score);
  return score;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

inline void expect_scores_agree(const Member& member, const std::vector<SupportRow>& support, int32_t items,
                                Workspace& workspace) {
  const auto all = all_scores(member, support, items, workspace);
  std::vector<int32_t> index(all.size());
  std::iota(index.begin(), index.end(), 0);
  std::vector<float> some(all.size()), variance(all.size());
  member.score(workspace, index, some, variance);
  EXPECT_TRUE(same_bits(all, some)) << member.name();
  member.score(workspace, index, some, {});
  EXPECT_TRUE(same_bits(all, some)) << member.name();
  for (float value : variance) EXPECT_TRUE(std::isfinite(value) && value >= 0);
  for (float value : all) EXPECT_TRUE(std::isfinite(value));
}

inline void expect_explanation_adds_up(const Member& member, const std::vector<SupportRow>& support, int32_t items,
                                       Workspace& workspace) {
  const auto all = all_scores(member, support, items, workspace);
  std::vector<double> contribution(support.size());
  for (int32_t item = 0; item < static_cast<int32_t>(all.size()); ++item) {
    const double prior = member.explain(workspace, item, contribution);
    double sum = prior, magnitude = std::abs(prior);
    for (double value : contribution) {
      sum += value;
      magnitude += std::abs(value);
    }
    EXPECT_LE(std::abs(all[item] - sum), 1e-6 * magnitude) << member.name() << " item " << item;
  }
}

/// Everything that a member says about a task.
struct MemberAnswers {
  std::vector<float> all, some, variance;
  std::vector<double> explanations;  // prior and contributions, item by item
  std::vector<int32_t> candidates;
};

inline MemberAnswers member_answers(const Member& member, const std::vector<SupportRow>& support, int32_t items,
                                    Workspace& workspace) {
  MemberAnswers out;
  out.all = all_scores(member, support, items, workspace);
  std::vector<int32_t> index(out.all.size());
  std::iota(index.begin(), index.end(), 0);
  out.some.resize(index.size());
  out.variance.resize(index.size());
  member.score(workspace, index, out.some, out.variance);
  std::vector<double> contribution(support.size());
  for (const int32_t item : index) {
    out.explanations.push_back(member.explain(workspace, item, contribution));
    out.explanations.insert(out.explanations.end(), contribution.begin(), contribution.end());
  }
  member.candidates(workspace, 10, {}, out.candidates);
  return out;
}

inline bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

/// A workspace that adapts with a row and then without it answers with the bits of one that never saw it.
inline void expect_forgetting_is_exact(const Member& member, const std::vector<SupportRow>& support, int32_t items,
                                       Workspace& used) {
  for (size_t out = 0; out < support.size(); ++out) {
    member_answers(member, support, items, used);
    auto rest = support;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(out));
    const auto fresh = member.workspace();
    const MemberAnswers without = member_answers(member, rest, items, used),
                        never = member_answers(member, rest, items, *fresh);
    EXPECT_TRUE(same_bits(without.all, never.all)) << member.name();
    EXPECT_TRUE(same_bits(without.some, never.some)) << member.name();
    EXPECT_TRUE(same_bits(without.variance, never.variance)) << member.name();
    EXPECT_TRUE(same_bits(without.explanations, never.explanations)) << member.name();
    EXPECT_EQ(without.candidates, never.candidates) << member.name();
  }
}

inline void expect_candidates_are_the_best(const Member& member, const std::vector<SupportRow>& support, int32_t items,
                                           Workspace& workspace) {
  const auto all = all_scores(member, support, items, workspace);
  std::vector<int32_t> found{7};
  member.candidates(workspace, 3, {}, found);
  ASSERT_GE(found.size(), 1u);
  ASSERT_LE(found.size(), 4u);
  EXPECT_EQ(found[0], 7) << "candidates are appended";
  for (size_t i = 1; i < found.size(); ++i) {
    int better = 0;
    for (int32_t item = 0; item < items; ++item) better += all[item] > all[found[i]];
    EXPECT_LT(better, 3) << member.name();
  }
}

/// What is excluded is not named, and takes nobody's place.
inline void expect_excluded_items_are_passed_over(const Member& member, const std::vector<SupportRow>& support,
                                                  int32_t items, Workspace& workspace) {
  const auto all = all_scores(member, support, items, workspace);
  std::vector<int32_t> free, found;
  member.candidates(workspace, items, {}, free);
  ItemSet excluded;
  for (int32_t item = 0; item < items + 2; item += 2) excluded.set(item, true);
  member.candidates(workspace, 3, excluded, found);
  std::erase_if(free, [&](int32_t item) { return excluded.contains(item); });
  EXPECT_EQ(found.size(), std::min<size_t>(3, free.size())) << member.name();
  for (const int32_t item : found) {
    EXPECT_FALSE(excluded.contains(item)) << member.name();
    EXPECT_LT(std::count_if(free.begin(), free.end(), [&](int32_t other) { return all[other] > all[item]; }), 3)
        << member.name();
  }
}

/// Saved and loaded again it gives the same bits and the same bytes; damaged bytes are refused or harmless.
inline void expect_survives_files(const Member& member, const std::vector<SupportRow>& support, int32_t items) {
  TensorFile file;
  member.save(file);
  const std::string bytes = file.serialize();
  const auto loaded = load_member(TensorFile::parse(bytes, "member"));
  EXPECT_EQ(loaded->name(), member.name());
  const auto a = member.workspace(), b = loaded->workspace();
  EXPECT_TRUE(same_bits(all_scores(member, support, items, *a), all_scores(*loaded, support, items, *b)));
  TensorFile again;
  loaded->save(again);
  EXPECT_EQ(again.serialize(), bytes);

  Random random(99);
  for (int draw = 0; draw < 300; ++draw) {
    std::string damaged = bytes;
    damaged[random.below(damaged.size())] ^= static_cast<char>(1 << random.below(8));
    try {
      const auto odd = load_member(TensorFile::parse(damaged, "member"));
      const auto workspace = odd->workspace();
      std::vector<float> score(items + 2);
      odd->adapt({support, {}}, *workspace);
      odd->score_all(*workspace, score);
      std::vector<double> contribution(support.size());
      odd->explain(*workspace, 0, contribution);
    } catch (const Error&) {
    }
  }
}

inline void expect_member_contract(const Member& member, int32_t items, bool ranking) {
  Random random(5);
  const auto workspace = member.workspace();
  for (int rows : {0, 1, 2, 5, 12, 3, 40}) {
    const auto support = random_support(random, items, rows, ranking);
    expect_scores_agree(member, support, items, *workspace);
    expect_explanation_adds_up(member, support, items, *workspace);
    expect_forgetting_is_exact(member, support, items, *workspace);
    expect_candidates_are_the_best(member, support, items, *workspace);
    expect_excluded_items_are_passed_over(member, support, items, *workspace);
  }
  expect_survives_files(member, random_support(random, items, 12, ranking), items);
}

}  // namespace fewshop::testing
