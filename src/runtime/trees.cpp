#include "runtime/trees.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fewshop {
namespace {

using nlohmann::json;

int32_t whole(const json& text) { return std::stoi(text.get<std::string>()); }

/// XGBoost writes booleans as such or as numbers.
bool flag(const json& value) { return value.is_boolean() ? value.get<bool>() : value.get<int>() != 0; }

}  // namespace

Trees::Trees(const std::string& text) {
  try {
    const json model = json::parse(text);
    const json& learner = model.at("learner");
    outputs_ = std::max(1, whole(learner.at("learner_model_param").at("num_class")));
    require(outputs_ <= 100'000, "trees: ", outputs_, " classes are too many");
    const json& booster = learner.at("gradient_booster").at("model");
    output_of_ = booster.at("tree_info").get<std::vector<int32_t>>();
    const json& trees = booster.at("trees");
    require(output_of_.size() == trees.size(), "trees: tree_info has ", output_of_.size(), " entries, expected ",
            trees.size());
    for (const int32_t output : output_of_) require(output >= 0 && output < outputs_, "trees: class ", output);
    for (const auto& tree : trees) {
      const auto left = tree.at("left_children").get<std::vector<int32_t>>(),
                 right = tree.at("right_children").get<std::vector<int32_t>>(),
                 input = tree.at("split_indices").get<std::vector<int32_t>>();
      const auto value = tree.at("split_conditions").get<std::vector<float>>();
      const json& missing = tree.at("default_left");
      const auto count = static_cast<int32_t>(left.size());
      require(count > 0 && right.size() == left.size() && input.size() == left.size() && value.size() == left.size() &&
                  missing.size() == left.size(),
              "trees: arrays of a tree have different sizes");
      const auto base = static_cast<int32_t>(nodes_.size());
      roots_.push_back(base);
      for (int32_t i = 0; i < count; ++i) {
        // Children stand behind their parents, so that every walk ends.
        const bool leaf = left[i] < 0;
        require(leaf || (left[i] > i && left[i] < count && right[i] > i && right[i] < count), "trees: node ", i,
                " has the children ", left[i], " and ", right[i], " of ", count, " nodes");
        nodes_.push_back({leaf ? -1 : base + left[i], leaf ? -1 : base + right[i], input[i], value[i],
                          flag(missing[static_cast<size_t>(i)])});
      }
    }
  } catch (const std::logic_error& error) {  // numbers that are none
    throw InvalidInput(std::string("trees: not as XGBoost writes them: ") + error.what());
  } catch (const json::exception& error) {
    throw InvalidInput(std::string("trees: not as XGBoost writes them: ") + error.what());
  }
}

void Trees::add_margins(const SparseRow& row, std::span<float> margin) const {
  for (size_t t = 0; t < roots_.size(); ++t) {
    const Node* node = &nodes_[roots_[t]];
    while (node->left >= 0) {
      const auto found = std::lower_bound(row.index.begin(), row.index.end(), node->input);
      const bool missing = found == row.index.end() || *found != node->input;
      const bool left = missing ? node->missing_left : row.value[found - row.index.begin()] < node->value;
      node = &nodes_[left ? node->left : node->right];
    }
    margin[output_of_[t]] += node->value;
  }
}

}  // namespace fewshop
