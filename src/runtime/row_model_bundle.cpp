#include "bundle/bundle.h"
#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/gate_json.h"
#include "runtime/item_features_file.h"
#include "runtime/row_members.h"
#include "runtime/row_model.h"

namespace fewshop {
namespace {

using nlohmann::json;

std::string member_path(const std::string& name) { return "members/" + name + ".safetensors"; }

const std::string& file(const Bundle& bundle, const std::string& name) {
  const auto found = bundle.files.find(name);
  require(found != bundle.files.end(), "bundle: ", name, " is missing");
  return found->second;
}

}  // namespace

void RowModel::save(const std::string& folder, const json& report, const json& run) const {
  BundleFiles files;
  json facts = json::object();
  for (const auto& member : p_.members) {
    TensorFile tensors;
    member->save(tensors);
    const std::string name(member->name());
    files[member_path(name)] = tensors.serialize();
    if (json of_member = member->facts(); !of_member.is_null()) facts[name] = std::move(of_member);
  }
  TensorFile weights;
  weights.put_strings("item_ids", p_.item_ids);
  weights.put_strings("kinds", p_.kinds);
  weights.put("item_counts", p_.item_counts);
  put_item_features(weights, p_.item_features);
  weights.put("mix.members", std::vector<int32_t>(p_.mix.members.begin(), p_.mix.members.end()));
  weights.put("mix.coefficient", p_.mix.coefficient);
  files["weights.safetensors"] = weights.serialize();
  files["encoders.json"] = encoders_to_json(p_.encoders).dump(1) + "\n";
  files["gate.json"] = gate_to_json(p_.gate, p_.names).dump(1) + "\n";
  files["report.json"] = report.dump(1) + "\n";
  json manifest = p_.manifest;
  manifest["scenario"] = scenario_to_json(p_.scenario);
  manifest["members"] = p_.names;
  if (!facts.empty()) manifest["member_facts"] = facts;
  manifest["baselines"] = p_.baselines;
  manifest["learner"] = p_.learner;
  manifest["best_baseline"] = p_.best_baseline;
  write_bundle(folder, manifest, files, run);
}

std::shared_ptr<RowModel> RowModel::load(const std::string& folder, const RowMemberLoader& other) {
  return from_bundle(read_bundle(folder), folder, other);
}

std::shared_ptr<RowModel> RowModel::from_bundle(const Bundle& bundle, const std::string& folder,
                                                const RowMemberLoader& other) {
  try {
    Parts parts;
    parts.manifest = bundle.manifest;
    parts.scenario = scenario_from_json(bundle.manifest.at("scenario"));
    parts.encoders = encoders_from_json(json::parse(file(bundle, "encoders.json")));
    parts.baselines = bundle.manifest.at("baselines").get<std::vector<std::string>>();
    parts.learner = bundle.manifest.at("learner").get<std::string>();
    parts.best_baseline = bundle.manifest.at("best_baseline").get<std::string>();
    parts.names = bundle.manifest.at("members").get<std::vector<std::string>>();
    for (const auto& name : parts.names)
      parts.members.push_back(
          load_row_member(TensorFile::parse(file(bundle, member_path(name)), folder + "/" + member_path(name)), other));
    const TensorFile weights = TensorFile::parse(file(bundle, "weights.safetensors"), folder + "/weights.safetensors");
    parts.item_ids = weights.get_strings("item_ids");
    parts.kinds = weights.get_strings("kinds");
    parts.item_counts = weights.get<int32_t>("item_counts");
    parts.item_features = get_item_features(weights, parts.encoders.items, static_cast<int64_t>(parts.item_ids.size()));
    const auto members = weights.get<int32_t>("mix.members");
    parts.mix.members.assign(members.begin(), members.end());
    parts.mix.coefficient = weights.get<float>("mix.coefficient");
    parts.gate = gate_from_json(json::parse(file(bundle, "gate.json")), parts.names);
    return std::make_shared<RowModel>(std::move(parts));
  } catch (const json::exception& e) {
    throw InvalidInput(folder + ": the bundle is damaged or of another version: " + e.what());
  } catch (const InvalidInput& e) {
    throw InvalidInput(folder + ": " + e.what());
  }
}

}  // namespace fewshop
