#include "evaluate/candidate_recall.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/random.h"
#include "evaluate/run_model.h"
#include "runtime/candidate_depth.h"
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

  /// What one thread counts.
  struct Tally {
    std::unique_ptr<ModelSession> session;
    DepthCounts counts;
  };

  void ask(const Episode& episode, Tally& tally) const {
    if (!tally.session) tally.session = model_.session();
    auto support = support_rows(data_, episode.support, episode_time(data_, episode.support, episode.query), item_of_);
    std::erase_if(support, [&](const SupportRow& row) { return kind_of_[row.kind] < 0; });
    for (auto& row : support) row.kind = static_cast<uint8_t>(kind_of_[row.kind]);
    const std::vector<ColumnView> description = data_.task_features.row(episode.task);
    model_.adapt({support, description}, *tally.session);
    if (!model_.served_adapted(*tally.session, -1)) return;
    ItemSet excluded;
    for (const int32_t item : excluded_items(data_, problem_.scenario, episode)) excluded.set(item_of_[item], true);
    tally.counts.add(model_, *tally.session, excluded, best_);
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

std::optional<CandidateRecall> candidate_recall(const Model& model, const LoadedProblem& problem,
                                                const CandidateRecallOptions& options) {
  const auto& parts = model.parts();
  if (problem.scenario.problem != Problem::kRanking || (parts.learner.empty() && parts.stack.empty())) return {};
  std::vector<const TaskRows*> tasks;
  for (const auto& task : problem.partition.valid) tasks.push_back(&task);
  Random(problem.scenario.split.seed).fork("candidate recall").shuffle(tasks);
  if (tasks.size() > static_cast<size_t>(options.tasks)) tasks.resize(options.tasks);

  const Asker asker(model, problem, options.best);
  std::vector<Asker::Tally> tallies(static_cast<size_t>(thread_count(options.threads)));
  parallel_for(static_cast<int64_t>(tasks.size()), options.threads, 8, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i)
      if (const auto episode = episode_of_turn(problem, *tasks[i], static_cast<size_t>(i)))
        asker.ask(*episode, tallies[worker]);
  });
  DepthCounts counts;
  for (const Asker::Tally& tally : tallies) counts.add(tally.counts);
  if (counts.wanted() == 0) return {};
  const int depth = counts.choose();
  return CandidateRecall{depth, counts.recall(depth)};
}

}  // namespace fewshop
