#pragma once

#include <string>
#include <vector>

#include "learner/row_batches.h"

namespace fewshop::testing {

/// A learner with a closed-form head and a family of targets it takes.
struct HeadCase {
  std::string learner;
  Family family = Family::kGaussian;
  bool shared_classes = true;
};

constexpr int64_t kHeadClasses = 3;

inline std::vector<HeadCase> head_cases() {
  std::vector<HeadCase> all;
  for (const char* learner : {"ridge", "bayes"})
    for (const Family family : {Family::kGaussian, Family::kBernoulli, Family::kCategorical, Family::kOrdinal,
                                Family::kPoisson, Family::kNegativeBinomial})
      all.push_back({learner, family});
  all.push_back({"protonet", Family::kBernoulli});
  all.push_back({"protonet", Family::kCategorical});
  for (const char* learner : {"protonet", "ridge", "bayes"}) all.push_back({learner, Family::kCategorical, false});
  return all;
}

/// "bayes_negative_binomial", "ridge_categorical_own_classes"
inline std::string head_case_name(const ::testing::TestParamInfo<HeadCase>& info) {
  std::string name = info.param.learner + "_" + std::string(family_name(info.param.family)) +
                     (info.param.shared_classes ? "" : "_own_classes");
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

/// The learner with all its parameters moved away from where they began.
inline std::unique_ptr<learning::EpisodicModel> make_head(const HeadCase& c, const learning::EpisodicProblem& problem,
                                                          const nlohmann::json& encoder, uint64_t seed) {
  nlohmann::json options = nlohmann::json::object();
  if (!c.shared_classes) options["shared_classes"] = false;
  auto model = learning::make_episodic(c.learner, options, encoder, problem, Random(seed));
  shake(*model, 0.3, seed + 1);
  return model;
}

}  // namespace fewshop::testing
