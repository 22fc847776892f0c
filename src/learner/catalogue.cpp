#include "learner/catalogue.h"

#include <algorithm>

#include "learner/baseline/options.h"
#include "learner/baseline/row_options.h"
#include "learner/bayes_options.h"
#include "learner/episodic_catalogue.h"

namespace fewshop {

namespace {

/// The options of a method that has its own for each problem: fields that both have are listed once.
std::vector<FieldInfo> joined(std::vector<FieldInfo> first, const std::vector<FieldInfo>& second) {
  for (const auto& field : second) {
    bool known = false;
    for (const auto& other : first) known = known || other.name == field.name;
    if (!known) first.push_back(field);
  }
  return first;
}

std::vector<Problem> together(std::vector<Problem> first, const std::vector<Problem>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::vector<LearnerInfo> make_learners() {
  const std::vector<Problem> rating{Problem::kRating}, ranking{Problem::kRanking},
      both{Problem::kRating, Problem::kRanking}, numbers{Problem::kRegression, Problem::kCount},
      classes{Problem::kBinary, Problem::kMulticlass, Problem::kOrdinal},
      rows{Problem::kBinary, Problem::kMulticlass, Problem::kRegression, Problem::kCount, Problem::kOrdinal};
  const auto rated_and = [](std::vector<Problem> more) {
    more.insert(more.begin(), Problem::kRating);
    return more;
  };
  std::vector<LearnerInfo> all{
      {"bayes", "learned Gaussian prior over a linear head, solved in closed form, trained through the solve",
       "Harrison, Sharma, Pavone. Meta-learning priors for efficient online Bayesian regression. WAFR 2018",
       together(both, rows), false, describe_fields<BayesOptions>(), rows, bayes_row_options()},
      {"majority", "the shares of the classes in all rows", "", classes, true, {}},
      {"global-mean", "the mean of all targets", "", rated_and(numbers), true, describe_fields<GlobalMeanOptions>()},
      {"item-mean", "the item's mean or class shares, shrunk to those of all rows", "", rated_and(rows), true,
       describe_fields<ItemMeanOptions>()},
      {"bias", "global mean + item bias + user bias from the support, both shrunk",
       "Koren. Factor in the Neighbors. ACM TKDD 2010, section 2.1", rating, true, describe_fields<BiasOptions>()},
      {"popularity", "the item's share of all training rows", "", ranking, true, describe_fields<PopularityOptions>()},
      {"item-knn", "similarity to the items of the support",
       "Sarwar et al. Item-based Collaborative Filtering Recommendation Algorithms. WWW 2001", both, true,
       joined(describe_fields<RatingKnnOptions>(), describe_fields<RankingKnnOptions>())},
      {"als", "matrix factorisation with the support folded in, new items from their features",
       "Hu, Koren, Volinsky. Collaborative Filtering for Implicit Feedback Datasets. ICDM 2008", both, true,
       joined(describe_fields<AlsOptions>(), describe_fields<ImplicitAlsOptions>())},
      {"ease", "linear item-item weights in closed form",
       "Steck. Embarrassingly Shallow Autoencoders for Sparse Data. WWW 2019", ranking, true,
       describe_fields<EaseOptions>()},
      {"session-knn", "items of past sessions that resemble this one, weighted by order",
       "Ludewig, Jannach. Evaluation of Session-based Recommendation Algorithms. UMUAI 2018", ranking, true,
       describe_fields<SessionKnnOptions>()},
      {"task-mean", "the task's own mean or class shares, shrunk to those of all rows (Beta, Dirichlet, normal, gamma)",
       "Morris. Parametric Empirical Bayes Inference. JASA 1983", rows, true, describe_fields<TaskMeanOptions>()},
      {"pooled-linear", "one regression over all tasks: linear, or negative binomial for counts",
       "McCullagh, Nelder. Generalized Linear Models. 1989", numbers, true, describe_fields<PooledLinearOptions>()},
      {"pooled-logistic", "one logistic regression over all tasks: binary, softmax, or ordered",
       "McCullagh, Nelder. Generalized Linear Models. 1989", classes, true, describe_fields<PooledLinearOptions>()},
      {"task-linear", "a regression for each task, its weights shrunk to those of the regression over all tasks",
       "Rasmussen, Williams. Gaussian Processes for Machine Learning. 2006, chapters 2 and 3", numbers, true,
       describe_fields<TaskLinearOptions>()},
      {"task-logistic", "a logistic regression for each task, its weights shrunk to those of the one over all tasks",
       "Rasmussen, Williams. Gaussian Processes for Machine Learning. 2006, chapter 3", classes, true,
       describe_fields<TaskLinearOptions>()},
      {"xgboost", "boosted trees over all tasks", "Chen, Guestrin. XGBoost: A Scalable Tree Boosting System. KDD 2016",
       rows, true, describe_fields<XgboostOptions>()},
      {"xgboost-task", "boosted trees over all tasks, and a few more for each task; reported, never served",
       "Chen, Guestrin. XGBoost: A Scalable Tree Boosting System. KDD 2016", rows, true,
       describe_fields<XgboostTaskOptions>()},
  };
  auto episodic = episodic_learners();
  all.insert(all.begin() + 1, std::make_move_iterator(episodic.begin()), std::make_move_iterator(episodic.end()));
  return all;
}

}  // namespace

std::vector<FieldInfo> LearnerInfo::all_options() const { return joined(options, row_options); }

const std::vector<LearnerInfo>& learners() {
  static const std::vector<LearnerInfo> all = make_learners();
  return all;
}

const LearnerInfo& find_learner(const std::string& name) {
  std::string known;
  for (const auto& learner : learners()) {
    if (learner.name == name) return learner;
    known += (known.empty() ? "" : ", ") + learner.name;
  }
  throw InvalidInput("learner: unknown name '" + name + "'; known names: " + known);
}

std::vector<std::string> default_baselines(const Scenario& scenario) {
  std::vector<std::string> names;
  for (const auto& learner : learners()) {
    if (!learner.baseline || (needs_items(learner) && scenario.item.empty())) continue;
    if (std::find(learner.problems.begin(), learner.problems.end(), scenario.problem) != learner.problems.end())
      names.push_back(learner.name);
  }
  return names;
}

bool needs_items(const LearnerInfo& learner) { return learner.name == "item-mean"; }

}  // namespace fewshop
