#include "learner/stack/ranking_fit.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "learner/stack/stack_fit.h"

namespace fewshop {
namespace {

constexpr int kShared = kItemCells;

/// The softmax loss and its gradient.
class SoftmaxLoss {
 public:
  SoftmaxLoss(std::span<const Sample> samples, int threads)
      : samples_(samples), threads_(threads), partial_((static_cast<int64_t>(samples.size()) + kChunk - 1) / kChunk) {}

  /// Mean gradient over samples: [kItemCells + 1, M + 1, basis].
  void gradient(const RankingWeights& weights, std::vector<double>& out) {
    const int width = (weights.members() + 1) * Stack::kBasis;
    const auto count = static_cast<int64_t>(samples_.size());
    parallel_for(static_cast<int64_t>(partial_.size()), threads_, 1, [&](int64_t begin, int64_t end, int) {
      Scratch scratch;
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        partial_[chunk].assign(kItemCells * width, 0);
        for (int64_t k = chunk * kChunk; k < std::min((chunk + 1) * kChunk, count); ++k)
          add(weights, samples_[k], scratch, partial_[chunk]);
      }
    });
    out.assign(weights.values().size(), 0);
    const double share = 1.0 / static_cast<double>(std::max<int64_t>(1, count));
    for (const auto& sum : partial_)
      for (int c = 0; c < kItemCells; ++c)
        for (int j = 0; j < width; ++j) {
          out[c * width + j] += share * sum[c * width + j];
          out[kShared * width + j] += share * sum[c * width + j];
        }
  }

 private:
  static constexpr int64_t kChunk = 64;
  struct Scratch {
    std::vector<double> u, w, g;
  };

  static void add(const RankingWeights& weights, const Sample& s, Scratch& scratch, std::vector<double>& sum) {
    auto& [u, w, g] = scratch;
    const int members = weights.members(), mixed = members + 1;
    const size_t n = s.cell.size();
    double positives = 0;
    for (const float t : s.target) positives += t;
    if (positives == 0) return;
    weights.mixing(s.support, w);
    u.resize(n);
    for (size_t i = 0; i < n; ++i) u[i] = w[s.cell[i] * mixed + members];
    for (int m = 0; m < members; ++m)
      for (size_t i = 0; i < n; ++i) u[i] += w[s.cell[i] * mixed + m] * s.score[m * n + i];
    double top = -1e300, total = 0;
    for (size_t i = 0; i < n; ++i) top = std::max(top, u[i] += s.log_weight[i]);
    for (auto& value : u) total += value = std::exp(value - top);
    g.assign(kItemCells * mixed, 0.0);
    for (size_t i = 0; i < n; ++i) u[i] = u[i] / total - s.target[i] / positives;
    for (int m = 0; m < members; ++m)
      for (size_t i = 0; i < n; ++i) g[s.cell[i] * mixed + m] += u[i] * s.score[m * n + i];
    for (size_t i = 0; i < n; ++i) g[s.cell[i] * mixed + members] += u[i];
    const auto b = Stack::basis(s.support);
    for (int c = 0; c < kItemCells; ++c)
      for (int m = 0; m < mixed; ++m)
        for (int j = 0; j < Stack::kBasis; ++j)
          sum[(c * mixed + m) * Stack::kBasis + j] += g[c * mixed + m] * weights.scale(m) * b[j];
  }

  std::span<const Sample> samples_;
  int threads_;
  std::vector<std::vector<double>> partial_;
};

/// One sample as the ascent sees it: N candidates and their present mixed scores.
struct Asked {
  std::array<double, Stack::kBasis> basis;
  std::vector<uint8_t> cell;       // [N]
  std::vector<float> stands_for;   // [N] items; those drawn at random stand for all that were not
  std::vector<float> score;        // [M, N] in units of the member's deviation
  std::vector<float> mixed;        // [N]
  std::vector<int32_t> positives;  // positions of query items
};

/// A change of one coordinate: `by` times basis j times a member's scores, or of the level of one cell.
struct Move {
  int cell, member, basis;
  double by;
};

class Ascent {
 public:
  Ascent(std::span<const Sample> samples, const Metric& metric, int threads, RankingWeights& weights)
      : metric_(metric), threads_(threads), weights_(weights) {
    const size_t step = std::max<size_t>(1, samples.size() / kMostSamples);
    for (size_t k = 0; k < samples.size(); k += step) add(samples[k]);
    values_.resize(asked_.size());
    trial_.resize(asked_.size());
  }

  void run() {
    if (asked_.empty()) return;
    start_from_best();
    for (const double step : {0.6, 0.3, 0.15, 0.15, 0.07})
      for (const Move& coordinate : coordinates()) climb(coordinate, step);
  }

 private:
  static constexpr size_t kMostSamples = 2000;

  void add(const Sample& s) {
    const size_t n = s.cell.size();
    const int members = weights_.members();
    Asked asked;
    for (size_t i = 0; i < n; ++i) {
      if (s.target[i] > 0) asked.positives.push_back(static_cast<int32_t>(i));
      asked.stands_for.push_back(std::exp(s.log_weight[i]));
    }
    if (asked.positives.empty()) return;
    asked.basis = Stack::basis(s.support);
    asked.cell = s.cell;
    for (int m = 0; m < members; ++m)
      for (size_t i = 0; i < n; ++i) asked.score.push_back(static_cast<float>(weights_.scale(m) * s.score[m * n + i]));
    asked.mixed.resize(n);
    asked_.push_back(std::move(asked));
  }

  std::vector<Move> coordinates() const {
    std::vector<Move> all;
    for (int m = 0; m < weights_.members(); ++m)
      for (int j = 0; j < Stack::kBasis; ++j) all.push_back({kShared, m, j, 0});
    for (int c = 0; c < kItemCells; ++c) all.push_back({c, weights_.members(), 0, 0});
    return all;
  }

  /// The weights as they are against every member alone.
  void start_from_best() {
    weights_.drop_negative();
    const std::vector<double> given = weights_.values();
    std::vector<double> best = given;
    double best_value = -INFINITY;
    for (int m = -1; m < weights_.members(); ++m) {
      if (m < 0)
        weights_.values() = given;
      else
        weights_.set_alone(m);
      mix_all();
      const double value = evaluate(nullptr, trial_);
      if (value <= best_value) continue;
      best_value = value;
      best = weights_.values();
    }
    weights_.values() = best;
    mix_all();
    evaluate(nullptr, values_);
  }

  void mix_all() {
    parallel_for(static_cast<int64_t>(asked_.size()), threads_, 64, [&](int64_t begin, int64_t end, int) {
      for (int64_t k = begin; k < end; ++k) {
        Asked& a = asked_[k];
        const size_t n = a.cell.size();
        std::fill(a.mixed.begin(), a.mixed.end(), 0.0F);
        for (int m = 0; m <= weights_.members(); ++m) {
          float w[kItemCells];
          for (int c = 0; c < kItemCells; ++c) {
            double sum = 0;
            for (int j = 0; j < Stack::kBasis; ++j)
              sum += a.basis[j] * (weights_.at(c, m, j) + weights_.at(kShared, m, j));
            w[c] = static_cast<float>(sum);
          }
          for (size_t i = 0; i < n; ++i)
            a.mixed[i] += w[a.cell[i]] * (m < weights_.members() ? a.score[m * n + i] : 1.0F);
        }
      }
    });
  }

  void apply(const Move& move, const Asked& a, std::vector<float>& mixed) const {
    const size_t n = a.cell.size();
    mixed.resize(n);
    const auto by = static_cast<float>(move.by * a.basis[move.basis]);
    if (move.member < weights_.members()) {
      const float* score = a.score.data() + move.member * n;
      for (size_t i = 0; i < n; ++i) mixed[i] = a.mixed[i] + by * score[i];
    } else {
      for (size_t i = 0; i < n; ++i) mixed[i] = a.mixed[i] + (a.cell[i] == move.cell ? by : 0.0F);
    }
  }

  /// Metric of every sample with a move (or as it is); their mean.
  double evaluate(const Move* move, std::vector<double>& values) const {
    parallel_for(static_cast<int64_t>(asked_.size()), threads_, 64, [&](int64_t begin, int64_t end, int) {
      std::vector<float> moved, positive, not_below;
      std::vector<int32_t> ranks;
      for (int64_t k = begin; k < end; ++k) {
        const Asked& a = asked_[k];
        if (move) apply(*move, a, moved);
        const std::vector<float>& u = move ? moved : a.mixed;
        positive.clear();
        for (const int32_t p : a.positives) positive.push_back(u[p]);
        std::sort(positive.begin(), positive.end(), std::greater<>());
        // What stands not below the i-th best query item but below the one before; itself among it.
        not_below.assign(positive.size() + 1, 0);
        for (size_t i = 0; i < u.size(); ++i)
          not_below[std::lower_bound(positive.begin(), positive.end(), u[i], std::greater<>()) - positive.begin()] +=
              a.stands_for[i];
        double above = 0;
        ranks.clear();
        for (size_t i = 0; i < positive.size(); ++i) {
          above += not_below[i];
          ranks.push_back(std::max(static_cast<int32_t>(above + 0.5) - 1, static_cast<int32_t>(i)));
        }
        const Part part = ranked_part(metric_, ranks, static_cast<int32_t>(u.size()));
        values[k] = part.denominator > 0 ? part.numerator / part.denominator : 0;
      }
    });
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }

  /// Steps in one coordinate as long as they gain.
  void climb(const Move& coordinate, double step) {
    const double size = step * norm();
    for (const double direction : {1.0, -1.0}) {
      bool moved = false;
      for (int times = 0; times < 3; ++times) {
        Move move = coordinate;
        move.by = direction * size;
        double& weight = weights_.at(move.cell, move.member, move.basis);
        const double before = weight;
        weight += move.by;
        if (move.member < weights_.members() && !weights_.nonnegative(move.member)) {
          weight = before;
          break;
        }
        evaluate(&move, trial_);
        if (!gains()) {
          weight = before;
          break;
        }
        std::vector<float> mixed;
        for (Asked& a : asked_) {
          apply(move, a, mixed);
          a.mixed.swap(mixed);
        }
        values_.swap(trial_);
        moved = true;
      }
      if (moved) return;
    }
  }

  bool gains() const {
    const auto n = static_cast<double>(values_.size());
    double mean = 0, square = 0;
    for (size_t k = 0; k < values_.size(); ++k) mean += (trial_[k] - values_[k]) / n;
    for (size_t k = 0; k < values_.size(); ++k) {
      const double d = trial_[k] - values_[k] - mean;
      square += d * d;
    }
    return mean > 0.5 * std::sqrt(square) / n;
  }

  /// Size of the weights at a support of a few groups.
  double norm() const {
    double square = 0;
    const auto b = Stack::basis(3);
    for (int m = 0; m < weights_.members(); ++m) {
      double w = 0;
      for (int j = 0; j < Stack::kBasis; ++j) w += b[j] * weights_.at(kShared, m, j);
      square += w * w;
    }
    return std::sqrt(std::max(1e-12, square));
  }

  const Metric& metric_;
  int threads_;
  RankingWeights& weights_;
  std::vector<Asked> asked_;
  std::vector<double> values_, trial_;
};

}  // namespace

RankingWeights::RankingWeights(std::span<const Sample> samples, int members)
    : members_(members), scale_(members + 1, 1), theta_((kItemCells + 1) * (members + 1) * Stack::kBasis, 0) {
  for (int m = 0; m < members; ++m) {
    double variance = 0, count = 0;
    for (const Sample& s : samples) {
      const size_t n = s.cell.size();
      if (n == 0) continue;
      double mean = 0, square = 0;
      for (size_t i = 0; i < n; ++i) {
        mean += s.score[m * n + i];
        square += static_cast<double>(s.score[m * n + i]) * s.score[m * n + i];
      }
      mean /= static_cast<double>(n);
      variance += square / static_cast<double>(n) - mean * mean;
      count += 1;
    }
    scale_[m] = 1 / std::sqrt(std::max(1e-12, variance / std::max(1.0, count)));
  }
}

void RankingWeights::set_alone(int member) {
  std::fill(theta_.begin(), theta_.end(), 0);
  at(kShared, member, 0) = 1;
}

bool RankingWeights::nonnegative(int member) const {
  for (const double support : {0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 200.0, 1e6}) {
    const auto b = Stack::basis(support);
    for (int c = 0; c < kItemCells; ++c) {
      double w = 0;
      for (int j = 0; j < Stack::kBasis; ++j) w += b[j] * (at(c, member, j) + at(kShared, member, j));
      if (w < -1e-9) return false;
    }
  }
  return true;
}

void RankingWeights::drop_negative() {
  for (int m = 0; m < members_; ++m) {
    if (nonnegative(m)) continue;
    for (int c = 0; c <= kItemCells; ++c)
      for (int j = 0; j < Stack::kBasis; ++j) at(c, m, j) = 0;
  }
}

void RankingWeights::mixing(int support, std::vector<double>& out) const {
  const int mixed = members_ + 1;
  out.resize(kItemCells * mixed);
  const auto b = Stack::basis(support);
  for (int c = 0; c < kItemCells; ++c)
    for (int m = 0; m < mixed; ++m) {
      double value = 0;
      for (int j = 0; j < Stack::kBasis; ++j) value += b[j] * (at(c, m, j) + at(kShared, m, j));
      out[c * mixed + m] = value * scale_[m];
    }
}

Stack RankingWeights::to_stack() const {
  Stack stack;
  for (int m = 0; m < members_; ++m) stack.members.push_back(m);
  for (int c = 0; c < kItemCells; ++c)
    for (int m = 0; m <= members_; ++m)
      for (int j = 0; j < Stack::kBasis; ++j)
        stack.coefficient.push_back(static_cast<float>(scale_[m] * (at(c, m, j) + at(kShared, m, j))));
  return stack;
}

void fit_softmax(std::span<const Sample> samples, int learner, int threads, RankingWeights& weights) {
  constexpr int kSteps = 250;
  constexpr double kRate = 0.05, kHoldShared = 1e-5, kHoldCell = 2e-3;
  weights.set_alone(learner);
  weights.at(kShared, learner, 0) = 1 / weights.scale(learner);
  std::vector<double>& theta = weights.values();
  const std::vector<double> start = theta;
  std::vector<double> first(theta.size(), 0), second(theta.size(), 0), gradient;
  const size_t cells = static_cast<size_t>(kItemCells) * (weights.members() + 1) * Stack::kBasis;
  SoftmaxLoss loss(samples, threads);
  for (int step = 1; step <= kSteps; ++step) {
    loss.gradient(weights, gradient);
    const double rate = kRate * (1 - static_cast<double>(step) / (kSteps + 1));
    for (size_t i = 0; i < theta.size(); ++i) {
      const double g = gradient[i] + (i < cells ? kHoldCell : kHoldShared) * (theta[i] - start[i]);
      first[i] = 0.9 * first[i] + 0.1 * g;
      second[i] = 0.99 * second[i] + 0.01 * g * g;
      theta[i] -=
          rate * first[i] / (1 - std::pow(0.9, step)) / (std::sqrt(second[i] / (1 - std::pow(0.99, step))) + 1e-8);
    }
  }
}

void ascend_metric(std::span<const Sample> samples, const Metric& metric, int threads, RankingWeights& weights) {
  Ascent(samples, metric, threads, weights).run();
}

Stack fit_ranking_stack(std::span<const Sample> samples, int members, int learner, const Metric& metric, int threads) {
  RankingWeights weights(samples, members);
  fit_softmax(samples, std::max(0, learner), threads, weights);
  ascend_metric(samples, metric, threads, weights);
  return weights.to_stack();
}

}  // namespace fewshop
