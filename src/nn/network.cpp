#include "nn/network.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <set>

#include "core/error.h"
#include "nn/layers.h"
#include "nn/networks.h"

namespace fewshop::nn {
namespace {

struct Maker {
  const char* name;
  std::unique_ptr<BasicNetwork> (*make)(const EncoderOptions&, std::vector<Field>, int64_t outputs);
};

constexpr Maker kMakers[] = {
    {"linear", make_linear}, {"mf", make_mf},   {"mlp", make_mlp},   {"deepfm", make_deepfm},
    {"dcn", make_dcn},       {"gru", make_gru}, {"lstm", make_lstm}, {"transformer", make_transformer},
};

void check_fields(const std::vector<Field>& fields) {
  require(!fields.empty(),
          "learner.encoder: there is nothing to read: no features, no numbers, no identities; add "
          "feature columns to the scenario");
  std::set<std::string> names;
  for (const Field& field : fields) {
    require(names.insert(field.name).second, "learner.encoder: two fields are called '", field.name, "'");
    require(field.kind == Field::Kind::kNumbers ? field.width > 0 : field.vocabulary >= 0, "learner.encoder: field '",
            field.name, "' has no size");
  }
}

}  // namespace

at::Tensor Network::head(std::span<const at::Tensor> p, const at::Tensor& features) const {
  return dense(features, p[p.size() - 2], p[p.size() - 1]);
}

at::Tensor Network::forward(std::span<const at::Tensor> p, const NetworkInput& input) const {
  return head(p, features(p, embed(p, input)));
}

std::vector<at::Tensor> initial_parameters(const Network& network, Random random, at::ScalarType type) {
  std::vector<at::Tensor> values;
  for (const ParameterInfo& info : network.parameters()) {
    at::Tensor value = at::full(info.shape, info.mean, at::kDouble);
    if (info.deviation > 0) {
      Random stream = random.fork(info.name);
      double* x = value.data_ptr<double>();
      for (int64_t i = 0; i < value.numel(); ++i) x[i] += info.deviation * stream.normal();
    }
    values.push_back(value.to(type));
  }
  return values;
}

std::unique_ptr<Network> make_network(const nlohmann::json& options, std::vector<Field> fields, int64_t outputs) {
  const EncoderOptions o = encoder_options(options);
  require(outputs > 0, "learner.encoder: expected at least one output, got ", outputs);
  check_fields(fields);
  for (const Maker& maker : kMakers) {
    if (o.name != maker.name) continue;
    auto network = maker.make(o, std::move(fields), outputs);
    if (o.init == "torch") network->start_like_torch();
    return network;
  }
  throw Failure("learner.encoder.name: nothing makes '" + o.name + "'");
}

}  // namespace fewshop::nn
