// The torch form of `bayes` against the form that answers, over a shop that has everything: several kinds of events,
// ages, weights, numbers, categories and bags, descriptions, items known by their content only; with random parameters.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "feature/encode.h"
#include "learner/bayes.h"
#include "task/support_rows.h"

namespace fewshop::learning {
namespace {

constexpr int kItems = 70, kSeen = 55, kTasks = 40, kKinds = 3, kSize = 9;
constexpr double kPrecision = 1e-5;

using Texts = std::vector<std::optional<std::string>>;

/// A number, a category and a bag per entity as text, some missing; entities that training has not seen use values that
/// the others have not.
struct Entities {
  std::vector<RawColumn> raw;
  std::vector<ColumnEncoder> encoders;
  Columns columns;

  Entities(const std::string& prefix, int rows, int seen, Random random) {
    Texts number, category, bag;
    for (int r = 0; r < rows; ++r) {
      const auto text = [&](std::string value) {
        return random.uniform() < 0.15 ? std::nullopt : std::optional(std::move(value));
      };
      number.push_back(text(std::to_string(20 + 15 * random.normal())));
      category.push_back(text((r < seen                 ? "c"
                               : random.uniform() < 0.5 ? "new"
                                                        : "c") +
                              std::to_string(random.below(5))));
      std::string words = "w" + std::to_string(random.below(7));
      for (uint64_t w = random.below(4); w > 0; --w) words += "|w" + std::to_string(random.below(r < seen ? 7 : 12));
      bag.push_back(text(words));
    }
    raw = {{{prefix + "size", FeatureType::kNumber, "|", true}, number},
           {{prefix + "colour", FeatureType::kCategory, "|", true}, category},
           {{prefix + "tags", FeatureType::kCategories, "|", true}, bag}};
    std::vector<uint8_t> used(rows);
    for (int r = 0; r < seen; ++r) used[r] = 1;
    for (const auto& column : raw) encoders.push_back(fit_encoder(column, used));
    columns = encode_columns(encoders, raw, rows);
  }

  /// One entity as it comes to a running model: as text.
  EncodedEntity encoded(int row) const {
    std::map<std::string, std::optional<std::string>> values;
    for (const auto& column : raw) values[column.spec.name.substr(column.spec.name.find('.') + 1)] = column.values[row];
    return encode_entity(encoders, values);
  }
};

Tensor random_tensor(at::IntArrayRef shape, double scale, Random& random, double middle = 0) {
  Tensor t = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = static_cast<float>(middle + scale * random.normal());
  return t;
}

struct RichShop {
  Entities items, tasks;
  Dataset data;
  std::vector<Episode> episodes;
  std::shared_ptr<BayesInputs> inputs = std::make_shared<BayesInputs>();
  BayesParameters p;
  bool ranking;

  RichShop(Problem problem, uint64_t seed)
      : items("items.", kItems, kSeen, Random(seed).fork("items")),
        tasks("tasks.", kTasks, kTasks / 2, Random(seed).fork("tasks")),
        ranking(problem == Problem::kRanking) {
    Random random = Random(seed).fork("rows");
    make_rows(random);
    make_parameters(random);
  }

  void make_rows(Random& random) {
    data.kinds = {"purchase", "view", "return"};
    data.item_features = items.columns;
    data.task_features = tasks.columns;
    for (int i = 0; i < kItems; ++i) data.item_ids.push_back("i" + std::to_string(i));
    data.task_begin.push_back(0);
    for (int t = 0; t < kTasks; ++t) {
      Episode episode{t, {}, {}};
      const int support = t < 8 ? t : static_cast<int>(random.below(45)), rows = support + 6;
      Micros time = 1'700'000'000 * kSecond;
      std::vector<int32_t> bought;
      for (int r = 0; r < rows; ++r) {
        (r < support ? episode.support : episode.query).push_back(static_cast<int32_t>(data.rows()));
        // Content-only items too; what was bought before is bought again.
        const auto item = !bought.empty() && random.uniform() < 0.3 ? bought[random.below(bought.size())]
                                                                    : static_cast<int32_t>(random.below(kItems));
        bought.push_back(item);
        time += static_cast<Micros>(random.uniform() * random.uniform() * 20 * 86'400) * kSecond;
        data.task.push_back(t);
        data.item.push_back(item);
        data.target.push_back(ranking ? static_cast<float>(random.uniform() < 0.5 ? 1 : 0.2 + 3 * random.uniform())
                                      : static_cast<float>(1 + random.below(5)));
        data.weight.push_back(random.uniform() < 0.5 ? 1 : static_cast<float>(2.5 * random.uniform()));
        data.time.push_back(time);
        data.kind.push_back(static_cast<uint8_t>(random.below(kKinds)));
        data.group.push_back(r);
      }
      data.task_begin.push_back(data.rows());
      data.task_ids.push_back("t" + std::to_string(t));
      episodes.push_back(std::move(episode));
    }
  }

  void make_parameters(Random& random) {
    const nn::SparseRows content = nn::sparse_rows(items.columns);
    inputs->content = content.inputs;
    inputs->item_count = kItems;
    inputs->seen.assign(kItems, 0);
    inputs->items.inputs = content.inputs + kItems + 1;
    inputs->tasks = nn::sparse_rows(tasks.columns);
    nn::SparseRows& rows = inputs->items;
    for (const bool identity : {true, false})
      for (int i = 0; i < kItems; ++i) {
        for (int64_t j = content.offsets[i]; j < content.offsets[i + 1]; ++j) {
          rows.index.push_back(content.index[j]);
          rows.value.push_back(content.value[j]);
        }
        if (identity && i < kSeen) {
          rows.index.push_back(static_cast<int32_t>(content.inputs + i));
          rows.value.push_back(1);
          inputs->seen[i] = 1;
          inputs->seen_items.push_back(i);
        } else {
          rows.index.push_back(static_cast<int32_t>(content.inputs + kItems));
          rows.value.push_back(1);
        }
        rows.offsets.push_back(static_cast<int64_t>(rows.index.size()));
      }
    const int64_t head = ranking ? kSize : kSize + 1;
    p.item_weight = random_tensor({rows.inputs, kSize + 1}, 0.4, random);
    p.description_weight = random_tensor({inputs->tasks.inputs, head}, 0.3, random);
    p.prior = random_tensor({head}, 0.4, random);
    p.log_precision = random_tensor({head}, 0.5, random);
    p.log_gram = random_tensor({}, 0.2, random, 1.0);
    p.log_noise = random_tensor({}, 0.2, random, -0.5);
    p.offset = random_tensor({}, 0.1, random, 3.6);
    p.target_scale = random_tensor({kKinds}, 0.3, random, 1);
    p.log_beta = random_tensor({kKinds}, 0.7, random, 0.3);
    p.raw_decay = random_tensor({kKinds}, 1, random, -3);
    p.repeat = random_tensor({kKinds}, 0.6, random, 0.3);
    p.raw_repeat_decay = random_tensor({kKinds}, 1, random, -3);
  }

  /// The same parameters in another precision.
  BayesModel model(at::ScalarType type = at::kFloat) const {
    BayesParameters q = p;
    for (Tensor* t : {&q.item_weight, &q.description_weight, &q.prior, &q.log_precision, &q.log_gram, &q.log_noise,
                      &q.offset, &q.target_scale, &q.log_beta, &q.raw_decay, &q.repeat, &q.raw_repeat_decay})
      *t = t->to(type);
    return BayesModel(std::move(q), inputs, ranking);
  }
  std::unique_ptr<BayesMember> member() const { return model().runtime_form(items.columns, tasks.columns); }
  Batch batch(at::ScalarType type = at::kFloat) const { return make_batch(data, episodes, type); }
};

class BayesFormsTest : public ::testing::TestWithParam<Problem> {};

INSTANTIATE_TEST_SUITE_P(Problems, BayesFormsTest, ::testing::Values(Problem::kRating, Problem::kRanking),
                         [](const auto& info) { return info.param == Problem::kRating ? "rating" : "ranking"; });

/// The torch form in `type` against the form that answers, relative to the scale of what is compared: means, priors
/// and terms to |prior| + sum of |terms|; variances to the variance.
void expect_forms_agree(Problem problem, at::ScalarType type, uint64_t seed) {
  const RichShop shop(problem, seed);
  const BayesModel model = shop.model(type);
  const auto member = shop.member();
  const Batch batch = shop.batch(type);
  const Adapted adapted = model.adapt(batch.support, batch.task);
  const Distribution predicted = model.predict(adapted, batch.query);
  const auto explained = model.explain(adapted, batch.query);
  const Tensor mean = predicted.mean().to(at::kDouble), variance = predicted.variance().to(at::kDouble),
               prior = explained.prior.to(at::kDouble), evidence = explained.evidence.to(at::kDouble);
  const auto workspace = member->workspace();
  int compared = 0;
  for (size_t t = 0; t < shop.episodes.size(); ++t) {
    const Episode& episode = shop.episodes[t];
    const auto support =
        support_rows(shop.data, episode.support, episode_time(shop.data, episode.support, episode.query));
    const EncodedEntity description = shop.tasks.encoded(static_cast<int>(t));
    member->adapt({support, description.views}, *workspace);
    std::vector<int32_t> items;
    for (const int32_t r : episode.query) items.push_back(shop.data.item[r]);
    std::vector<float> score(items.size()), spread(items.size());
    member->score(*workspace, items, score, spread);
    std::vector<double> terms(support.size());
    for (size_t q = 0; q < items.size(); ++q) {
      const double own_prior = member->explain(*workspace, items[q], terms);
      double scale = std::abs(own_prior);
      for (const double term : terms) scale += std::abs(term);
      EXPECT_NEAR(score[q], mean[t][q].item<double>(), kPrecision * scale) << t << " " << q;
      // That part of an item of a ranking which training has not seen widens the interval when it is answered for.
      if (problem == Problem::kRating || shop.inputs->seen[items[q]])
        EXPECT_NEAR(spread[q], variance[t][q].item<double>(), kPrecision * spread[q]) << t << " " << q;
      else
        EXPECT_GT(spread[q], variance[t][q].item<double>()) << t << " " << q;
      EXPECT_NEAR(own_prior, prior[t][q].item<double>(), kPrecision * scale) << t << " " << q;
      for (size_t s = 0; s < terms.size(); ++s)
        EXPECT_NEAR(terms[s], evidence[t][q][s].item<double>(), kPrecision * scale) << t << " " << q << " " << s;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 6 * kTasks);
}

TEST_P(BayesFormsTest, TheFormThatAnswersAgreesWithTheTorchForm) {
  for (const uint64_t seed : {1, 2, 3}) expect_forms_agree(GetParam(), at::kFloat, seed);
}

TEST_P(BayesFormsTest, TheFormThatAnswersAgreesWithTheTorchFormInDouble) {
  for (const uint64_t seed : {4, 5, 6}) expect_forms_agree(GetParam(), at::kDouble, seed);
}

TEST_P(BayesFormsTest, ATaskOfWhichNothingIsKnownHasThePriorThatAllShare) {
  const RichShop shop(GetParam(), 7);
  const BayesModel model = shop.model(at::kDouble);
  const auto member = shop.member();
  Batch batch = shop.batch(at::kDouble);
  batch.task.description.fill_(-1);
  const Tensor mean = model.predict(model.adapt(batch.support, batch.task), batch.query).mean();
  const auto workspace = member->workspace();
  const Episode& episode = shop.episodes[5];
  const auto support =
      support_rows(shop.data, episode.support, episode_time(shop.data, episode.support, episode.query));
  member->adapt({support, {}}, *workspace);
  for (size_t q = 0; q < episode.query.size(); ++q) {
    const std::vector<int32_t> item{shop.data.item[episode.query[q]]};
    std::vector<float> score(1);
    member->score(*workspace, item, score, {});
    EXPECT_NEAR(score[0], mean[5][q].item<double>(), kPrecision * (1 + std::abs(score[0])));
  }
}

// What training does with an item that is held out, and what a shop does with a new one, is the same.
TEST_P(BayesFormsTest, AnItemAddedLaterIsTheContentRowOfTheTorchForm) {
  const RichShop shop(GetParam(), 8);
  const auto member = shop.member();
  std::vector<int32_t> content_rows;
  for (int i = 0; i < kItems; ++i) {
    member->add_item(shop.items.encoded(i).views);
    content_rows.push_back(kItems + i);
  }
  ASSERT_EQ(member->items(), 2 * kItems);
  const Tensor raw = nn::sparse_matmul(shop.inputs->items, content_rows, shop.p.item_weight.to(at::kDouble));
  const BayesMember::Arrays& a = member->arrays();
  for (int i = 0; i < kItems; ++i) {
    EXPECT_NEAR(a.bias[kItems + i], raw[i][kSize].item<double>(), kPrecision) << i;
    for (int j = 0; j < kSize; ++j) {  // L times the whitened vector is the raw one
      double sum = 0;
      for (int k = 0; k <= j; ++k) sum += a.whitening[j * a.head + k] * a.vectors[(kItems + i) * a.head + k];
      EXPECT_NEAR(sum, raw[i][j].item<double>(), kPrecision) << i << " " << j;
    }
    // An item that training knows by its content only is where it was.
    if (i < kSeen) continue;
    EXPECT_NEAR(a.bias[kItems + i], a.bias[i], kPrecision) << i;
    for (int j = 0; j < a.head; ++j)
      EXPECT_NEAR(a.vectors[(kItems + i) * a.head + j], a.vectors[i * a.head + j], kPrecision) << i << " " << j;
  }
}

/// One more row per task at a time, from no row at all.
TEST_P(BayesFormsTest, TakingRowByRowEqualsAdaptingToAllRows) {
  RichShop shop(GetParam(), 9);
  std::erase_if(shop.episodes, [](const Episode& e) { return e.support.size() < 12; });
  for (auto& e : shop.episodes) e.support.resize(12);
  const BayesModel model = shop.model(at::kDouble);
  const Batch whole = shop.batch(at::kDouble);
  const Adapted at_once = model.adapt(whole.support, whole.task);
  std::vector<std::vector<int32_t>> rows;
  for (auto& e : shop.episodes) rows.push_back(std::exchange(e.support, {}));
  const Batch none = shop.batch(at::kDouble);
  Adapted stepwise = model.adapt(none.support, none.task);
  for (size_t s = 0; s < 12; ++s) {
    for (size_t t = 0; t < rows.size(); ++t) shop.episodes[t].support = {rows[t][s]};
    stepwise = model.update(stepwise, shop.batch(at::kDouble).support);
  }
  ASSERT_GT(rows.size(), 10);
  const Distribution a = model.predict(at_once, whole.query), b = model.predict(stepwise, whole.query);
  EXPECT_TRUE(at::allclose(a.mean(), b.mean(), 1e-9, 1e-9));
  EXPECT_TRUE(at::allclose(a.variance(), b.variance(), 1e-9, 1e-9));
  const auto c = model.explain(at_once, whole.query), d = model.explain(stepwise, whole.query);
  EXPECT_TRUE(at::allclose(c.prior, d.prior, 1e-9, 1e-9));
  EXPECT_TRUE(at::allclose(c.evidence, d.evidence, 1e-9, 1e-9));
  EXPECT_TRUE(at::allclose(model.query_vectors(at_once), model.query_vectors(stepwise), 1e-9, 1e-9));
}

TEST_P(BayesFormsTest, ScoresAreTheBiasAndTheProductOfQueryAndItemVectors) {
  RichShop shop(GetParam(), 10);
  shop.p.repeat.zero_();  // what the support adds to its own items is beside the head
  const BayesModel model = shop.model(at::kDouble);
  const HasQueryVectors& queries = model;
  const Encodes& items = model;
  const Batch batch = shop.batch(at::kDouble);
  const Adapted adapted = model.adapt(batch.support, batch.task);
  const Tensor vectors = items.item_vectors(), bias = items.item_bias(), query = queries.query_vectors(adapted);
  ASSERT_EQ(vectors.size(0), kItems);
  ASSERT_EQ(vectors.size(1), query.size(1));
  const Tensor scores = bias + at::matmul(query, vectors.t());  // [T, I]
  const Tensor expected = model.predict(adapted, batch.query).mean();
  EXPECT_TRUE(at::allclose(scores.gather(1, batch.query.item), expected, 1e-9, 1e-9));
}

TEST_P(BayesFormsTest, DrawnHeadsSpreadAsThePredictionSays) {
  RichShop shop(GetParam(), 11);
  shop.episodes = {shop.episodes[3], shop.episodes[20]};
  const BayesModel model = shop.model(at::kDouble);
  const Batch batch = shop.batch(at::kDouble);
  const Adapted adapted = model.adapt(batch.support, batch.task);
  constexpr int kDraws = 40'000;
  const Tensor heads = model.sample_heads(adapted, kDraws, 1);  // [draws, T, H]
  ASSERT_EQ(heads.size(0), kDraws);
  ASSERT_EQ(heads.size(1), 2);
  const Tensor scores = at::matmul(heads, model.item_vectors().t());  // [draws, T, I]
  // Every item is a query: what the head alone has of its variance.
  Rows all = batch.query;
  all.item = at::arange(kItems, at::kLong).unsqueeze(0).expand({2, -1}).contiguous();
  const double noise = shop.ranking ? 0 : std::exp(shop.p.log_noise.item<double>());
  const Tensor variance = model.predict(adapted, all).variance() - noise;
  // The variance of an observed variance is 2 variance^2 / n.
  EXPECT_LT(((scores.var(0) / variance) - 1).abs().max().item<double>(), 6 * std::sqrt(2.0 / kDraws));
  const Tensor mean = at::matmul(adapted.at("weights"), model.item_vectors().t());
  EXPECT_LT(((scores.mean(0) - mean) / variance.sqrt()).abs().max().item<double>(), 6 / std::sqrt(kDraws));
  // Draws are joint: the covariance of two items' scores is x A^-1 y, here by the inverse of A itself.
  for (int t = 0; t < 2; ++t) {
    const Tensor l = adapted.at("factor")[t];
    const Tensor covariance = at::linalg_inv(at::matmul(l, l.t()));
    const Tensor centred = heads.select(1, t) - adapted.at("weights")[t];
    const Tensor error = at::matmul(centred.t(), centred) / kDraws - covariance;
    EXPECT_LT(error.abs().max().item<double>(), 8 * covariance.diag().max().item<double>() / std::sqrt(kDraws));
  }
  // Two tasks are drawn independently; a seed gives its draws again.
  const Tensor first = scores.select(1, 0).select(1, 0), second = scores.select(1, 1).select(1, 0);
  const Tensor together = ((first - first.mean()) * (second - second.mean())).mean() / (first.std() * second.std());
  EXPECT_LT(together.abs().item<double>(), 6 / std::sqrt(kDraws));
  EXPECT_TRUE(at::equal(model.sample_heads(adapted, 5, 3), model.sample_heads(adapted, 5, 3)));
  EXPECT_FALSE(at::equal(model.sample_heads(adapted, 5, 3), model.sample_heads(adapted, 5, 4)));
}

}  // namespace
}  // namespace fewshop::learning
