#include <cmath>

#include "core/error.h"
#include "core/progress.h"
#include "learner/fit.h"

namespace fewshop {
namespace {

class BaselineLearner : public Learner {
 public:
  BaselineLearner(const Baseline& baseline, nlohmann::json fixed) : baseline_(baseline), fixed_(std::move(fixed)) {}

  std::string_view name() const override { return baseline_.name(); }

  std::unique_ptr<Member> fit(const FitInput& input, const MemberLoss& loss, nlohmann::json& chosen,
                              const Run&) const override {
    if (!loss) return std::move(baseline_.fit(input, {chosen}).at(0));
    const auto constants = open_constants(input);
    auto fitted = baseline_.fit(input, constants);
    size_t best = 0;
    double best_loss = INFINITY;
    for (size_t i = 0; i < fitted.size() && fitted.size() > 1; ++i) {
      const double value = loss(*fitted[i]);
      verbose(fmt::format("{} {}: validation {:.5f}", name(), constants[i].dump(), value));
      if (value < best_loss) {
        best_loss = value;
        best = i;
      }
    }
    chosen = constants.at(best);
    return std::move(fitted.at(best));
  }

 private:
  /// The grid with the fixed constants put in, every combination once.
  std::vector<nlohmann::json> open_constants(const FitInput& input) const {
    std::vector<nlohmann::json> constants;
    for (auto& entry : baseline_.grid(input)) {
      entry.update(fixed_);
      if (std::find(constants.begin(), constants.end(), entry) == constants.end()) constants.push_back(entry);
    }
    return constants;
  }

  const Baseline& baseline_;
  nlohmann::json fixed_;
};

}  // namespace

std::unique_ptr<Learner> make_baseline_learner(const Baseline& baseline, nlohmann::json fixed) {
  return std::make_unique<BaselineLearner>(baseline, std::move(fixed));
}

}  // namespace fewshop
