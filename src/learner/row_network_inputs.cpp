#include "learner/row_network_inputs.h"

#include <ATen/Functions.h>

#include "core/error.h"

namespace fewshop::learning {
namespace {

constexpr const char* kIdentity = "items.id";

}  // namespace

RowNetworkInputs RowNetworkInputs::fitted(const RowFitInput& input, bool identity) {
  const Dataset& data = input.data;
  const auto sequences = sequence_columns(input.scenario);
  Parts parts;
  parts.own = nn::input_table(data.row_features, sequences).fields;
  for (auto& field : nn::input_table(data.item_features, sequences).fields) parts.own.push_back(std::move(field));
  parts.description = nn::input_table(data.task_features, sequences).fields;
  parts.identity = identity && data.items() > 0;
  if (parts.identity) {
    parts.known.assign(data.items(), 0);
    for (const auto& task : input.tasks)
      for (const int32_t r : task.rows)
        if (data.item[r] >= 0) parts.known[data.item[r]] = 1;
  }
  require(!parts.own.empty() || !parts.description.empty() || parts.identity,
          "learner: the scenario has no columns that a network could read; list some in [features]");
  return RowNetworkInputs(std::move(parts));
}

std::vector<nn::Field> RowNetworkInputs::fields() const {
  std::vector<nn::Field> all = p_.own;
  all.insert(all.end(), p_.description.begin(), p_.description.end());
  if (p_.identity) all.push_back({kIdentity, nn::Field::Kind::kBag, 0, static_cast<int64_t>(p_.known.size())});
  return all;
}

nn::NetworkInput::Identity RowNetworkInputs::identity(const Tensor& item) const {
  const Tensor items = item.contiguous();
  Tensor id = at::empty_like(items);
  const int64_t* from = items.data_ptr<int64_t>();
  int64_t* to = id.data_ptr<int64_t>();
  const auto count = static_cast<int64_t>(p_.known.size());
  for (int64_t i = 0; i < id.numel(); ++i) to[i] = from[i] >= 0 && from[i] < count && p_.known[from[i]] ? from[i] : -1;
  return {kIdentity, count, id};
}

RowNetworkInputs::Served RowNetworkInputs::input(std::span<const RowInput> rows,
                                                 const DescriptionRows& description) const {
  const auto n = static_cast<int64_t>(rows.size());
  Served served{std::make_shared<EntityColumns>(empty_columns(p_.own)), {}};
  Tensor item = at::empty({1, n}, at::kLong);
  for (int64_t r = 0; r < n; ++r) {
    served.columns->append(rows[r].features);
    item.data_ptr<int64_t>()[r] = rows[r].item;
  }
  if (!p_.own.empty())
    served.x.parts.push_back({std::make_shared<nn::InputTable>(nn::InputTable{p_.own, &served.columns->columns()}),
                              at::arange(n, at::kLong).unsqueeze(0)});
  if (!p_.description.empty())
    served.x.parts.push_back({description.table, description.row.unsqueeze(1).expand_as(item).contiguous()});
  if (p_.identity) served.x.identities.push_back(identity(item));
  return served;
}

}  // namespace fewshop::learning
