// What the shelf does when somebody was forgotten: its versions are counted anew.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "bundle/bundle.h"
#include "online/model_shelf.h"
#include "online/receipt.h"

namespace fewshop {

using nlohmann::json;

namespace {

/// When the rows were read that a bundle was trained with; nothing where it does not say.
std::optional<Micros> data_read(const json& run) {
  return parse_time(run.is_object() ? run.value("data_read", "") : "");
}

}  // namespace

/// Whether the rows of a bundle were read before somebody was forgotten; one that does not say when: yes.
bool ModelShelf::read_before_forgetting(const std::string& folder) const {
  const Micros forgotten = shop_.last_forgotten();
  if (forgotten == std::numeric_limits<Micros>::min()) return false;
  const auto read = data_read(read_manifest(folder).run);
  return !read || *read <= forgotten;
}

json ModelShelf::receipt_list(const std::string& counts) const {
  json list_of = json::array();
  for (const ModelVersion& version : list()) {
    std::vector<std::string> members;
    try {
      members = read_manifest(version.folder).manifest.at("members").get<std::vector<std::string>>();
    } catch (const std::exception&) {
      // It is damaged; whatever it has is held.
    }
    list_of.push_back(version_of_receipt(version.scenario, version.version, version.live, members, counts));
  }
  return list_of;
}

Recount ModelShelf::count_anew(const std::string& name, const std::string& folder) {
  Recount counted;
  try {
    const auto read = data_read(read_manifest(folder).run);
    counted = fewshop::recount(folder, options_.database,
                               shop_.rows_forgotten_since(read.value_or(std::numeric_limits<Micros>::min())));
  } catch (const std::exception& problem) {
    counted.obstacle = problem.what();
  }
  if (!counted.obstacle.empty())
    options_.log(fmt::format("models: {}: not counted anew after somebody was forgotten: {}; train it again", name,
                             counted.obstacle));
  return counted;
}

json ModelShelf::recount(const ModelVersion& version) {
  const Recount counted = count_anew(version.scenario + " " + version.version, version.folder);
  const auto manifest = read_manifest(version.folder).manifest;
  json entry = version_of_receipt(version.scenario, version.version, version.live,
                                  manifest.at("members").get<std::vector<std::string>>(),
                                  counted.obstacle.empty() ? fmt::format("counted anew from {} rows", counted.rows)
                                                           : "as trained: " + counted.obstacle,
                                  counted.obstacle.empty());
  if (!counted.changed) return entry;
  const auto models = shop_.models();
  if (version.live && std::any_of(models.begin(), models.end(), [&](const auto& model) {
        return model->name() == version.scenario && model->version() == version.version;
      }))
    shop_.publish(version.version, version.folder);
  if (version.shadow) shop_.shadow(version.version, version.folder);
  return entry;
}

void ModelShelf::recount() {
  const std::lock_guard one(work_mutex_);
  const auto waiting = shop_.receipts_without_models();
  if (waiting.empty()) return;  // an earlier pass has done it
  json entries = json::array();
  for (const ModelVersion& version : list()) {
    {
      const std::lock_guard lock(queue_mutex_);
      if (stopping_) return;  // the next start does it
    }
    try {
      if (read_before_forgetting(version.folder)) entries.push_back(recount(version));
    } catch (const std::exception& problem) {
      options_.log(
          fmt::format("models: {} {}: cannot be counted anew: {}", version.scenario, version.version, problem.what()));
      entries.push_back(version_of_receipt(version.scenario, version.version, version.live, {},
                                           std::string("as trained: ") + problem.what()));
    }
  }
  try {
    shop_.complete_receipts(waiting, entries);
  } catch (const Error& problem) {
    options_.log(fmt::format("forgetting: receipts are not complete: {}", problem.what()));
  }
}

}  // namespace fewshop
