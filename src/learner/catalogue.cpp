#include "learner/catalogue.h"

#include <algorithm>

#include "learner/baseline/options.h"
#include "learner/bayes_options.h"

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

std::vector<LearnerInfo> make_learners() {
  const std::vector<Problem> rating{Problem::kRating}, ranking{Problem::kRanking},
      both{Problem::kRating, Problem::kRanking};
  return {
      {"bayes", "learned Gaussian prior over a linear head, solved in closed form, trained through the solve",
       "Harrison, Sharma, Pavone. Meta-learning priors for efficient online Bayesian regression. WAFR 2018", both,
       false, describe_fields<BayesOptions>()},
      {"global-mean", "the mean of all targets", "", rating, true, describe_fields<GlobalMeanOptions>()},
      {"item-mean", "the item's mean, shrunk to the global mean", "", rating, true, describe_fields<ItemMeanOptions>()},
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
  };
}

}  // namespace

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

std::vector<std::string> default_baselines(Problem problem) {
  std::vector<std::string> names;
  for (const auto& learner : learners())
    if (learner.baseline &&
        std::find(learner.problems.begin(), learner.problems.end(), problem) != learner.problems.end())
      names.push_back(learner.name);
  return names;
}

}  // namespace fewshop
