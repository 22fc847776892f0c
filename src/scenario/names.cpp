#include "scenario/names.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace fewshop {
namespace {

constexpr std::pair<Problem, const char*> kProblems[] = {
    {Problem::kRating, "rating"},         {Problem::kRanking, "ranking"},       {Problem::kBinary, "binary"},
    {Problem::kMulticlass, "multiclass"}, {Problem::kRegression, "regression"}, {Problem::kCount, "count"},
    {Problem::kOrdinal, "ordinal"},
};

constexpr std::pair<FeatureType, const char*> kFeatureTypes[] = {
    {FeatureType::kId, "id"},
    {FeatureType::kNumber, "number"},
    {FeatureType::kLogNumber, "log-number"},
    {FeatureType::kCategory, "category"},
    {FeatureType::kCategories, "categories"},
    {FeatureType::kText, "text"},
    {FeatureType::kTime, "time"},
    {FeatureType::kVector, "vector"},
    {FeatureType::kSequence, "sequence"},
};

}  // namespace

const char* problem_name(Problem problem) {
  for (const auto& [known, name] : kProblems)
    if (known == problem) return name;
  return "";
}

std::optional<Problem> problem_from_name(std::string_view name) {
  for (const auto& [problem, known] : kProblems)
    if (known == name) return problem;
  return std::nullopt;
}

std::string problem_names() {
  std::string names;
  for (const auto& [problem, name] : kProblems) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

const char* feature_type_name(FeatureType type) {
  for (const auto& [known, name] : kFeatureTypes)
    if (known == type) return name;
  return "";
}

std::optional<FeatureType> feature_type_from_name(std::string_view name) {
  for (const auto& [type, known] : kFeatureTypes)
    if (known == name) return type;
  return std::nullopt;
}

std::string feature_type_names() {
  std::string names;
  for (const auto& [type, name] : kFeatureTypes) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

std::string Shot::label() const { return share > 0 ? fmt::format("{:.6g}%", share * 100) : std::to_string(count); }

std::optional<Shot> parse_shot(const nlohmann::json& value) {
  if (value.is_number_integer()) {
    const auto count = value.get<int64_t>();
    if (count < 0 || count > 1'000'000'000) return std::nullopt;
    return Shot{static_cast<int>(count), 0};
  }
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
  if (error != std::errc() || std::string_view(end, text.data() + text.size()) != "%") return std::nullopt;
  if (!(percent > 0 && percent < 100)) return std::nullopt;
  return Shot{0, percent / 100};
}

}  // namespace fewshop
