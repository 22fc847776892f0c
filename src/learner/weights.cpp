#include "learner/weights.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/progress.h"
#include "learner/gate/gate_fit.h"
#include "learner/stack/stack_fit.h"
#include "task/support_rows.h"

namespace fewshop {
namespace {

class WeightFit {
 public:
  WeightFit(const Dataset& data, const Scenario& scenario, const std::vector<Fold>& folds, const WeightOptions& options)
      : data_(data),
        scenario_(scenario),
        folds_(folds),
        o_(options),
        metrics_(parse_metrics(scenario.metrics, scenario.problem)),
        metric_(judging_metric(scenario)),
        methods_(static_cast<int>(folds.at(0).members.size())),
        stacked_(options.stack && options.learner) {}

  Weights fit() {
    Progress bar("stack and gate", 5);
    collect();
    bar.advance(1, "held-out answers");
    Weights weights;
    if (stacked_) {
      const auto second = std::stable_partition(samples_.begin(), samples_.end(),
                                                [&](const Sample& s) { return half_of(s.task) == 0; });
      half_stack_[0] = fit_stack({samples_.begin(), second});
      bar.advance(1, "stack");
      half_stack_[1] = fit_stack({second, samples_.end()});
      bar.advance(1, "stack");
      weights.stack = fit_stack(samples_);
      bar.advance(1, "stack");
    }
    std::vector<Part> valid(metrics_.size());
    const std::vector<Judgement> judgements = ranking() ? judge_rankings(valid) : judge_ratings(valid);
    for (size_t m = 0; m < metrics_.size(); ++m)
      if (valid[m].denominator > 0) weights.valid[metrics_[m].name] = metric_value(metrics_[m], valid[m]);
    GateMethods which;
    for (int b = 0; b < methods_ - (o_.learner ? 1 : 0); ++b) which.baselines.push_back(b);
    which.adapted = methods_ - 1;
    weights.best_baseline = best_baseline(metric_, judgements, which);
    weights.gate.enabled = o_.gate && o_.learner;
    if (weights.gate.enabled) weights.gate = fit_gate(metric_, o_.sizes, judgements, which);
    return weights;
  }

 private:
  bool ranking() const { return scenario_.problem == Problem::kRanking; }
  int half_of(int32_t task) const {
    return static_cast<int>(Random(o_.seed).fork("stack halves").fork(data_.task_ids[task]).next() & 1);
  }

  Stack fit_stack(std::span<const Sample> samples) const {
    return ranking() ? fit_ranking_stack(samples, methods_, methods_ - 1, metric_, o_.threads)
                     : fit_rating_stack(samples, methods_, methods_ - 1, metric_);
  }

  void collect() {
    for (size_t f = 0; f < folds_.size(); ++f) {
      MemberList list{{}, o_.learner ? methods_ - 1 : -1};
      for (const auto& member : folds_[f].members) list.members.push_back(member.get());
      fold_begin_.push_back(samples_.size());
      auto more =
          collect_samples(data_, scenario_, list, folds_[f].counts, folds_[f].episodes, o_.seed + f, o_.threads);
      std::move(more.begin(), more.end(), std::back_inserter(samples_));
    }
  }

  std::vector<Judgement> judge_ratings(std::vector<Part>& valid) const {
    const auto score_of = [&](const Sample& s, int method, std::span<float> out) {
      const size_t n = s.target.size();
      if (method < methods_ - 1 || !stacked_)
        std::copy_n(s.score.begin() + static_cast<int64_t>(method * n), n, out.begin());
      else
        mix(half_stack_[1 - half_of(s.task)], s, out);
      for (auto& value : out) value = std::clamp(value, o_.target_low, o_.target_high);
    };
    std::vector<float> score;
    for (const auto& s : samples_) {
      if (s.way != Way::kNatural) continue;
      score.resize(s.target.size());
      score_of(s, methods_ - 1, score);
      for (size_t m = 0; m < metrics_.size(); ++m)
        valid[m] +=
            rated_part(metrics_[m], RatedList(s.target, score, o_.positive_above, static_cast<uint64_t>(s.task)));
    }
    return fewshop::judge_ratings(metric_, o_.positive_above, samples_, methods_, score_of, o_.threads);
  }

  std::vector<Judgement> judge_rankings(std::vector<Part>& valid) const {
    std::vector<Judgement> judgements(samples_.size());
    std::vector<std::vector<Part>> parts(samples_.size());
    for (size_t f = 0; f < folds_.size(); ++f)
      parallel_for(static_cast<int64_t>(folds_[f].episodes.size()), o_.threads, 16,
                   [&](int64_t begin, int64_t end, int) {
                     RankingJudge judge(*this, folds_[f]);
                     for (int64_t i = begin; i < end; ++i)
                       judge.run(folds_[f].episodes[i], judgements[fold_begin_[f] + i], parts[fold_begin_[f] + i]);
                   });
    for (const auto& of_episode : parts)
      for (size_t m = 0; m < of_episode.size(); ++m) valid[m] += of_episode[m];
    return judgements;
  }

  /// One thread's judging of episodes by the scores of all items.
  class RankingJudge {
   public:
    RankingJudge(const WeightFit& fit, const Fold& fold)
        : fit_(fit),
          fold_(fold),
          items_(static_cast<size_t>(fit.data_.items())),
          scores_(items_ * fold.members.size()),
          mixed_(items_),
          weights_(kItemCells * (fold.members.size() + 1)) {
      for (const auto& member : fold.members) workspaces_.push_back(member->workspace());
    }

    void run(const HeldOutEpisode& held, Judgement& judgement, std::vector<Part>& valid) {
      const Episode& e = held.episode;
      judgement = {e.task, held.support, held.way, {}};
      const auto support = support_rows(fit_.data_, e.support, episode_time(fit_.data_, e.support, e.query));
      const auto description = fit_.data_.task_features.row(e.task);
      for (size_t m = 0; m < fold_.members.size(); ++m) {
        fold_.members[m]->adapt({support, description}, *workspaces_[m]);
        fold_.members[m]->score_all(*workspaces_[m], std::span(scores_).subspan(m * items_, items_));
      }
      for (int m = 0; m < fit_.methods_; ++m) {
        const bool last = m == fit_.methods_ - 1;
        std::span<const float> row(scores_.data() + m * items_, items_);
        if (last && fit_.stacked_) row = mix(held);
        judgement.methods.push_back(judge_ranking(fit_.metric_, fit_.data_, fit_.scenario_, e, row));
        for (size_t k = 0; last && k < fit_.metrics_.size(); ++k)
          valid.push_back(judge_ranking(fit_.metrics_[k], fit_.data_, fit_.scenario_, e, row)[kItemCells]);
      }
    }

   private:
    std::span<const float> mix(const HeldOutEpisode& held) {
      const Stack& stack = fit_.half_stack_[1 - fit_.half_of(held.episode.task)];
      const size_t width = stack.members.size() + 1;
      for (int c = 0; c < kItemCells; ++c)
        stack.weights(held.support, c, std::span(weights_).subspan(c * width, width));
      for (size_t item = 0; item < items_; ++item) {
        const double* w = weights_.data() + item_cell(fold_.counts[item]) * width;
        double sum = w[width - 1];
        for (size_t k = 0; k + 1 < width; ++k) sum += w[k] * scores_[stack.members[k] * items_ + item];
        mixed_[item] = static_cast<float>(sum);
      }
      return mixed_;
    }

    const WeightFit& fit_;
    const Fold& fold_;
    size_t items_;
    std::vector<float> scores_, mixed_;
    std::vector<double> weights_;
    std::vector<std::unique_ptr<Workspace>> workspaces_;
  };

  const Dataset& data_;
  const Scenario& scenario_;
  const std::vector<Fold>& folds_;
  const WeightOptions& o_;
  std::vector<Metric> metrics_;
  Metric metric_;
  int methods_;
  bool stacked_;
  std::vector<Sample> samples_;
  std::vector<size_t> fold_begin_;
  Stack half_stack_[2];
};

}  // namespace

Weights fit_weights(const Dataset& data, const Scenario& scenario, const std::vector<Fold>& folds,
                    const WeightOptions& options) {
  return WeightFit(data, scenario, folds, options).fit();
}

}  // namespace fewshop
