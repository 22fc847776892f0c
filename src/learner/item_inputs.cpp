#include "learner/item_inputs.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"

namespace fewshop::learning {
namespace {

constexpr double kShrinkage = 5;  // rows of the mean that an item's own rows are mixed with

/// Shrunk mean residual of every item; for ranks the log of its share of rows against an even one.
std::vector<float> item_offsets(const FitInput& input, bool ranking, float& mean) {
  const Dataset& data = input.data;
  std::vector<double> sum(data.items(), 0), count(data.items(), 0);
  double total = 0, rows = 0;
  for (const auto& task : input.tasks)
    for (const int32_t r : task.rows) {
      if (input.is_hidden(data.item[r])) continue;
      const double weight = data.weight[r];
      total += weight * data.target[r];
      rows += weight;
      sum[data.item[r]] += weight * data.target[r];
      count[data.item[r]] += weight;
    }
  require(rows > 0,
          "no training rows are left: some items are hidden in training, to learn about new ones, and the data has ",
          data.items(), " of them; more are needed");
  mean = ranking ? static_cast<float>(-std::log(rows / static_cast<double>(data.items()) + 1))
                 : static_cast<float>(total / rows);
  std::vector<float> offset(data.items());
  for (int64_t i = 0; i < data.items(); ++i)
    offset[i] = ranking ? mean + static_cast<float>(std::log(count[i] + 1))
                        : mean + static_cast<float>((sum[i] - count[i] * (total / rows)) / (count[i] + kShrinkage));
  return offset;
}

}  // namespace

Columns empty_columns(const std::vector<nn::Field>& fields) {
  Columns columns;
  for (const auto& field : fields) {
    Column column;
    column.name = field.name;
    column.width = static_cast<int32_t>(field.width);
    column.vocabulary = static_cast<int32_t>(field.vocabulary);
    columns.columns.push_back(column);
  }
  return columns;
}

Task ServedDescription::task() const {
  Task task;
  task.description = at::zeros({1}, at::kLong);
  task.known = at::full({1}, -1, at::kLong);
  task.descriptions = rows.table;
  return task;
}

ServedDescription served_description(const std::vector<nn::Field>& fields, std::span<const ColumnView> description) {
  if (fields.empty()) return {};
  ServedDescription served;
  served.columns = std::make_shared<EntityColumns>(empty_columns(fields));
  served.columns->append(description);
  served.rows = {std::make_shared<nn::InputTable>(nn::InputTable{fields, &served.columns->columns()}),
                 at::zeros({1}, at::kLong)};
  return served;
}

ItemInputs::ItemInputs(Parts parts) : p_(std::move(parts)) {
  if (!p_.items->columns().columns.empty())
    table_ = std::make_shared<nn::InputTable>(nn::input_table(p_.items->columns(), p_.sequences));
  for (size_t i = 0; i < p_.known.size(); ++i)
    if (p_.known[i]) seen_.push_back(static_cast<int32_t>(i));
}

ItemInputs ItemInputs::fitted(const FitInput& input, const EpisodicOptions& options) {
  const Dataset& data = input.data;
  const bool ranking = input.scenario.problem == Problem::kRanking;
  require(options.start == "bias" || options.start == "mean" || options.start == "als",
          "learner.start: expected bias, mean or als, got ", options.start);
  Parts parts;
  parts.items = std::make_shared<EntityColumns>(data.item_features);
  parts.sequences = sequence_columns(input.scenario);
  parts.description = nn::input_table(data.task_features, parts.sequences).fields;
  parts.identity = options.identity;
  parts.known.assign(data.items(), 0);
  for (const auto& task : input.tasks)
    for (const int32_t r : task.rows)
      if (!input.is_hidden(data.item[r])) parts.known[data.item[r]] = 1;
  require(parts.identity || !data.item_features.columns.empty() || !parts.description.empty(),
          "learner.identity: false leaves a network nothing to read: the scenario has no features of items or tasks");
  parts.offset = item_offsets(input, ranking, parts.unknown_offset);
  if (options.start == "mean") parts.offset.assign(data.items(), ranking ? 0 : parts.unknown_offset);
  if (options.start == "mean" && ranking) parts.unknown_offset = 0;
  return ItemInputs(std::move(parts));
}

nn::NetworkInput ItemInputs::input(const Tensor& item, const DescriptionRows& description,
                                   const std::vector<uint8_t>* hidden) const {
  nn::NetworkInput x;
  if (table_) x.parts.push_back({table_, item.masked_fill(item.ge(p_.items->columns().rows), -1)});
  if (description.table && !description.table->fields.empty())
    x.parts.push_back({description.table, description.row.unsqueeze(1).expand_as(item).contiguous()});
  if (p_.identity) {
    const Tensor items = item.contiguous();
    Tensor id = at::empty_like(items);
    const int64_t* from = items.data_ptr<int64_t>();
    int64_t* to = id.data_ptr<int64_t>();
    for (int64_t i = 0; i < id.numel(); ++i) to[i] = usable(from[i], hidden) ? from[i] : -1;
    x.identities.push_back({kIdentity, static_cast<int64_t>(p_.known.size()), id});
  }
  return x;
}

Tensor ItemInputs::offset(const Tensor& item, const std::vector<uint8_t>* hidden) const {
  const Tensor items = item.contiguous();
  Tensor out = at::empty(items.sizes(), at::kFloat);
  const int64_t* from = items.data_ptr<int64_t>();
  float* to = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) to[i] = usable(from[i], hidden) ? p_.offset[from[i]] : p_.unknown_offset;
  return out;
}

std::vector<nn::Field> ItemInputs::fields() const {
  std::vector<nn::Field> all;
  if (table_) all = table_->fields;
  all.insert(all.end(), p_.description.begin(), p_.description.end());
  if (p_.identity) all.push_back({kIdentity, nn::Field::Kind::kBag, 0, static_cast<int64_t>(p_.known.size())});
  return all;
}

void ItemInputs::add_item(std::span<const ColumnView> features) { p_.items->append(features); }

void ItemInputs::change_item(int32_t item, std::span<const ColumnView> features) { p_.items->replace(item, features); }

std::vector<std::string> sequence_columns(const Scenario& scenario) {
  std::vector<std::string> names;
  for (const auto& feature : scenario.features)
    if (feature.type == FeatureType::kSequence || feature.type == FeatureType::kText) names.push_back(feature.name);
  return names;
}

}  // namespace fewshop::learning
