#include "learner/baseline/als.h"

#include "learner/baseline/baselines.h"

namespace fewshop {

namespace {

class Als final : public Baseline {
 public:
  std::string_view name() const override { return "als"; }
  bool fits(Problem) const override { return true; }
  std::vector<nlohmann::json> grid(const FitInput& input) const override {
    if (input.scenario.problem == Problem::kRating)
      return {{{"factors", 8}, {"ridge", 8}},
              {{"factors", 8}, {"ridge", 8}, {"user_ridge", 2}},
              {{"factors", 8}, {"ridge", 14}},
              {{"factors", 16}, {"ridge", 8}}};
    return {{{"alpha", 10}, {"ridge", 50}}, {{"alpha", 10}, {"ridge", 200}}, {{"alpha", 3}, {"ridge", 10}}};
  }
  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    return input.scenario.problem == Problem::kRating ? fit_rating_als(input, constants)
                                                      : fit_implicit_als(input, constants);
  }
};

}  // namespace

const Baseline& als_baseline() {
  static const Als baseline;
  return baseline;
}

}  // namespace fewshop
