#include "runtime/family.h"

namespace fewshop {

std::string_view family_name(Family family) {
  switch (family) {
    case Family::kGaussian:
      return "gaussian";
    case Family::kScores:
      return "scores";
    case Family::kBernoulli:
      return "bernoulli";
    case Family::kCategorical:
      return "categorical";
    case Family::kOrdinal:
      return "ordinal";
    case Family::kPoisson:
      return "poisson";
    case Family::kNegativeBinomial:
      return "negative-binomial";
  }
  return "";
}

}  // namespace fewshop
