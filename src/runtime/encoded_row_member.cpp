#include "runtime/encoded_row_member.h"

#include <algorithm>

#include "runtime/member_support.h"

namespace fewshop {

struct EncodedRowMember::State final : Workspace {
  std::unique_ptr<Workspace> head;
  std::vector<float> description;                 // [P]
  std::vector<float> x, target, weight, offset;   // [S * D], [S] ...
  mutable Encoder::Scratch scratch;               // what follows is scratch of one thread
  mutable std::vector<float> own, sum, features;  // [P], [P], [D]
};

EncodedRowMember::EncodedRowMember(std::string learner, EncodedInputs inputs, std::unique_ptr<TaskHead> head,
                                   TargetScale scale, int64_t state_size)
    : learner_(std::move(learner)),
      inputs_(std::move(inputs)),
      head_(std::move(head)),
      scale_(scale),
      state_size_(state_size) {
  require(head_->feature_size() == inputs_.encoder().feature_size(), "member: the head takes ", head_->feature_size(),
          " features, the encoder gives ", inputs_.encoder().feature_size());
}

std::unique_ptr<Workspace> EncodedRowMember::workspace() const {
  auto state = std::make_unique<State>();
  state->head = head_->workspace();
  for (auto* part : {&state->description, &state->own, &state->sum}) part->resize(inputs_.encoder().part_size());
  state->features.resize(inputs_.encoder().feature_size());
  return state;
}

std::span<const float> EncodedRowMember::features(const State& state, const RowInput& row) const {
  inputs_.own_part(row.features, row.item, state.scratch, state.own);
  inputs_.finish(state.own, state.description, state.sum, state.scratch, state.features);
  return state.features;
}

void EncodedRowMember::adapt(const RowTask& task, Workspace& workspace) const {
  State& state = static_cast<State&>(workspace);
  inputs_.description_part(task.description, state.scratch, state.description);
  const size_t rows = task.support.size(), d = state.features.size();
  state.x.resize(rows * d);
  state.target.resize(rows);
  state.weight.resize(rows);
  state.offset.assign(rows, scale_.offset);
  for (size_t s = 0; s < rows; ++s) {
    const Example& row = task.support[s];
    const std::span<const float> x = features(state, row.input);
    std::copy(x.begin(), x.end(), state.x.begin() + static_cast<int64_t>(s * d));
    state.target[s] = scale_.learnt(row.target);
    state.weight[s] = row.weight;
  }
  head_->adapt({state.x, state.target, state.weight, state.offset}, task.description, *state.head);
}

void EncodedRowMember::predict(const Workspace& workspace, const RowInput& row, Predictive& out) const {
  const State& state = static_cast<const State&>(workspace);
  head_->predict(*state.head, features(state, row), scale_.offset, out);
  scale_.restore(out);
}

double EncodedRowMember::explain(const Workspace& workspace, const RowInput& row, int32_t label,
                                 std::span<double> contribution) const {
  const State& state = static_cast<const State&>(workspace);
  Predictive predicted;
  predict(workspace, row, predicted);
  const int output = predicted.family == Family::kCategorical ? label : 0;
  head_->explain(*state.head, features(state, row), scale_.offset, output, contribution);
  // The head's terms are of its link; what the predictive distribution makes of it beyond that is no single row's.
  double prior = link(predicted.family, level(predicted, label));
  for (double& term : contribution) {
    term = scale_.restore_difference(term);
    prior -= term;
  }
  return prior;
}

void EncodedRowMember::save(TensorFile& file) const {
  file.put_text("kind", "encoded");
  file.put_text("learner", learner_);
  inputs_.save(file);
  head_->save(file, "head.");
  put_one(file, "state_size", state_size_);
  file.put("scale", std::vector<double>{scale_.center, scale_.deviation, scale_.offset});
}

std::unique_ptr<RowMember> EncodedRowMember::load(const TensorFile& file) {
  const auto scale = file.get<double>("scale");
  require(scale.size() == 3 && std::isfinite(scale[0]) && scale[1] > 0 && std::isfinite(scale[1]) &&
              std::isfinite(scale[2]),
          "member: tensor scale does not hold a center, a deviation and an offset; the file is damaged");
  return std::make_unique<EncodedRowMember>(
      file.text("learner"), EncodedInputs::load(file), load_task_head(file, "head."),
      TargetScale{scale[0], scale[1], static_cast<float>(scale[2])}, get_one<int64_t>(file, "state_size"));
}

}  // namespace fewshop
