#include "learner/row_weights.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/parallel.h"
#include "core/progress.h"
#include "core/random.h"
#include "evaluate/row_metric.h"
#include "learner/gate/gate_fit.h"
#include "learner/held_out_tasks.h"
#include "task/row_episode.h"

namespace fewshop {
namespace {

uint64_t tie_seed(int32_t task) { return 0x726f77 + static_cast<uint64_t>(task); }

/// What one episode adds, a capped query counting for all of its rows where the metric counts rows.
Part weighted(const Metric& metric, Part part, double row_weight) {
  if (!counts_rows(metric)) return part;
  return {part.numerator * row_weight, part.denominator * row_weight};
}

void answer(const Dataset& data, const RowMember& member, const HeldOutEpisode& held, Workspace& workspace,
            Predictive* out) {
  const RowEpisode episode = row_episode(data, held.episode);
  member.adapt(episode.task(), workspace);
  for (const RowInput& row : episode.query) member.predict(workspace, row, *out++);
}

class RowWeightFit {
 public:
  RowWeightFit(const Dataset& data, const Scenario& scenario, const std::vector<RowFold>& folds,
               const RowWeightOptions& options)
      : data_(data),
        scenario_(scenario),
        folds_(folds),
        o_(options),
        metrics_(parse_metrics(scenario.metrics, scenario.problem)),
        metric_(judging_metric(scenario)),
        members_(static_cast<int>(folds.at(0).members.size())) {}

  RowWeights fit() {
    Progress bar("mix and gate", 4);
    for (const auto& fold : folds_) {
      std::vector<const RowMember*> members;
      for (const auto& member : fold.members) members.push_back(member.get());
      auto more = collect_row_samples(data_, members, fold.episodes, o_.threads);
      std::move(more.begin(), more.end(), std::back_inserter(samples_));
    }
    bar.advance(1, "held-out answers");
    RowWeights weights;
    if (o_.mix && o_.learner) {
      const auto second = std::stable_partition(samples_.begin(), samples_.end(),
                                                [&](const RowSample& s) { return half_of(s.task) == 0; });
      half_mix_[0] = fit_mix({samples_.begin(), second});
      bar.advance(1, "mix");
      half_mix_[1] = fit_mix({second, samples_.end()});
      bar.advance(1, "mix");
      weights.mix = fit_mix(samples_);
      bar.advance(1, "mix");
    }
    std::vector<Part> valid(metrics_.size());
    const auto judgements = judge(valid);
    for (size_t m = 0; m < metrics_.size(); ++m)
      if (valid[m].denominator > 0) weights.valid[metrics_[m].name] = metric_value(metrics_[m], valid[m]);
    GateMethods which;
    for (int b = 0; b < members_ - (o_.learner ? 1 : 0); ++b)
      if (o_.servable[b]) which.baselines.push_back(b);
    which.adapted = members_;  // behind the members
    weights.best_baseline = best_baseline(metric_, judgements, which);
    weights.gate.enabled = o_.gate && o_.learner;
    if (weights.gate.enabled) weights.gate = fit_gate(metric_, o_.sizes, judgements, which);
    return weights;
  }

 private:
  int half_of(int32_t task) const {
    return static_cast<int>(Random(o_.seed).fork("stack halves").fork(data_.task_ids[task]).next() & 1);
  }

  RowMix fit_mix(std::span<const RowSample> samples) const {
    std::vector<int> members;
    for (int m = 0; m < members_; ++m)
      if (o_.servable[m]) members.push_back(m);
    return fit_row_mix(samples, members, members_ - 1, counts_rows(metric_), o_.threads);
  }

  /// Every member, then the adapted answer.
  std::vector<Judgement> judge(std::vector<Part>& valid) const {
    std::vector<Judgement> judgements(samples_.size());
    std::vector<std::vector<Part>> parts(samples_.size());
    parallel_for(static_cast<int64_t>(samples_.size()), o_.threads, 64, [&](int64_t begin, int64_t end, int) {
      std::vector<Predictive> adapted;
      for (int64_t i = begin; i < end; ++i) {
        const RowSample& s = samples_[i];
        judgements[i] = {s.task, s.support, Way::kNatural, {}};
        for (int m = 0; m <= members_; ++m) {
          const bool last = m == members_;
          std::span<const Predictive> predicted(s.answer.data() + static_cast<size_t>(m) * s.target.size(),
                                                last ? 0 : s.target.size());
          if (last) {
            adapt(s, adapted);
            predicted = adapted;
          }
          std::array<Part, kItemCells + 1> of_method{};
          of_method[kItemCells] =
              weighted(metric_, row_part(metric_, s.target, predicted, tie_seed(s.task)), s.row_weight);
          judgements[i].methods.push_back(of_method);
          for (size_t k = 0; last && k < metrics_.size(); ++k)
            parts[i].push_back(
                weighted(metrics_[k], row_part(metrics_[k], s.target, predicted, tie_seed(s.task)), s.row_weight));
        }
      }
    });
    for (const auto& of_sample : parts)
      for (size_t k = 0; k < of_sample.size(); ++k) valid[k] += of_sample[k];
    return judgements;
  }

  /// The mix that was fitted on the other half; the learner alone without one, the first baseline without a learner.
  void adapt(const RowSample& s, std::vector<Predictive>& out) const {
    const size_t n = s.target.size();
    out.resize(n);
    const RowMix& mix = half_mix_[1 - half_of(s.task)];
    if (mix.empty()) {
      const size_t member = o_.learner ? static_cast<size_t>(members_ - 1) : 0;
      std::copy_n(s.answer.begin() + static_cast<int64_t>(member * n), n, out.begin());
      return;
    }
    std::vector<double> weight(mix.members.size());
    mix.weights(s.support, weight);
    std::vector<Predictive> each(mix.members.size());
    for (size_t i = 0; i < n; ++i) {
      for (size_t m = 0; m < each.size(); ++m) each[m] = s.answer[static_cast<size_t>(mix.members[m]) * n + i];
      pool(each, weight, out[i]);
    }
  }

  const Dataset& data_;
  const Scenario& scenario_;
  const std::vector<RowFold>& folds_;
  const RowWeightOptions& o_;
  std::vector<Metric> metrics_;
  Metric metric_;
  int members_;
  std::vector<RowSample> samples_;
  RowMix half_mix_[2];
};

}  // namespace

std::vector<RowSample> collect_row_samples(const Dataset& data, const std::vector<const RowMember*>& members,
                                           const std::vector<HeldOutEpisode>& episodes, int threads) {
  std::vector<RowSample> samples(episodes.size());
  parallel_for(static_cast<int64_t>(episodes.size()), threads, 16, [&](int64_t begin, int64_t end, int) {
    std::vector<std::unique_ptr<Workspace>> workspaces;
    for (const RowMember* member : members) workspaces.push_back(member->workspace());
    for (int64_t i = begin; i < end; ++i) {
      const auto& held = episodes[i];
      RowSample& s = samples[i];
      s = {held.episode.task, held.support, held.row_weight, {}, {}};
      for (const int32_t r : held.episode.query) s.target.push_back(data.target[r]);
      s.answer.resize(members.size() * s.target.size());
      for (size_t m = 0; m < members.size(); ++m)
        answer(data, *members[m], held, *workspaces[m], s.answer.data() + m * s.target.size());
    }
  });
  return samples;
}

double row_member_loss(const Dataset& data, const RowMember& member, const Metric& metric,
                       const std::vector<HeldOutEpisode>& episodes, int threads) {
  std::vector<Part> parts(episodes.size());
  parallel_for(static_cast<int64_t>(episodes.size()), threads, 16, [&](int64_t begin, int64_t end, int) {
    const auto workspace = member.workspace();
    std::vector<Predictive> predicted;
    std::vector<float> target;
    for (int64_t i = begin; i < end; ++i) {
      const auto& held = episodes[i];
      target.clear();
      for (const int32_t r : held.episode.query) target.push_back(data.target[r]);
      predicted.resize(target.size());
      answer(data, member, held, *workspace, predicted.data());
      parts[i] = weighted(metric, row_part(metric, target, predicted, tie_seed(held.episode.task)), held.row_weight);
    }
  });
  std::map<int, Part> by_size;
  for (size_t i = 0; i < episodes.size(); ++i) by_size[std::min(episodes[i].support, 1000)] += parts[i];
  return mean_over_sizes(metric, by_size);
}

RowWeights fit_row_weights(const Dataset& data, const Scenario& scenario, const std::vector<RowFold>& folds,
                           const RowWeightOptions& options) {
  return RowWeightFit(data, scenario, folds, options).fit();
}

}  // namespace fewshop
