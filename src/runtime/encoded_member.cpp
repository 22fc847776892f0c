#include "runtime/encoded_member.h"

#include <algorithm>
#include <cmath>

#include "runtime/member_support.h"
#include "runtime/negatives.h"
#include "runtime/predictive.h"

namespace fewshop {

struct EncodedMember::State final : Workspace {
  std::unique_ptr<Workspace> head;
  std::vector<float> description;                // [P]
  std::vector<int32_t> items;                    // [S'] support, then the drawn ones
  std::vector<float> x, target, weight, offset;  // [S' * D], [S'] ...
  std::vector<double> terms;                     // [S']
  size_t support = 0;                            // S
  mutable Encoder::Scratch scratch;              // what follows is scratch of one thread
  mutable std::vector<float> sum, features;      // [P], [D]
  mutable Predictive predictive;
};

EncodedMember::EncodedMember(EncodedInputs inputs, std::unique_ptr<TaskHead> head, Parts parts)
    : inputs_(std::move(inputs)), head_(std::move(head)), p_(std::move(parts)) {
  const Encoder& encoder = inputs_.encoder();
  require(head_->feature_size() == encoder.feature_size(), "member: the head takes ", head_->feature_size(),
          " features, the encoder gives ", encoder.feature_size());
  require(static_cast<int64_t>(p_.own.size()) == items() * encoder.part_size(),
          "member: the parts of items are not of as many items as there are offsets; the file is damaged");
  for (const int32_t item : p_.drawn)
    require(item >= 0 && item < items(), "member: drawn item ", item, " is none of ", items(), "; the file is damaged");
  nothing_.assign(encoder.part_size(), 0);
  if (!inputs_.reads_description()) fill_features();
}

std::span<const float> EncodedMember::own(int32_t item) const {
  if (item < 0 || item >= items()) return nothing_;
  return std::span(p_.own).subspan(static_cast<size_t>(item) * nothing_.size(), nothing_.size());
}

void EncodedMember::fill_features() {
  const size_t d = inputs_.encoder().feature_size();
  Encoder::Scratch scratch;
  features_.resize(items() * d);
  for (int32_t i = 0; i < items(); ++i)
    inputs_.encoder().finish(own(i), scratch, std::span(features_).subspan(i * d, d));
  unknown_features_.resize(d);
  inputs_.encoder().finish(nothing_, scratch, unknown_features_);
}

std::unique_ptr<Workspace> EncodedMember::workspace() const {
  auto state = std::make_unique<State>();
  state->head = head_->workspace();
  state->description.resize(nothing_.size());
  state->sum.resize(nothing_.size());
  state->features.resize(inputs_.encoder().feature_size());
  return state;
}

std::span<const float> EncodedMember::features(const State& state, int32_t item) const {
  const size_t d = state.features.size();
  if (!inputs_.reads_description())
    return item >= 0 && item < items() ? std::span<const float>(features_).subspan(item * d, d) : unknown_features_;
  inputs_.finish(own(item), state.description, state.sum, state.scratch, state.features);
  return state.features;
}

void EncodedMember::adapt(const TaskView& task, Workspace& workspace) const {
  State& state = static_cast<State&>(workspace);
  inputs_.description_part(task.description, state.scratch, state.description);
  state.support = task.support.size();
  state.items.clear();
  for (const auto& row : task.support) state.items.push_back(row.item);
  if (p_.ranking) {
    Random random(support_seed(task.support));
    append_negatives(p_.drawn, static_cast<int64_t>(state.support) * p_.negatives, random, state.items);
  }
  const size_t rows = state.items.size(), d = state.features.size();
  state.x.resize(rows * d);
  state.target.assign(rows, 0);
  state.weight.resize(rows);
  state.offset.resize(rows);
  state.terms.resize(rows);
  for (size_t s = 0; s < rows; ++s) {
    const std::span<const float> x = features(state, state.items[s]);
    std::copy(x.begin(), x.end(), state.x.begin() + static_cast<int64_t>(s * d));
    const SupportRow& row = task.support[s % state.support];
    if (s < state.support) state.target[s] = row.target;
    state.weight[s] = row.weight;
    state.offset[s] = offset(state.items[s]);
  }
  head_->adapt({state.x, state.target, state.weight, state.offset}, task.description, *state.head);
}

void EncodedMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                          std::span<float> variance) const {
  const State& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < items.size(); ++i) {
    head_->predict(*state.head, features(state, items[i]), offset(items[i]), state.predictive);
    score[i] = static_cast<float>(state.predictive.mean);
    if (!variance.empty()) variance[i] = static_cast<float>(state.predictive.variance);
  }
}

void EncodedMember::score_all(const Workspace& workspace, std::span<float> score) const {
  for (size_t i = 0; i < score.size(); ++i) {
    const auto item = static_cast<int32_t>(i);
    this->score(workspace, {&item, 1}, score.subspan(i, 1), {});
  }
}

double EncodedMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const State& state = static_cast<const State&>(workspace);
  std::vector<double> terms(state.items.size());
  double prior = head_->explain(*state.head, features(state, item), offset(item), 0, terms);
  std::copy_n(terms.begin(), state.support, contribution.begin());
  for (size_t s = state.support; s < terms.size(); ++s) prior += terms[s];  // drawn rows are no reasons
  return prior;
}

void EncodedMember::add_item(std::span<const ColumnView> features) {
  Encoder::Scratch scratch;
  std::vector<float> part(nothing_.size());
  inputs_.own_part(features, -1, scratch, part);
  p_.own.insert(p_.own.end(), part.begin(), part.end());
  p_.offset.push_back(p_.unknown_offset);
  if (inputs_.reads_description()) return;
  const size_t d = unknown_features_.size(), before = features_.size();
  features_.resize(before + d);
  inputs_.encoder().finish(part, scratch, std::span(features_).subspan(before, d));
}

void EncodedMember::change_item(int32_t item, std::span<const ColumnView> /*before*/,
                                std::span<const ColumnView> after) {
  require(item >= 0 && item < items(), "change_item: item ", item, " is none of ", items());
  Encoder::Scratch scratch;
  const auto part = std::span(p_.own).subspan(static_cast<size_t>(item) * nothing_.size(), nothing_.size());
  inputs_.own_part(after, item, scratch, part);
  if (inputs_.reads_description()) return;
  const size_t d = unknown_features_.size();
  inputs_.encoder().finish(part, scratch, std::span(features_).subspan(item * d, d));
}

void EncodedMember::save(TensorFile& file) const {
  file.put_text("kind", "encoded");
  file.put_text("learner", p_.learner);
  inputs_.save(file);
  head_->save(file, "head.");
  file.put("own", p_.own);
  file.put("offset", p_.offset);
  file.put("drawn", p_.drawn);
  put_one(file, "unknown_offset", p_.unknown_offset);
  put_one<int32_t>(file, "ranking", p_.ranking);
  put_one<int32_t>(file, "negatives", p_.negatives);
  put_one(file, "state_size", p_.state_size);
}

std::unique_ptr<Member> EncodedMember::load(const TensorFile& file) {
  Parts parts;
  parts.learner = file.text("learner");
  parts.ranking = get_one<int32_t>(file, "ranking") != 0;
  parts.negatives = get_one<int32_t>(file, "negatives");
  require(parts.negatives >= 0, "member: negatives is below 0; the file is damaged");
  parts.state_size = get_one<int64_t>(file, "state_size");
  parts.own = file.get<float>("own");
  parts.offset = file.get<float>("offset");
  parts.drawn = file.get<int32_t>("drawn");
  parts.unknown_offset = get_one<float>(file, "unknown_offset");
  require_finite(parts.own, "member: own");
  require_finite(parts.offset, "member: offset");
  return std::make_unique<EncodedMember>(EncodedInputs::load(file), load_task_head(file, "head."), std::move(parts));
}

}  // namespace fewshop
