#include "learner/row_mix_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/parallel.h"
#include "core/random.h"
#include "learner/baseline/lbfgs.h"
#include "runtime/stack.h"

namespace fewshop {
namespace {

constexpr double kFavour = 2;  // start of the favourite's coefficient; the others start at 0
// Weights of that start, in episodes: half of it times the squared distance. One is chosen on the tasks themselves.
constexpr std::array kHolds = {100.0, 20.0, 5.0, 1.0};

/// Fits of a mix to some of the samples.
class RowMixFit {
 public:
  using Some = std::vector<size_t>;  // places among the samples

  RowMixFit(std::span<const RowSample> samples, const std::vector<int>& members, int favourite, bool by_rows,
            int threads)
      : samples_(samples),
        members_(members),
        by_rows_(by_rows),
        start_(members.size() * Stack::kBasis, 0.0),
        density_(samples.size()) {
    for (size_t m = 0; m < members.size(); ++m)
      if (members[m] == favourite) start_[m * Stack::kBasis] = kFavour;
    parallel_for(static_cast<int64_t>(samples.size()), threads, 256, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const size_t n = samples[i].target.size();
        for (size_t r = 0; r < n; ++r)
          for (const int m : members)
            density_[i].push_back(log_prob(samples[i].answer[static_cast<size_t>(m) * n + r], samples[i].target[r]));
      }
    });
  }

  /// Coefficients that lower the mean negative log score of `some` episodes, held near the start.
  std::vector<double> fit(const Some& some, double hold) const {
    const double held = hold / static_cast<double>(std::max<size_t>(1, some.size()));
    std::vector<double> x = start_;
    minimise(
        [&](std::span<const double> at, std::span<double> gradient) {
          const double value = loss(some, at, gradient);
          double distance = 0;
          for (size_t j = 0; j < at.size(); ++j) {
            distance += (at[j] - start_[j]) * (at[j] - start_[j]);
            gradient[j] += held * (at[j] - start_[j]);
          }
          return value + 0.5 * held * distance;
        },
        x);
    return x;
  }

  /// The mean negative log score of the pool with coefficients x, and its gradient.
  double loss(const Some& some, std::span<const double> x, std::span<double> gradient) const {
    const size_t width = members_.size();
    const RowMix at{members_, {x.begin(), x.end()}};
    std::vector<double> weight(width), share(width), pull(width);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    double value = 0, total = 0;
    for (const size_t i : some) total += by_rows_ ? rows(i) : 1;
    for (const size_t i : some) {
      const auto& s = samples_[i];
      const size_t n = s.target.size();
      const double scale = (by_rows_ ? s.row_weight : 1 / static_cast<double>(n)) / total;
      at.weights(s.support, weight);
      std::fill(pull.begin(), pull.end(), 0.0);
      for (size_t r = 0; r < n; ++r) {
        const double* log_p = density_[i].data() + r * width;
        const double most = *std::max_element(log_p, log_p + width);
        double sum = 0;
        for (size_t m = 0; m < width; ++m) sum += share[m] = weight[m] * std::exp(log_p[m] - most);
        value -= scale * (most + std::log(sum));
        for (size_t m = 0; m < width; ++m) pull[m] += share[m] / sum - weight[m];
      }
      const auto basis = Stack::basis(s.support);
      for (size_t m = 0; m < width; ++m)
        for (int b = 0; b < Stack::kBasis; ++b) gradient[m * Stack::kBasis + b] -= scale * pull[m] * basis[b];
    }
    return value;
  }

  /// The hold whose coefficients, fitted on one half of the tasks, have the best log score on the other half.
  double choose_hold() const {
    Some half[2];
    for (size_t i = 0; i < samples_.size(); ++i) half[Random(kHalves).fork(samples_[i].task).next() & 1].push_back(i);
    double chosen = kHolds.front(), best = std::numeric_limits<double>::infinity();
    if (half[0].empty() || half[1].empty()) return chosen;
    std::vector<double> ignored(start_.size());
    for (const double hold : kHolds) {
      double sum = 0;
      for (const int judged : {0, 1}) {
        const double size = static_cast<double>(half[judged].size());
        sum += size * loss(half[judged], fit(half[1 - judged], hold), ignored);
      }
      if (sum < best) best = sum, chosen = hold;
    }
    return chosen;
  }

 private:
  static constexpr uint64_t kHalves = 0x686f6c64;

  double rows(size_t i) const { return samples_[i].row_weight * static_cast<double>(samples_[i].target.size()); }

  std::span<const RowSample> samples_;
  const std::vector<int>& members_;
  bool by_rows_;
  std::vector<double> start_;
  std::vector<std::vector<double>> density_;  // [samples][n, members] log p of every member at every target
};

}  // namespace

RowMix fit_row_mix(std::span<const RowSample> samples, const std::vector<int>& members, int favourite, bool by_rows,
                   int threads) {
  const RowMixFit fit(samples, members, favourite, by_rows, threads);
  std::vector<size_t> all(samples.size());
  std::iota(all.begin(), all.end(), size_t{0});
  const std::vector<double> x = fit.fit(all, fit.choose_hold());
  return {members, {x.begin(), x.end()}};
}

}  // namespace fewshop
