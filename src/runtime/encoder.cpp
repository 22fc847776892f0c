#include "runtime/encoder.h"

#include <algorithm>
#include <limits>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/encoder_forms.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr int32_t kMostNumbers = 1'000'000;

struct Form {
  const char* name;
  std::unique_ptr<Encoder> (*make)(Encoder::Arrays);
};

constexpr Form kForms[] = {
    {"linear", encoder::make_straight}, {"mf", encoder::make_mf},     {"mlp", encoder::make_straight},
    {"deepfm", encoder::make_deepfm},   {"dcn", encoder::make_cross},
};

json to_json(const std::vector<Encoder::Field>& fields) {
  json list = json::array();
  for (const auto& f : fields) list.push_back({{"name", f.name}, {"width", f.width}, {"vocabulary", f.vocabulary}});
  return list;
}

std::vector<Encoder::Field> fields_from_json(const json& list) {
  std::vector<Encoder::Field> fields;
  for (const auto& entry : list) fields.push_back({entry.at("name"), entry.at("width"), entry.at("vocabulary")});
  return fields;
}

}  // namespace

bool Encoder::has_form(const EncoderOptions& options) {
  return std::any_of(std::begin(kForms), std::end(kForms), [&](const Form& form) { return options.name == form.name; });
}

std::unique_ptr<Encoder> Encoder::make(Arrays arrays) {
  for (const Form& form : kForms) {
    if (arrays.options.name != form.name) continue;
    auto made = form.make(std::move(arrays));
    const auto& a = made->a_;
    made->head_weight_ = made->parameter("head.weight", static_cast<int64_t>(a.outputs) * made->feature_size_);
    made->head_bias_ = made->parameter("head.bias", a.outputs);
    require(made->used_ == a.parameters.size(), "encoder: ", a.parameters.size(), " parameters, where ", a.options.name,
            " has ", made->used_);
    return made;
  }
  throw InvalidInput("encoder: '" + arrays.options.name + "' does not run without the library that trains");
}

Encoder::Encoder(Arrays arrays) : a_(std::move(arrays)) {
  require(a_.outputs > 0 && !a_.fields.empty(), "encoder: sizes are missing");
  for (const Field& f : a_.fields)
    require(f.width >= 0 && f.width <= kMostNumbers && f.vocabulary >= 0 && (f.width == 0 || f.vocabulary == 0),
            "encoder: field ", f.name, ": sizes ", f.width, " and ", f.vocabulary, " do not fit");
}

const float* Encoder::parameter(const std::string& name, int64_t size) {
  const auto found = a_.parameters.find(name);
  require(found != a_.parameters.end(), "encoder: parameter ", name, " is missing");
  require(static_cast<int64_t>(found->second.size()) == size, "encoder: parameter ", name, " has ",
          found->second.size(), " numbers, expected ", size);
  ++used_;
  return found->second.data();
}

void Encoder::set_sizes(int64_t part, int64_t features) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() / 2;
  require(part <= kMost && features <= kMost, "encoder: sizes ", part, " and ", features, " do not fit");
  part_size_ = static_cast<int32_t>(part);
  feature_size_ = static_cast<int32_t>(features);
}

void Encoder::add(size_t field, const ColumnView& value, Scratch& scratch, std::span<float> part) const {
  require(field < a_.fields.size() && part.size() == static_cast<size_t>(part_size_), "encoder: field ", field,
          " and a part of ", part.size(), " numbers, where there are ", a_.fields.size(), " fields and ", part_size_,
          " numbers");
  const Field& f = a_.fields[field];
  require(value.dense.empty() || value.dense.size() == static_cast<size_t>(f.width), "encoder: ", f.name, ": got ",
          value.dense.size(), " numbers, expected ", f.width);
  for (const int32_t id : value.ids)
    require(id >= 0 && id < f.vocabulary, "encoder: ", f.name, ": got entry ", id, ", expected one below ",
            f.vocabulary);
  if (!value.dense.empty() || !value.ids.empty()) add_value(field, value, scratch, part);
}

void Encoder::encode(std::span<const ColumnView> row, Scratch& scratch, std::span<float> features) const {
  require(row.size() == a_.fields.size() && features.size() == static_cast<size_t>(feature_size_), "encoder: got ",
          row.size(), " fields for ", features.size(), " features, expected ", a_.fields.size(), " for ",
          feature_size_);
  scratch.part.assign(static_cast<size_t>(part_size_), 0.0F);
  for (size_t f = 0; f < row.size(); ++f) add(f, row[f], scratch, scratch.part);
  finish(scratch.part, scratch, features);
}

void Encoder::head(std::span<const float> features, std::span<float> outputs) const {
  require(features.size() == static_cast<size_t>(feature_size_) && outputs.size() == static_cast<size_t>(a_.outputs),
          "encoder: got ", features.size(), " features for ", outputs.size(), " outputs, expected ", feature_size_,
          " for ", a_.outputs);
  encoder::MutableVector y(outputs.data(), a_.outputs);
  y = encoder::Vector(head_bias_, a_.outputs);
  y.noalias() +=
      encoder::Matrix(head_weight_, a_.outputs, feature_size_) * encoder::Vector(features.data(), feature_size_);
}

void Encoder::save(TensorFile& file, const std::string& prefix) const {
  file.put_text(prefix + "options", fields_to_json(a_.options).dump());
  file.put_text(prefix + "fields", to_json(a_.fields).dump());
  file.put<int32_t>(prefix + "outputs", std::vector<int32_t>{a_.outputs});
  std::vector<std::string> names;
  for (const auto& [name, values] : a_.parameters) {
    names.push_back(name);
    file.put(prefix + name, values);
  }
  file.put_strings(prefix + "parameters", names);
}

std::unique_ptr<Encoder> Encoder::load(const TensorFile& file, const std::string& prefix) {
  Arrays a;
  try {
    a.options = encoder_options(json::parse(file.text(prefix + "options")));
    a.fields = fields_from_json(json::parse(file.text(prefix + "fields")));
  } catch (const json::exception& error) {
    throw InvalidInput(std::string("encoder: options or fields are damaged: ") + error.what());
  }
  const auto outputs = file.get<int32_t>(prefix + "outputs");
  require(outputs.size() == 1, "encoder: expected one number of outputs, got ", outputs.size());
  a.outputs = outputs[0];
  for (const auto& name : file.get_strings(prefix + "parameters")) a.parameters[name] = file.get<float>(prefix + name);
  return make(std::move(a));
}

}  // namespace fewshop
