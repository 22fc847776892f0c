#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fewshop {

/// The one table of a comparison of learners: what each answers by itself, what is served, what it costs.
struct ComparisonTable {
  std::string split;
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;  // best first by what the learner itself answers; baselines among them
};

/// One table a split, of the object of `compare --json`.
std::vector<ComparisonTable> comparison_tables(const nlohmann::json& object);

/// The curve over shots: a row a learner (by itself) and baseline, a column a support size, the primary metric.
std::vector<ComparisonTable> comparison_curves(const nlohmann::json& object);

/// Both as Markdown, for a page of the docs.
std::string markdown_comparison(const nlohmann::json& object);

}  // namespace fewshop
