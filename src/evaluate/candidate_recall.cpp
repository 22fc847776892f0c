#include "evaluate/candidate_recall.h"

#include <algorithm>
#include <atomic>

#include "core/parallel.h"
#include "core/random.h"
#include "evaluate/run_model.h"
#include "task/support_rows.h"

namespace fewshop {
namespace {

std::optional<Episode> episode_of_turn(const LoadedProblem& problem, const TaskRows& task, size_t turn) {
  const auto& shots = problem.scenario.episode.shots;
  const size_t points = shots.size() + 1;
  for (size_t p = 0; p < points; ++p) {  // the next point that the task is large enough for
    const size_t point = (turn + p) % points;
    auto episode = point == 0 ? headline_episode(problem.data, problem.scenario, task)
                              : episode_at(problem.data, problem.scenario, task, shots[point - 1]);
    if (episode) return episode;
  }
  return std::nullopt;
}

class Asker {
 public:
  Asker(const Model& model, const LoadedProblem& problem, int best)
      : model_(model), problem_(problem), data_(problem.data), best_(best) {
    for (const auto& id : data_.item_ids) item_of_.push_back(model.find_item(id));
    for (const auto& kind : data_.kinds) {
      const auto found = std::find(model.kinds().begin(), model.kinds().end(), kind);
      kind_of_.push_back(found == model.kinds().end() ? -1 : static_cast<int>(found - model.kinds().begin()));
    }
  }

  struct Scratch {
    std::unique_ptr<ModelSession> session;
    std::vector<float> score;
    std::vector<int32_t> order, candidates;
  };
  struct Count {
    int64_t wanted = 0, contained = 0;
  };

  Count ask(const Episode& episode, Scratch& scratch) const {
    if (!scratch.session) scratch.session = model_.session();
    auto support = support_rows(data_, episode.support, episode_time(data_, episode.support, episode.query), item_of_);
    std::erase_if(support, [&](const SupportRow& row) { return kind_of_[row.kind] < 0; });
    for (auto& row : support) row.kind = static_cast<uint8_t>(kind_of_[row.kind]);
    const std::vector<ColumnView> description = data_.task_features.row(episode.task);
    model_.adapt({support, description}, *scratch.session);
    if (!model_.served_adapted(*scratch.session, -1)) return {};

    std::vector<int32_t> exclude;
    for (const int32_t item : excluded_items(data_, problem_.scenario, episode))
      if (item_of_[item] >= 0) exclude.push_back(item_of_[item]);
    std::sort(exclude.begin(), exclude.end());
    auto& candidates = scratch.candidates;
    model_.candidates(*scratch.session, best_, ItemSet::of(exclude), candidates);
    std::sort(candidates.begin(), candidates.end());
    auto& score = scratch.score;
    auto& order = scratch.order;
    score.resize(model_.item_ids().size());
    model_.score_all(*scratch.session, Model::kAdapted, score);
    order.clear();
    for (int32_t item = 0; item < static_cast<int32_t>(score.size()); ++item)
      if (!std::binary_search(exclude.begin(), exclude.end(), item)) order.push_back(item);
    const auto wanted = std::min<int64_t>(best_, static_cast<int64_t>(order.size()));
    std::partial_sort(order.begin(), order.begin() + wanted, order.end(),
                      [&](int32_t a, int32_t b) { return score[a] > score[b] || (score[a] == score[b] && a < b); });
    Count count{wanted, 0};
    for (int64_t i = 0; i < wanted; ++i)
      count.contained += std::binary_search(candidates.begin(), candidates.end(), order[i]);
    return count;
  }

 private:
  const Model& model_;
  const LoadedProblem& problem_;
  const Dataset& data_;
  int best_;
  std::vector<int32_t> item_of_;
  std::vector<int> kind_of_;
};

}  // namespace

std::optional<double> candidate_recall(const Model& model, const LoadedProblem& problem,
                                       const CandidateRecallOptions& options) {
  const auto& parts = model.parts();
  if (problem.scenario.problem != Problem::kRanking || (parts.learner.empty() && parts.stack.empty())) return {};
  std::vector<const TaskRows*> tasks;
  for (const auto& task : problem.partition.valid) tasks.push_back(&task);
  Random(problem.scenario.split.seed).fork("candidate recall").shuffle(tasks);
  if (tasks.size() > static_cast<size_t>(options.tasks)) tasks.resize(options.tasks);

  const Asker asker(model, problem, options.best);
  std::vector<Asker::Scratch> scratch(static_cast<size_t>(thread_count(options.threads)));
  std::atomic<int64_t> wanted = 0, contained = 0;
  parallel_for(static_cast<int64_t>(tasks.size()), options.threads, 8, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i) {
      const auto episode = episode_of_turn(problem, *tasks[i], static_cast<size_t>(i));
      if (!episode) continue;
      const auto count = asker.ask(*episode, scratch[worker]);
      wanted += count.wanted;
      contained += count.contained;
    }
  });
  if (wanted == 0) return {};
  return static_cast<double>(contained) / static_cast<double>(wanted);
}

}  // namespace fewshop
