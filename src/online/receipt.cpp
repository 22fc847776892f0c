#include "online/receipt.h"

#include <algorithm>

#include "learner/recount.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// What a member of a bundle keeps of the people it was trained with, by its name.
std::string kept_by(const std::string& member) {
  if (member == "bayes") return "item vectors and the prior, fitted to everybody's rows";
  if (member == "als") return "item factors, fitted to everybody's rows";
  if (member == "ease") return "item weights, fitted to everybody's rows";
  if (member == "popularity") return "counts of rows by item, not reduced";
  if (member == "item-knn") return "counts of items had together, not reduced";
  if (member == "session-knn") return "sequences of items, without the ids of users, not removed";
  if (is_counted(member)) return "means over everybody's rows, not reduced";
  return "parameters, fitted to everybody's rows";
}

}  // namespace

json version_of_receipt(const std::string& scenario, const std::string& version, bool live,
                        const std::vector<std::string>& members, const std::string& counts, bool recounted) {
  json counted = json::array(), holds = json::object();
  for (const auto& member : members)
    if (recounted && is_counted(member))
      counted.push_back(member);
    else
      holds[member] = kept_by(member);
  holds["stack, gate, encoders"] = "weights, scales and lists of values, fitted to everybody's rows";
  return {{"scenario", scenario},
          {"version", version},
          {"live", live},
          {"counts", counts},
          {"counted", counted},
          {"may_hold", holds},
          {"until", "a version that was trained later goes live and this one is deleted"}};
}

std::optional<Micros> in_effect_of(const json& entry) {
  // A guest's entry stands beside its user's. Versions that had no "in_effect" wrote only "time".
  if (entry.contains("in_effect")) return entry["in_effect"].get<Micros>();
  if (entry.contains("receipt") || entry.value("guest", false)) return entry.value("time", Micros{0});
  return std::nullopt;
}

bool waits_for(const json& receipt, const std::string& what) {
  const json list = receipt.value("waits_for", json::array());
  return std::find(list.begin(), list.end(), what) != list.end();
}

void settle(json& receipt, const std::string& what, bool waits) {
  json list = json::array();
  for (const auto& one : receipt.value("waits_for", json::array()))
    if (one != what) list.push_back(one);
  if (waits) list.push_back(what);
  receipt["pending"] = !list.empty();
  receipt["waits_for"] = std::move(list);
}

}  // namespace fewshop
