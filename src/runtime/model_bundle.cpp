#include "bundle/bundle.h"
#include "bundle/tensor_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "runtime/gate_json.h"
#include "runtime/item_features_file.h"
#include "runtime/members.h"
#include "runtime/model.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

using nlohmann::json;

std::string member_path(const std::string& name) { return "members/" + name + ".safetensors"; }

const std::string& file(const Bundle& bundle, const std::string& name) {
  const auto found = bundle.files.find(name);
  require(found != bundle.files.end(), "bundle: ", name, " is missing");
  return found->second;
}

constexpr const char* kTrainedOn = "trained-on.safetensors";

TensorFile trained_on_to_file(const TrainedOn& trained) {
  TensorFile file;
  file.put("extent", std::vector<int64_t>{trained.events_through, trained.latest, trained.rows});
  file.put("train", trained.train);
  file.put("valid", trained.valid);
  return file;
}

TrainedOn trained_on_from_file(const TensorFile& file) {
  const auto extent = file.get<int64_t>("extent");
  require(extent.size() == 3, kTrainedOn, ": extent has ", extent.size(), " entries, expected 3");
  return {extent[0], extent[1], extent[2], file.get<int64_t>("train"), file.get<int64_t>("valid")};
}

}  // namespace

int64_t TrainedOn::hash_of(const std::string& split, const std::string& task) {
  return static_cast<int64_t>(Fingerprint().add(split).add(task).value());
}

void Model::save(const std::string& folder, const json& report, const json& run) const {
  BundleFiles files;
  std::vector<std::string> names;
  for (const auto& member : p_.members) {
    TensorFile tensors;
    member->save(tensors);
    names.emplace_back(member->name());
    files[member_path(names.back())] = tensors.serialize();
  }
  TensorFile weights;
  weights.put_strings("item_ids", p_.item_ids);
  weights.put_strings("kinds", p_.kinds);
  weights.put("item_counts", p_.item_counts);
  if (p_.item_features) put_item_features(weights, *p_.item_features);
  weights.put("target_range", std::vector<float>{p_.target_low, p_.target_high});
  weights.put("stack.members", std::vector<int32_t>(p_.stack.members.begin(), p_.stack.members.end()));
  weights.put("stack.coefficient", p_.stack.coefficient);
  weights.put("stack.log_variance", p_.stack.log_variance);
  files["weights.safetensors"] = weights.serialize();
  files["encoders.json"] = encoders_to_json(p_.encoders).dump(1) + "\n";
  files["gate.json"] = gate_to_json(p_.gate, names).dump(1) + "\n";
  if (p_.trained_on) files[kTrainedOn] = trained_on_to_file(*p_.trained_on).serialize();
  files["report.json"] = report.dump(1) + "\n";
  json manifest = p_.manifest;
  manifest["scenario"] = scenario_to_json(p_.scenario);
  manifest["members"] = names;
  json facts = json::object();
  for (const auto& member : p_.members)
    if (json of_member = member->facts(); !of_member.is_null())
      facts[std::string(member->name())] = std::move(of_member);
  if (!facts.empty()) manifest["member_facts"] = facts;
  manifest["baselines"] = p_.baselines;
  manifest["learner"] = p_.learner;
  manifest["best_baseline"] = p_.best_baseline;
  write_bundle(folder, manifest, files, run);
}

std::shared_ptr<Model> Model::load(const std::string& folder) { return from_bundle(read_bundle(folder), folder); }

std::shared_ptr<Model> Model::from_bundle(const Bundle& bundle, const std::string& folder) {
  try {
    return std::make_shared<Model>(read_parts(bundle, folder));
  } catch (const InvalidInput& e) {
    const std::string message = e.what();
    if (message.starts_with(folder)) throw;
    throw InvalidInput(folder + ": " + message);
  }
}

Model::Parts Model::read_parts(const std::string& folder) { return read_parts(read_bundle(folder), folder); }

Model::Parts Model::read_parts(const Bundle& bundle, const std::string& folder) {
  try {
    Parts parts;
    parts.manifest = bundle.manifest;
    parts.scenario = scenario_from_json(bundle.manifest.at("scenario"));
    require(!is_row_problem(parts.scenario.problem), "a ", problem_name(parts.scenario.problem),
            " model predicts rows; expected a model that rates or ranks items");
    parts.encoders = encoders_from_json(json::parse(file(bundle, "encoders.json")));
    parts.baselines = bundle.manifest.at("baselines").get<std::vector<std::string>>();
    parts.learner = bundle.manifest.at("learner").get<std::string>();
    parts.best_baseline = bundle.manifest.at("best_baseline").get<std::string>();
    const auto names = bundle.manifest.at("members").get<std::vector<std::string>>();
    for (const auto& name : names)
      parts.members.push_back(
          load_member(TensorFile::parse(file(bundle, member_path(name)), folder + "/" + member_path(name))));
    const TensorFile weights = TensorFile::parse(file(bundle, "weights.safetensors"), folder + "/weights.safetensors");
    parts.item_ids = weights.get_strings("item_ids");
    parts.kinds = weights.get_strings("kinds");
    parts.item_counts = weights.get<int32_t>("item_counts");
    if (has_item_features(weights))
      parts.item_features =
          get_item_features(weights, parts.encoders.items, static_cast<int64_t>(parts.item_ids.size()));
    const auto range = weights.get<float>("target_range");
    require(range.size() == 2, "target_range has ", range.size(), " entries, expected 2");
    parts.target_low = range[0];
    parts.target_high = range[1];
    const auto members = weights.get<int32_t>("stack.members");
    parts.stack.members.assign(members.begin(), members.end());
    parts.stack.coefficient = weights.get<float>("stack.coefficient");
    parts.stack.log_variance = weights.get<float>("stack.log_variance");
    parts.gate = gate_from_json(json::parse(file(bundle, "gate.json")), names);
    if (bundle.files.count(kTrainedOn) > 0)
      parts.trained_on =
          trained_on_from_file(TensorFile::parse(bundle.files.at(kTrainedOn), folder + "/" + kTrainedOn));
    return parts;
  } catch (const json::exception& e) {
    throw InvalidInput(folder + ": the bundle is damaged or of another version: " + e.what());
  } catch (const InvalidInput& e) {
    throw InvalidInput(folder + ": " + e.what());
  }
}

}  // namespace fewshop
