#pragma once

#include "core/options.h"

namespace fewshop {

// Constants of the baselines of problems that ask about rows. docs/row-problems.md has the formulas.

struct NoOptions {};

template <class Visitor>
void fields(NoOptions&, Visitor&&) {}

struct RowItemMeanOptions {
  double item_shrink = 10;
};

template <class Visitor>
void fields(RowItemMeanOptions& o, Visitor&& visit) {
  visit("item_shrink", o.item_shrink, Field{1e-3, 1e6, "rows of all items that are added to every item"});
}

struct TaskMeanOptions {
  double strength = 10;
};

template <class Visitor>
void fields(TaskMeanOptions& o, Visitor&& visit) {
  visit("strength", o.strength, Field{1e-3, 1e6, "rows of all tasks that are added to every task"});
}

struct PooledLinearOptions {
  double ridge = 10;
};

template <class Visitor>
void fields(PooledLinearOptions& o, Visitor&& visit) {
  visit("ridge", o.ridge, Field{1e-6, 1e9, "ridge of the weights that all tasks share"});
}

struct TaskLinearOptions {
  double ridge = 10;
  double task_ridge = 30;
  double task_intercept_ridge = 2;
};

template <class Visitor>
void fields(TaskLinearOptions& o, Visitor&& visit) {
  visit("ridge", o.ridge, Field{1e-6, 1e9, "ridge of the weights that all tasks share"});
  visit("task_ridge", o.task_ridge, Field{1e-6, 1e9, "ridge of what a task's weights deviate from them"});
  visit("task_intercept_ridge", o.task_intercept_ridge,
        Field{1e-6, 1e9, "ridge of what a task's intercept deviates from theirs"});
}

struct XgboostOptions {
  int max_depth = 6;
  double learning_rate = 0.1;
  int max_rounds = 300;
  double min_child_weight = 5;
};

template <class Visitor>
void fields(XgboostOptions& o, Visitor&& visit) {
  visit("max_depth", o.max_depth, Field{1, 20, "levels of a tree"});
  visit("learning_rate", o.learning_rate, Field{1e-4, 1, "what a tree's leaves are multiplied by (eta)"});
  visit("max_rounds", o.max_rounds, Field{1, 1e5, "trees (for each class) at most; held-out tasks stop earlier"});
  visit("min_child_weight", o.min_child_weight, Field{0, 1e6, "least curvature of the rows in a leaf"});
}

struct XgboostTaskOptions {
  int max_depth = 2;
  double learning_rate = 0.3;
  int rounds = 10;
};

template <class Visitor>
void fields(XgboostTaskOptions& o, Visitor&& visit) {
  visit("max_depth", o.max_depth, Field{1, 20, "levels of a task's trees"});
  visit("learning_rate", o.learning_rate, Field{1e-4, 1, "what their leaves are multiplied by (eta)"});
  visit("rounds", o.rounds, Field{1, 1000, "trees (for each class) that are added for a task"});
}

}  // namespace fewshop
