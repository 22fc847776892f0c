#include "online/version_quality.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace fewshop {

using nlohmann::json;

Quality version_quality(const std::string& folder) {
  Quality quality;
  std::ifstream file(folder + "/report.json");
  const json report = json::parse(file, nullptr, false);
  const auto splits = report.is_object() ? report.find("splits") : report.end();
  if (splits == report.end() || !splits->is_object()) return quality;
  for (const auto& split : splits->items()) {
    const json metrics = split.value().is_object() ? split.value().value("metrics", json::object()) : json::object();
    for (const auto& metric : metrics.items())
      if (metric.value().is_object() && metric.value().contains("value") && metric.value().at("value").is_number())
        quality[split.key()][metric.key()] = metric.value().at("value").get<double>();
  }
  return quality;
}

}  // namespace fewshop
