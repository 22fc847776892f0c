#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/mean_member.h"
#include "runtime/row_model.h"

namespace fewshop::testing {

inline std::unique_ptr<RowMember> mean_member(const std::string& name, Family family, std::vector<float> mean,
                                              bool adapts, double strength = 2) {
  MeanMember::Parts parts;
  parts.name = name;
  parts.family = family;
  parts.mean = std::move(mean);
  parts.noise = 1;
  parts.size = 4;
  parts.adapts = adapts;
  parts.strength = strength;
  return std::make_unique<MeanMember>(std::move(parts));
}

/// A model of means only: a baseline, one that adapts slowly, one that adapts fast and is the learner; an equal mix of
/// the last two at every size; the gate is shut below two rows.
inline RowModel::Parts small_row_model(Problem problem = Problem::kBinary) {
  RowModel::Parts parts;
  parts.scenario.name = "small-rows";
  parts.scenario.problem = problem;
  parts.scenario.task = {"task"};
  parts.scenario.target = "target";
  parts.scenario.metrics = {"log-loss"};
  parts.scenario.baselines = {"majority", "slow"};
  parts.scenario.learner = "fast";
  Family family = Family::kBernoulli;
  std::vector<float> mean{0.25F};
  if (has_classes(problem)) {
    parts.scenario.classes = {"low", "middle", "high"};
    family = problem == Problem::kOrdinal ? Family::kOrdinal : Family::kCategorical;
    mean = {0.5F, 0.25F, 0.25F};
  } else if (problem == Problem::kRegression) {
    family = Family::kGaussian;
  } else if (problem == Problem::kCount) {
    family = Family::kNegativeBinomial;
  }
  parts.kinds = {""};
  parts.names = {"majority", "slow", "fast"};
  parts.members.push_back(mean_member("majority", family, mean, false));
  parts.members.push_back(mean_member("slow", family, mean, true, 8));
  parts.members.push_back(mean_member("fast", family, mean, true, 1));
  parts.baselines = {"majority", "slow"};
  parts.learner = "fast";
  parts.best_baseline = "majority";
  parts.mix.members = {1, 2};
  parts.mix.coefficient.assign(2 * Stack::kBasis, 0.0F);
  parts.gate.sizes = {0, 2};
  parts.gate.baseline = {0, 1};
  parts.gate.open.assign(2 * kItemCells, 0);
  std::fill(parts.gate.open.begin() + kItemCells, parts.gate.open.end(), 1);
  return parts;
}

}  // namespace fewshop::testing
