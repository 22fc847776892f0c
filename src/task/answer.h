#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "task/task_input.h"

namespace fewshop {

/// One support row's part of a score: `row` is its position in the support.
struct Reason {
  int32_t row = 0;
  std::string item;
  double contribution = 0;
};

/// A recommended item. score = prior + sum of the contributions of all support rows.
struct RecommendedItem {
  std::string item;
  double score = 0;          // before clipping
  double prediction = 0;     // ratings: the score clipped to the range of ratings; else the score
  double low = 0, high = 0;  // 95 %; equal to the score where the model states no uncertainty
  double prior = 0;
  std::vector<Reason> reasons;  // largest first
};

struct Recommendation {
  std::string task;
  std::string served;                // "adapted", the baseline's name, or "mixed" (some items of each)
  std::vector<std::string> support;  // items of the support rows
  std::vector<RecommendedItem> items;
};

struct RecommendOptions {
  int count = 10;
  bool explain = false;             // all support rows as reasons; else the three that matter most
  std::vector<std::string> hidden;  // items that are never recommended
};

/// The best items for one task, best first. Items of the support are left out where the scenario says so.
Recommendation recommend(const Model& model, const std::string& task, const TaskInput& input,
                         const RecommendOptions& options);

/// {task, served, support, items: [{item, score, prediction, low, high, prior, reasons: [{row, item, contribution}]}]}
nlohmann::json to_json(const Recommendation& recommendation);

/// One predicted query row.
struct Prediction {
  double value = 0, low = 0, high = 0;
  std::string served;  // "adapted" or the baseline's name
};

/// Predictions for items (ids), in their order.
std::vector<Prediction> predict(const Model& model, const TaskInput& input, std::span<const std::string> items);

}  // namespace fewshop
