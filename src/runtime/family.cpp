#include "runtime/family.h"

#include <utility>

namespace fewshop {
namespace {

constexpr std::pair<Family, std::string_view> kFamilies[] = {
    {Family::kGaussian, "gaussian"},
    {Family::kScores, "scores"},
    {Family::kBernoulli, "bernoulli"},
    {Family::kCategorical, "categorical"},
    {Family::kOrdinal, "ordinal"},
    {Family::kPoisson, "poisson"},
    {Family::kNegativeBinomial, "negative-binomial"},
};

}  // namespace

std::string_view family_name(Family family) {
  for (const auto& [known, name] : kFamilies)
    if (known == family) return name;
  return "";
}

std::optional<Family> family_from_name(std::string_view name) {
  for (const auto& [family, known] : kFamilies)
    if (known == name) return family;
  return std::nullopt;
}

}  // namespace fewshop
