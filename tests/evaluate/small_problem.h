#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/model.h"
#include "task/problem.h"

namespace fewshop {

/// A member whose answers can be worked out in the head: the mean of the support's targets (`own` of it, the rest is
/// `constant`) plus the item's number times `slope`. It records nothing but its support.
class PlainMember : public Member {
 public:
  PlainMember(std::string name, double own, double constant, double slope)
      : name_(std::move(name)), own_(own), constant_(constant), slope_(slope) {}

  struct Mean : Workspace {
    double mean = 0;
  };

  std::string_view name() const override { return name_; }
  std::unique_ptr<Workspace> workspace() const override { return std::make_unique<Mean>(); }
  void adapt(const TaskView& task, Workspace& workspace) const override {
    double sum = 0;
    for (const auto& row : task.support) sum += row.target;
    static_cast<Mean&>(workspace).mean = task.support.empty() ? 0 : sum / static_cast<double>(task.support.size());
  }
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override {
    for (size_t i = 0; i < score.size(); ++i) score[i] = value(workspace, items[i]);
    for (auto& v : variance) v = 0.25F;
  }
  void score_all(const Workspace& workspace, std::span<float> score) const override {
    for (size_t i = 0; i < score.size(); ++i) score[i] = value(workspace, static_cast<int32_t>(i));
  }
  double explain(const Workspace& workspace, int32_t item, std::span<double>) const override {
    return value(workspace, item);
  }
  void add_item(std::span<const ColumnView>) override { ++added; }
  void save(TensorFile&) const override {}

  int added = 0;

 private:
  float value(const Workspace& workspace, int32_t item) const {
    return static_cast<float>(own_ * static_cast<const Mean&>(workspace).mean + (1 - own_) * constant_ + slope_ * item);
  }
  std::string name_;
  double own_, constant_, slope_;
};

/// Three users; their rows are all test rows, the last two of each are the query.
inline LoadedProblem small_problem(Problem problem) {
  LoadedProblem p;
  p.scenario.name = "small";
  p.scenario.problem = problem;
  p.scenario.metrics = problem == Problem::kRating ? std::vector<std::string>{"mae", "ndcg@2"}
                                                   : std::vector<std::string>{"mrr@5", "recall@2"};
  p.scenario.episode.query_count = 2;
  p.scenario.episode.shots = {{0, 0}, {1, 0}};
  Dataset& d = p.data;
  d.item_ids = {"a", "b", "c", "d", "e"};
  d.kinds = {""};
  d.task_begin = {0};
  const std::vector<std::vector<std::pair<int, float>>> users{
      {{0, 4}, {1, 2}, {2, 3}, {3, 5}}, {{4, 1}, {2, 1}, {0, 2}}, {{1, 5}, {3, 5}, {4, 4}, {0, 5}}};
  for (size_t u = 0; u < users.size(); ++u) {
    TaskRows rows{static_cast<int32_t>(u), {}};
    for (size_t i = 0; i < users[u].size(); ++i) {
      rows.rows.push_back(static_cast<int32_t>(d.item.size()));
      d.task.push_back(static_cast<int32_t>(u));
      d.item.push_back(users[u][i].first);
      d.target.push_back(problem == Problem::kRating ? users[u][i].second : 1);
      d.weight.push_back(1);
      d.time.push_back(0);
      d.kind.push_back(0);
      d.group.push_back(static_cast<int32_t>(i));
      d.source.push_back(static_cast<int64_t>(d.source.size()));
    }
    d.task_begin.push_back(static_cast<int64_t>(d.item.size()));
    d.task_ids.push_back("user" + std::to_string(9 - u));
    if (p.partition.test.empty()) p.partition.test.push_back({"test", {}});
    p.partition.test[0].tasks.push_back(std::move(rows));
  }
  return p;
}

/// The learner is the support mean, the baseline the constant 3 (both plus `slope` per item number).
inline Model small_model(Problem problem, const std::vector<std::string>& items, double slope, bool open) {
  Model::Parts parts;
  parts.scenario.problem = problem;
  parts.item_ids = items;
  parts.kinds = {""};
  parts.item_counts.assign(items.size(), 10);
  parts.members.push_back(std::make_unique<PlainMember>("constant", 0, 3, slope));
  parts.members.push_back(std::make_unique<PlainMember>("mean", 1, 0, -slope));
  parts.baselines = {"constant"};
  parts.learner = "mean";
  parts.best_baseline = "constant";
  parts.gate.sizes = {0};
  parts.gate.baseline = {0};
  parts.gate.open.assign(kItemCells, open);
  parts.target_low = 0;
  parts.target_high = 5;
  return Model(std::move(parts));
}

}  // namespace fewshop
