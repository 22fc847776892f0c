#include "evaluate/metric.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/random.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

using Kind = Metric::Kind;

/// Problems as a set.
constexpr unsigned bit(Problem problem) { return 1U << static_cast<unsigned>(problem); }
constexpr unsigned kRated = bit(Problem::kRating), kRanked = bit(Problem::kRanking), kYesNo = bit(Problem::kBinary),
                   kLabels = bit(Problem::kMulticlass), kNumbers = bit(Problem::kRegression),
                   kCounts = bit(Problem::kCount), kOrdered = bit(Problem::kOrdinal);

struct KnownMetric {
  const char* name;
  Kind kind;
  bool at_k;          // "@k" follows the name
  unsigned problems;  // that can have it
};

constexpr KnownMetric kKnown[] = {
    {"mae", Kind::kMae, false, kRated | kNumbers | kCounts | kOrdered},
    {"rmse", Kind::kRmse, false, kRated | kNumbers | kCounts | kOrdered},
    {"ndcg", Kind::kNdcg, true, kRated | kRanked},
    {"ndcg-linear", Kind::kNdcgLinear, true, kRated | kRanked},
    {"precision", Kind::kPrecision, true, kRated | kRanked},
    {"recall", Kind::kRecall, true, kRated | kRanked},
    {"hit", Kind::kHit, true, kRated | kRanked},
    {"mrr", Kind::kMrr, true, kRated | kRanked},
    {"map", Kind::kMap, true, kRated | kRanked},
    {"auc", Kind::kAuc, false, kRated | kRanked | kYesNo},
    {"gauc", Kind::kGauc, false, kRated | kRanked | kYesNo},
    {"precision-tanp", Kind::kPrecisionTanp, true, kRated},
    {"map-tanp", Kind::kMapTanp, true, kRated},
    {"precision-top", Kind::kPrecisionTop, true, kRated},
    {"ndcg-top", Kind::kNdcgTop, true, kRated},
    {"mrr-top", Kind::kMrrTop, true, kRated},
    {"log-loss", Kind::kLogLoss, false, kYesNo | kLabels | kNumbers | kCounts | kOrdered},
    {"accuracy", Kind::kAccuracy, false, kYesNo | kLabels | kOrdered},
    {"f1", Kind::kF1, false, kYesNo},
    {"brier", Kind::kBrier, false, kYesNo | kLabels | kOrdered},
    {"rps", Kind::kRps, false, kOrdered},
    {"poisson-deviance", Kind::kPoissonDeviance, false, kCounts},
};

std::string known_names(Problem problem) {
  std::string names;
  for (const auto& known : kKnown) {
    if ((known.problems & bit(problem)) == 0) continue;
    names += (names.empty() ? "" : ", ") + std::string(known.name) + (known.at_k ? "@k" : "");
  }
  return names;
}

/// The weight of a 0-based position.
double discount(int64_t position) { return 1 / std::log2(static_cast<double>(position) + 2); }

double ideal_binary_dcg(int64_t relevant) {
  double dcg = 0;
  for (int64_t i = 0; i < relevant; ++i) dcg += discount(i);
  return dcg;
}

/// Normalised discounted gain of the first k rows; not defined where no order gains anything.
template <class Gain>
Part ndcg_part(const RatedList& list, int64_t k, Gain gain) {
  double dcg = 0, ideal = 0;
  for (int64_t i = 0; i < k; ++i) {
    dcg += gain(list.target(list.predicted()[i])) * discount(i);
    ideal += gain(list.target(list.ideal()[i])) * discount(i);
  }
  if (ideal <= 0) return {};
  return {dcg / ideal, 1};
}

/// AUC of one list: the share of (positive, negative) pairs that the scores order rightly, equal scores counting half.
Part list_auc(const RatedList& list) {
  const auto& order = list.predicted();
  double pairs_right = 0, negatives = 0;
  const size_t rows = order.size();
  for (size_t end = rows; end > 0;) {  // from the lowest score up, one run of equal scores at a time
    size_t begin = end;
    double run_positives = 0, run_negatives = 0;
    while (begin > 0 && list.score(order[begin - 1]) == list.score(order[end - 1])) {
      --begin;
      (list.positive(order[begin]) ? run_positives : run_negatives) += 1;
    }
    pairs_right += run_positives * (negatives + run_negatives / 2);
    negatives += run_negatives;
    end = begin;
  }
  const double pairs = negatives * (static_cast<double>(rows) - negatives);
  if (pairs == 0) return {};
  return {pairs_right / pairs, 1};
}

/// TaNP's hits: at each of the first k positions, whether the row's rating is still in the multiset of the k largest
/// true ratings, each of which is used once.
std::vector<uint8_t> multiset_hits(const RatedList& list, int64_t k) {
  std::vector<float> left;
  for (int64_t i = 0; i < k; ++i) left.push_back(list.target(list.ideal()[i]));
  std::vector<uint8_t> hits(k, 0);
  for (int64_t i = 0; i < k; ++i) {
    const auto found = std::find(left.begin(), left.end(), list.target(list.predicted()[i]));
    if (found == left.end()) continue;
    left.erase(found);
    hits[i] = 1;
  }
  return hits;
}

/// The metrics that only need to know which of the first k positions are hits, out of `relevant` possible ones.
///   hit(i) for positions i < k, ascending
template <class Hit>
Part hits_part(Kind kind, int64_t k, double relevant, Hit hit) {
  if (relevant == 0) return {};
  double hits = 0, precisions = 0, dcg = 0, reciprocal = 0;
  for (int64_t i = 0; i < k; ++i) {
    if (!hit(i)) continue;
    if (hits == 0) reciprocal = 1.0 / static_cast<double>(i + 1);
    hits += 1;
    precisions += hits / static_cast<double>(i + 1);
    dcg += discount(i);
  }
  const double reachable = std::min(relevant, static_cast<double>(k));
  switch (kind) {
    case Kind::kPrecision:
    case Kind::kPrecisionTop:
    case Kind::kPrecisionTanp:
      return {hits / static_cast<double>(k), 1};
    case Kind::kRecall:
      return {hits / relevant, 1};
    case Kind::kHit:
      return {hits > 0 ? 1.0 : 0.0, 1};
    case Kind::kMrr:
    case Kind::kMrrTop:
      return {reciprocal, 1};
    case Kind::kMap:
      return {precisions / reachable, 1};
    case Kind::kMapTanp:  // divides by k, not by what can be reached
      return {precisions / static_cast<double>(k), 1};
    default:
      return {dcg / ideal_binary_dcg(static_cast<int64_t>(reachable)), 1};
  }
}

}  // namespace

std::string plain_words(const Metric& metric) {
  const std::string k = std::to_string(metric.k);
  switch (metric.kind) {
    case Kind::kMae:
      return "average distance between the predicted and the true value";
    case Kind::kRmse:
      return "typical distance between the predicted and the true value, large misses counting more";
    case Kind::kNdcg:
    case Kind::kNdcgLinear:
    case Kind::kNdcgTop:
      return "how close the first " + k + " of the list come to the best possible order (1 = perfect)";
    case Kind::kPrecision:
    case Kind::kPrecisionTanp:
    case Kind::kPrecisionTop:
      return "share of the first " + k + " that were right";
    case Kind::kRecall:
      return "share of the right answers that are among the first " + k;
    case Kind::kHit:
      return "share of lists with a right answer among the first " + k;
    case Kind::kMrr:
    case Kind::kMrrTop:
      return "how early the first right answer stands in the list (1 = first, 0.5 = second; 0 = not in the first " + k +
             ")";
    case Kind::kMap:
    case Kind::kMapTanp:
      return "average precision at the right answers among the first " + k;
    case Kind::kAuc:
    case Kind::kGauc:
      return "chance that a right answer is ranked above a wrong one (0.5 = guessing)";
    case Kind::kLogLoss:
      return "surprise: minus the logarithm of the probability (density) that was given to what happened";
    case Kind::kAccuracy:
      return "share of predictions that were right";
    case Kind::kF1:
      return "harmonic mean of precision and recall of the predicted yes";
    case Kind::kBrier:
      return "squared distance between the predicted probabilities and what happened";
    case Kind::kRps:
      return "squared distance between the predicted and the true distribution over ordered classes";
    case Kind::kPoissonDeviance:
      return "distance between predicted and true counts, relative misses counting";
  }
  return metric.name;
}

Metric parse_metric(const std::string& name, Problem problem) {
  const size_t at = name.find('@');
  const std::string base = name.substr(0, at);
  for (const auto& known : kKnown) {
    if (base != known.name || known.at_k != (at != std::string::npos)) continue;
    Metric metric{name, known.kind, 0};
    if (known.at_k) {
      const char* first = name.data() + at + 1;
      const char* last = name.data() + name.size();
      const auto [end, error] = std::from_chars(first, last, metric.k);
      require(error == std::errc() && end == last && metric.k >= 1 && metric.k <= 1'000'000, "report.metrics: '", name,
              "': expected a whole number from 1 to 1000000 after '@', as in ", base, "@10");
    }
    require((known.problems & bit(problem)) != 0, "report.metrics: '", name, "' does not fit a ", problem_name(problem),
            " problem", problem == Problem::kRanking ? ", which predicts no values" : "",
            "; metrics that fit: ", known_names(problem));
    return metric;
  }
  throw InvalidInput("report.metrics: unknown metric '" + name + "'; known metrics: " + known_names(problem));
}

std::vector<Metric> parse_metrics(const std::vector<std::string>& names, Problem problem) {
  std::vector<Metric> metrics;
  for (const auto& name : names) metrics.push_back(parse_metric(name, problem));
  require(!metrics.empty(),
          "report.metrics: expected at least one metric, got none; known metrics: ", known_names(problem));
  return metrics;
}

double metric_value(const Metric& metric, Part sum) {
  if (!(sum.denominator > 0)) return std::numeric_limits<double>::quiet_NaN();
  const double ratio = sum.numerator / sum.denominator;
  return metric.kind == Kind::kRmse ? std::sqrt(ratio) : ratio;
}

RatedList::RatedList(std::span<const float> target, std::span<const float> score, float positive_above,
                     uint64_t tie_seed)
    : target_(target),
      score_(score),
      positive_above_(positive_above),
      predicted_(target.size()),
      ideal_(target.size()) {
  const auto order = [](std::vector<int32_t>& rows, std::span<const float> by, Random random) {
    std::iota(rows.begin(), rows.end(), 0);
    random.shuffle(rows);
    std::stable_sort(rows.begin(), rows.end(), [&](int32_t a, int32_t b) { return by[a] > by[b]; });
  };
  const Random random(tie_seed);
  order(predicted_, score_, random.fork("scores"));
  order(ideal_, target_, random.fork("targets"));
}

Part rated_part(const Metric& metric, const RatedList& list) {
  const size_t rows = list.size();
  if (rows == 0) return {};
  const int64_t k = std::min<int64_t>(metric.k, static_cast<int64_t>(rows));
  switch (metric.kind) {
    case Kind::kMae: {
      double sum = 0;
      for (size_t i = 0; i < rows; ++i) sum += std::abs(static_cast<double>(list.score(i)) - list.target(i));
      return {sum / static_cast<double>(rows), 1};
    }
    case Kind::kRmse: {
      double sum = 0;
      for (size_t i = 0; i < rows; ++i) {
        const double error = static_cast<double>(list.score(i)) - list.target(i);
        sum += error * error;
      }
      return {sum, static_cast<double>(rows)};
    }
    case Kind::kNdcg:
      return ndcg_part(list, k, [](float target) { return std::exp2(static_cast<double>(target)) - 1; });
    case Kind::kNdcgLinear:
      return ndcg_part(list, k, [](float target) { return static_cast<double>(target); });
    case Kind::kAuc:
      return {};
    case Kind::kGauc:
      return list_auc(list);
    case Kind::kPrecisionTanp:
    case Kind::kMapTanp: {
      const auto hits = multiset_hits(list, k);
      return hits_part(metric.kind, k, static_cast<double>(k), [&](int64_t i) { return hits[i] != 0; });
    }
    case Kind::kPrecisionTop:
    case Kind::kNdcgTop:
    case Kind::kMrrTop: {
      std::vector<uint8_t> top(rows, 0);
      for (int64_t i = 0; i < k; ++i) top[list.ideal()[i]] = 1;
      return hits_part(metric.kind, k, static_cast<double>(k),
                       [&](int64_t i) { return top[list.predicted()[i]] != 0; });
    }
    default: {
      double positives = 0;
      for (size_t i = 0; i < rows; ++i) positives += list.positive(i);
      return hits_part(metric.kind, k, positives, [&](int64_t i) { return list.positive(list.predicted()[i]); });
    }
  }
}

Part ranked_part(const Metric& metric, std::span<const int32_t> ranks, int32_t candidates) {
  const double relevant = static_cast<double>(ranks.size());
  if (ranks.empty()) return {};
  if (metric.kind == Kind::kAuc || metric.kind == Kind::kGauc) {
    // Every query item beats the candidates below it; those above it that are query items themselves are no pairs.
    const double others = candidates - relevant;
    if (others <= 0) return {};
    double right = 0;
    for (size_t i = 0; i < ranks.size(); ++i) right += others - (ranks[i] - static_cast<double>(i));
    const double pairs = relevant * others;
    return metric.kind == Kind::kAuc ? Part{right, pairs} : Part{right / pairs, 1};
  }
  // Only positions that hold a query item matter, so this does not walk the list.
  double hits = 0, precisions = 0, dcg = 0;
  for (const int32_t rank : ranks) {
    if (rank >= metric.k) break;
    hits += 1;
    precisions += hits / (rank + 1.0);
    dcg += discount(rank);
  }
  const double reachable = std::min<double>(relevant, metric.k);
  switch (metric.kind) {
    case Kind::kPrecision:
      return {hits / metric.k, 1};
    case Kind::kRecall:
      return {hits / relevant, 1};
    case Kind::kHit:
      return {hits > 0 ? 1.0 : 0.0, 1};
    case Kind::kMrr:
      return {hits > 0 ? 1 / (ranks[0] + 1.0) : 0.0, 1};
    case Kind::kMap:
      return {precisions / reachable, 1};
    default:
      return {dcg / ideal_binary_dcg(static_cast<int64_t>(reachable)), 1};
  }
}

}  // namespace fewshop
