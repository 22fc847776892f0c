#include "evaluate/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "bundle/bundle.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/progress.h"
#include "evaluate/evaluate.h"
#include "evaluate/metric.h"
#include "evaluate/report.h"
#include "evaluate/run_model.h"
#include "learner/training.h"
#include "task/problem.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Scenario with_learner(Scenario scenario, const std::string& learner) {
  if (learner == scenario.learner) return scenario;
  scenario.learner = learner;
  scenario.learner_options = json::object();  // the options in the file are those of the file's learner
  scenario.encoder_options = json::object();
  return scenario;
}

/// One training of a comparison.
struct Training {
  Scenario scenario;
  uint64_t seed = 0;
  std::string name;  // of its folder: learner-seed-fold
};

std::vector<Training> trainings_of(const CompareRequest& request, const std::string& learner) {
  std::vector<Training> list;
  for (int s = 0; s < request.seeds; ++s) {
    Scenario scenario = with_learner(request.scenario, learner);
    if (scenario.episode.role.empty()) scenario.split.seed += static_cast<uint64_t>(s);
    int fold = 0;
    for (auto& part : fold_scenarios(scenario, request.database))
      list.push_back(
          {std::move(part), request.seed + static_cast<uint64_t>(s), fmt::format("{}-{}-{}", learner, s, fold++)});
  }
  return list;
}

/// What a kept model has to have been trained on, word for word.
std::string key_of(const Training& training, const std::string& data_fingerprint) {
  return Fingerprint()
      .add(scenario_to_json(training.scenario).dump())
      .add(training.seed)
      .add(data_fingerprint)
      .add(FEWSHOP_VERSION)
      .hex();
}

/// Models of a comparison, one folder each beside a file with its key.
class Shelf {
 public:
  Shelf(const std::string& folder, bool kept) : folder_(folder), kept_(kept) {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) throw Failure(fmt::format("{}: the folder cannot be made: {}", folder_, error.message()));
  }

  std::string model(const Training& training) const { return folder_ + "/" + training.name; }

  bool has(const Training& training, const std::string& key) const {
    std::ifstream file(model(training) + ".key");
    std::string found;
    return kept_ && file >> found && found == key && fs::exists(model(training));
  }

  void finish(const Training& training, const std::string& key) const {
    if (kept_) std::ofstream(model(training) + ".key") << key << "\n";
  }

  void drop(const Training& training) const {
    if (!kept_) fs::remove_all(model(training));
  }

 private:
  std::string folder_;
  bool kept_;
};

int64_t size_of(const std::string& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  return bytes;
}

/// Means over trainings; null where one did not tell.
class Means {
 public:
  void add(const std::string& key, const json& value) {
    auto& sum = sums_.try_emplace(key, 0.0).first->second;
    if (!value.is_number()) sum.reset();
    if (sum) *sum += value.get<double>();
    ++counts_[key];
  }

  json values() const {
    json object = json::object();
    for (const auto& [key, sum] : sums_) object[key] = sum ? json(*sum / counts_.at(key)) : json(nullptr);
    return object;
  }

 private:
  std::map<std::string, std::optional<double>> sums_;
  std::map<std::string, double> counts_;
};

/// What trainings cost, and what came out of them on meta-validation tasks.
class Costs {
 public:
  void add(const std::string& folder, const std::string& learner, const Timing& timing) {
    const Bundle bundle = read_bundle(folder);
    for (const char* key : {"train_seconds", "train_cpu_seconds", "peak_bytes"})
      cost_.add(key, bundle.run.value(key, json()));
    cost_.add("adapt_us", timing.learner_adapt_us);
    cost_.add("bundle_bytes", size_of(folder));
    const auto facts = bundle.manifest.value("member_facts", json::object()).value(learner, json::object());
    cost_.add("state_size", facts.is_object() ? facts.value("state_size", json()) : json());
    const json validation = bundle.manifest.value("valid", json::object());
    for (const auto& metric : validation.items()) validation_.add(metric.key(), metric.value());
  }

  json cost() const { return cost_.values(); }
  json validation() const { return validation_.values(); }

 private:
  Means cost_, validation_;
};

/// Parts the learner's own answers, the last method, from the others: the outcomes as if these were served.
Outcomes take_learner(Outcomes& outcomes) {
  Outcomes alone = outcomes;
  const auto each = [](Outcomes& of, const auto& change) {
    of.methods.pop_back();
    for (auto& split : of.splits) {
      for (auto& task : split.headline.tasks) change(task);
      for (auto& shot : split.shots)
        for (auto& task : shot.tasks) change(task);
    }
  };
  each(outcomes, [](TaskOutcome& task) { task.answers.pop_back(); });
  each(alone, [](TaskOutcome& task) {
    task.answers[0] = std::move(task.answers.back());
    task.answers.pop_back();
    std::fill(task.adapted.begin(), task.adapted.end(), uint8_t{1});
  });
  return alone;
}

/// metrics and paired differences of one point of a report.
json figures(const json& point) { return {{"metrics", point.at("metrics")}, {"paired", point.at("paired")}}; }

json alone_of(const Outcomes& alone_served, const BootstrapOptions& options) {
  const json full = report(alone_served, options);
  json alone = json::object();
  for (const auto& split : full.at("splits").items()) {
    json entry = figures(split.value());
    entry["shots"] = json::array();
    for (const auto& shot : split.value().at("shots")) {
      json point = figures(shot);
      point["k"] = shot.at("k");
      entry["shots"].push_back(std::move(point));
    }
    alone[split.key()] = std::move(entry);
  }
  return alone;
}

}  // namespace

std::vector<Scenario> fold_scenarios(const Scenario& scenario, const std::string& database) {
  int folds = std::max(1, scenario.split.folds);
  if (scenario.split.folds < 0) {
    const auto units = task_units(load_problem(scenario, database).data);
    folds = units.empty() ? 1 : *std::max_element(units.begin(), units.end()) + 1;
  }
  std::vector<Scenario> list(folds, scenario);
  for (int f = 0; f < folds && scenario.split.folds != 0; ++f) list[f].split.fold = f;
  return list;
}

json compare(const CompareRequest& request) {
  require(request.seeds >= 1, "--seeds: expected a number from 1, got ", request.seeds);
  std::vector<std::string> learners = request.learners;
  if (learners.empty()) learners.push_back(request.scenario.learner);
  parse_metrics(request.scenario.metrics, request.scenario.problem);
  const std::string fingerprint = load_problem(request.scenario, request.database).data_fingerprint;
  std::optional<TemporaryFolder> temporary;
  if (request.folder.empty()) temporary.emplace();
  const Shelf shelf(temporary ? temporary->file("models") : request.folder + "/models", !temporary);
  json result{{"scenario", request.scenario.name}, {"seeds", request.seeds}, {"learners", json::object()}};
  for (size_t l = 0; l < learners.size(); ++l) {
    std::vector<Outcomes> runs;
    Costs costs;
    const auto trainings = trainings_of(request, learners[l]);
    for (const auto& training : trainings) {
      const std::string model = shelf.model(training), key = key_of(training, fingerprint);
      const auto place = fmt::format("{} ({} of {}): training {} of {}", learners[l], l + 1, learners.size(),
                                     runs.size() + 1, trainings.size());
      if (shelf.has(training, key)) {
        say(place + " is there already");
      } else {
        say(place);
        training_library().train({training.scenario, request.database, model, training.seed, request.threads, false});
        shelf.finish(training, key);
      }
      runs.push_back(evaluate_bundle(model, request.database, {.threads = request.threads, .alone = true}).outcomes);
      costs.add(model, learners[l], runs.back().timing);
      shelf.drop(training);
    }
    Outcomes pooled = pool(std::move(runs));
    const Outcomes by_itself = take_learner(pooled);
    const BootstrapOptions options{.threads = request.threads};
    json& entry = result["learners"][learners[l]] = report(pooled, options);
    entry["alone"] = alone_of(by_itself, options);
    entry["cost"] = costs.cost();
    entry["validation"] = costs.validation();
  }
  return result;
}

}  // namespace fewshop
