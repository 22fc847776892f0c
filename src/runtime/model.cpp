#include "runtime/model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "core/error.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

constexpr int kFewItems = 700;  // no more than these are all ranked
constexpr int kMostDepth = 1'000'000;
constexpr const char* kDepthKey = "candidate_depth";
constexpr float kHalfWidth95 = 1.959964F;

}  // namespace

Model::Model(Parts parts) : p_(std::move(parts)) {
  const size_t items = p_.item_ids.size(), width = p_.stack.members.size() + 1;
  require(p_.item_counts.size() == items, "model: item_counts has ", p_.item_counts.size(), " entries, expected ",
          items);
  require(!p_.members.empty(), "model: no members");
  if (!p_.learner.empty()) learner_ = member_index(p_.learner);
  for (const int m : p_.stack.members)
    require(m >= 0 && m < static_cast<int>(p_.members.size()), "model: the stack names member ", m);
  require(p_.stack.empty() || p_.stack.coefficient.size() == kItemCells * width * Stack::kBasis,
          "model: stack coefficients have the wrong size");
  require(p_.stack.log_variance.empty() || p_.stack.log_variance.size() == kItemCells * Stack::kBasis,
          "model: stack variances have the wrong size");
  const Gate& gate = p_.gate;
  require(gate.baseline.size() == gate.sizes.size() && gate.open.size() == gate.sizes.size() * kItemCells &&
              std::is_sorted(gate.sizes.begin(), gate.sizes.end()),
          "model: gate arrays have the wrong size");
  for (const int b : gate.baseline)
    require(b >= 0 && b < static_cast<int>(p_.members.size()), "model: the gate names member ", b);
  for (const auto& name : p_.baselines) member_index(name);
  for (size_t i = 0; i < items; ++i) item_index_.emplace(p_.item_ids[i], static_cast<int32_t>(i));

  needed_.assign(p_.members.size(), 0);
  for (const int m : p_.stack.members) needed_[m] = 1;
  if (p_.stack.empty() && learner_ >= 0) needed_[learner_] = 1;
  for (const int b : gate.baseline) needed_[b] = 1;

  if (const auto depth = p_.manifest.find(kDepthKey); depth != p_.manifest.end()) {
    require(depth->is_number_integer() && *depth >= 1 && *depth <= kMostDepth, "model: ", kDepthKey, " is ",
            depth->dump(), ", expected 1 to ", kMostDepth);
    depth_ = *depth;
  }

  const int64_t searched = learner_ < 0 ? -1 : p_.members[learner_]->searched_items();
  require(searched < 0 || searched == static_cast<int64_t>(items), "model: ", p_.learner, " knows ", searched,
          " items, expected ", items);
  for (size_t m = 0; m < p_.stack.members.size(); ++m) {
    if (p_.stack.members[m] == learner_ && searched >= 0) mix_own_ = static_cast<int>(m);
    if (mix_fixed_ < 0 && items > 0 && p_.members[p_.stack.members[m]]->fixed_score(0))
      mix_fixed_ = static_cast<int>(m);
  }
  for (size_t i = 0; i < items; ++i) put_mix(static_cast<int32_t>(i));

  popular_.resize(items);
  std::iota(popular_.begin(), popular_.end(), 0);
  std::stable_sort(popular_.begin(), popular_.end(),
                   [&](int32_t a, int32_t b) { return p_.item_counts[a] > p_.item_counts[b]; });
}

/// The row of an item, the last one so far, in what a search mixes.
void Model::put_mix(int32_t item) {
  static_assert(ItemMix::kCells >= kItemCells);
  if (mix_own_ < 0) return;
  const size_t room = (static_cast<size_t>(item) + 8) / 8 * 8;
  mix_cells_.resize(room, 0);
  mix_column_.resize(room, 0.0F);
  mix_cells_[item] = static_cast<uint8_t>(cell_of(item));
  if (mix_fixed_ < 0) return;
  mix_column_[item] = p_.members[p_.stack.members[mix_fixed_]]->fixed_score(item).value_or(0);
  mix_largest_ = std::max(mix_largest_, std::abs(mix_column_[item]));
}

int Model::member_index(const std::string& name) const {
  for (size_t m = 0; m < p_.members.size(); ++m)
    if (p_.members[m]->name() == name) return static_cast<int>(m);
  throw InvalidInput("model: no member is called " + name);
}

int32_t Model::find_item(const std::string& id) const {
  const auto found = item_index_.find(id);
  return found == item_index_.end() ? -1 : found->second;
}

int32_t Model::add_item(const std::string& id, std::span<const ColumnView> features) {
  require(find_item(id) < 0, "add_item: ", id, " is known already");
  for (const auto& member : p_.members) member->add_item(features);
  const auto index = static_cast<int32_t>(p_.item_ids.size());
  p_.item_ids.push_back(id);
  p_.item_counts.push_back(0);
  item_index_.emplace(id, index);
  popular_.push_back(index);
  put_mix(index);
  return index;
}

void Model::change_item(int32_t item, std::span<const ColumnView> before, std::span<const ColumnView> after) {
  require(item >= 0 && item < std::ssize(p_.item_ids), "change_item: no item ", item);
  for (const auto& member : p_.members) member->change_item(item, before, after);
}

std::string Model::method_name(int method) const {
  if (method == kServed) return "served";
  if (method == kAdapted) return "adapted";
  return std::string(p_.members.at(method - kFirstMember)->name());
}

std::vector<int> Model::baseline_methods() const {
  std::vector<int> methods;
  for (const auto& name : p_.baselines) methods.push_back(kFirstMember + member_index(name));
  return methods;
}

std::unique_ptr<ModelSession> Model::session() const {
  auto session = std::make_unique<ModelSession>();
  for (const auto& member : p_.members) session->workspaces.push_back(member->workspace());
  session->adapted.assign(p_.members.size(), 0);
  session->weights.resize(kItemCells * (p_.stack.members.size() + 1));
  session->variance_factor.assign(kItemCells, 1);
  return session;
}

int Model::groups_of(std::span<const SupportRow> support) {
  int groups = 0;
  for (size_t s = 0; s < support.size(); ++s) groups += s == 0 || support[s].group != support[s - 1].group;
  return groups;
}

void Model::adapt(const TaskView& task, ModelSession& session) const {
  session.task = task;
  session.sought = -1;
  session.support = groups_of(task.support);
  std::fill(session.adapted.begin(), session.adapted.end(), 0);
  if (p_.stack.empty()) return;
  const size_t width = p_.stack.members.size() + 1;
  for (int cell = 0; cell < kItemCells; ++cell) {
    p_.stack.weights(session.support, cell, std::span(session.weights).subspan(cell * width, width));
    session.variance_factor[cell] = p_.stack.variance(session.support, cell);
  }
}

void Model::adapt_served(const TaskView& task, ModelSession& session) const {
  adapt(task, session);
  for (size_t m = 0; m < p_.members.size(); ++m) {
    if (!needed_[m]) continue;
    p_.members[m]->adapt(task, *session.workspaces[m]);
    session.adapted[m] = 1;
  }
}

void Model::member_scores(ModelSession& session, int member, std::span<const int32_t> items, std::span<float> score,
                          std::span<float> variance) const {
  if (!session.adapted[member]) {  // members are adapted when first asked
    p_.members[member]->adapt(session.task, *session.workspaces[member]);
    session.adapted[member] = 1;
  }
  p_.members[member]->score(*session.workspaces[member], items, score, variance);
}

std::array<bool, kItemCells> Model::served_cells(const ModelSession& session) const {
  std::array<bool, kItemCells> cells{};
  if (p_.stack.empty() && learner_ < 0) return cells;
  for (int cell = 0; cell < kItemCells; ++cell) cells[cell] = p_.gate.adapted(session.support, cell);
  return cells;
}

bool Model::served_adapted(const ModelSession& session, int32_t item) const {
  return served_cells(session)[cell_of(item)];
}

int Model::served_baseline(const ModelSession& session) const {
  if (!p_.gate.sizes.empty()) return kFirstMember + p_.gate.baseline[p_.gate.entry(session.support)];
  return p_.best_baseline.empty() ? kFirstMember : kFirstMember + member_index(p_.best_baseline);
}

void Model::score(ModelSession& session, int method, std::span<const int32_t> items, std::span<float> score,
                  std::span<float> variance) const {
  const size_t n = items.size();
  if (method == kServed) {
    // The decision is per item for predictions; both answers are worked out only where both are served.
    const auto open = served_cells(session);
    const bool alike = std::count(open.begin(), open.end(), open[0]) == kItemCells;
    const size_t adapted = alike
                               ? (open[0] ? n : 0)
                               : std::count_if(items.begin(), items.end(), [&](int32_t i) { return open[cell_of(i)]; });
    if (adapted == n) return this->score(session, kAdapted, items, score, variance);
    this->score(session, served_baseline(session), items, score, variance);
    if (adapted == 0) return;
    for (size_t i = 0; i < n; ++i)
      if (open[cell_of(items[i])])
        this->score(session, kAdapted, items.subspan(i, 1), score.subspan(i, 1),
                    variance.empty() ? variance : variance.subspan(i, 1));
    return;
  }
  if (method >= kFirstMember) {
    member_scores(session, method - kFirstMember, items, score, variance);
  } else if (p_.stack.empty()) {
    require(learner_ >= 0, "model: it has baselines only, nothing adapts");
    member_scores(session, learner_, items, score, variance);
  } else {
    const size_t members = p_.stack.members.size(), width = members + 1;
    session.buffer.resize(n * members);
    session.buffer_variance.resize(n);
    std::fill(session.buffer_variance.begin(), session.buffer_variance.end(), 1.0F);
    for (size_t m = 0; m < members; ++m) {
      const bool states_variance = !variance.empty() && p_.stack.members[m] == learner_;
      member_scores(session, p_.stack.members[m], items, std::span(session.buffer).subspan(m * n, n),
                    states_variance ? std::span(session.buffer_variance).first(n) : std::span<float>());
    }
    for (size_t i = 0; i < n; ++i) {
      const int cell = cell_of(items[i]);
      const double* w = session.weights.data() + cell * width;
      double sum = w[members];
      for (size_t m = 0; m < members; ++m) sum += w[m] * session.buffer[m * n + i];
      score[i] = static_cast<float>(sum);
      if (variance.empty()) continue;
      double factor = session.variance_factor[cell];
      if (ranking() && learner_ >= 0)  // the score is the weighted head score: so is its deviation
        for (size_t m = 0; m < members; ++m)
          if (p_.stack.members[m] == learner_) factor = w[m] * w[m];
      variance[i] = static_cast<float>(factor * session.buffer_variance[i]);
    }
  }
  if (!ranking())
    for (auto& s : score.first(n)) s = std::clamp(s, p_.target_low, p_.target_high);
}

void Model::score_all(ModelSession& session, int method, std::span<float> out) const {
  if (method == kServed) method = served_adapted(session, -1) ? kAdapted : served_baseline(session);
  if (method >= kFirstMember || p_.stack.empty()) {
    const int member = method >= kFirstMember ? method - kFirstMember : learner_;
    member_scores(session, member, {}, {}, {});
    p_.members[member]->score_all(*session.workspaces[member], out);
    return;
  }
  const size_t items = p_.item_ids.size();
  session.buffer.resize(p_.members.size() * items);
  for (const int m : p_.stack.members) {
    member_scores(session, m, {}, {}, {});
    p_.members[m]->score_all(*session.workspaces[m], std::span(session.buffer).subspan(m * items, items));
  }
  adapted_of_members(session, session.buffer, out);
}

void Model::score_all_members(ModelSession& session, std::span<float> out) const {
  const size_t items = p_.item_ids.size();
  for (size_t m = 0; m < p_.members.size(); ++m) {
    member_scores(session, static_cast<int>(m), {}, {}, {});
    p_.members[m]->score_all(*session.workspaces[m], out.subspan(m * items, items));
  }
}

void Model::adapted_of_members(const ModelSession& session, std::span<const float> scores, std::span<float> out) const {
  const size_t members = p_.stack.members.size(), width = members + 1, items = p_.item_ids.size();
  if (p_.stack.empty()) {
    require(learner_ >= 0, "model: it has baselines only, nothing adapts");
    std::copy_n(scores.begin() + static_cast<int64_t>(learner_ * items), items, out.begin());
    return;
  }
  for (size_t i = 0; i < items; ++i) {
    const double* w = session.weights.data() + item_cell(p_.item_counts[i]) * width;
    double sum = w[members];
    for (size_t m = 0; m < members; ++m) sum += w[m] * scores[p_.stack.members[m] * items + i];
    out[i] = static_cast<float>(sum);
  }
}

double Model::explain(ModelSession& session, int method, int32_t item, std::span<double> contribution) const {
  if (method == kServed) method = served_adapted(session, item) ? kAdapted : served_baseline(session);
  if (method >= kFirstMember || p_.stack.empty()) {
    const int member = method >= kFirstMember ? method - kFirstMember : learner_;
    member_scores(session, member, {}, {}, {});
    return p_.members[member]->explain(*session.workspaces[member], item, contribution);
  }
  const size_t members = p_.stack.members.size(), width = members + 1;
  const double* w = session.weights.data() + cell_of(item) * width;
  double prior = w[members];
  std::fill(contribution.begin(), contribution.end(), 0.0);
  session.terms.resize(contribution.size());
  for (size_t m = 0; m < members; ++m) {
    const int member = p_.stack.members[m];
    float rounded = 0;  // what the mix was made of
    member_scores(session, member, {&item, 1}, {&rounded, 1}, {});
    double score = p_.members[member]->explain(*session.workspaces[member], item, session.terms);
    double own = score;
    for (size_t s = 0; s < contribution.size(); ++s) {
      contribution[s] += w[m] * session.terms[s];
      score += session.terms[s];
    }
    // Members of both signs would blow up what rounding took away: it counts as prior.
    own += rounded - score;
    prior += w[m] * own;
  }
  return prior;
}

std::pair<float, float> Model::interval(float score, float variance) {
  const float half = kHalfWidth95 * std::sqrt(std::max(0.0F, variance));
  return {score - half, score + half};
}

bool Model::seeks_candidates(const ItemSet& excluded) const {
  const auto items = std::ssize(p_.item_ids);
  return ranking() && items - excluded.count(items) > kFewItems;
}

void Model::set_candidate_depth(int depth) {
  require(depth >= 1 && depth <= kMostDepth, "model: ", kDepthKey, " is ", depth, ", expected 1 to ", kMostDepth);
  depth_ = depth;
  p_.manifest[kDepthKey] = depth;
}

int Model::depth_for(int n) const {
  const int64_t in_proportion = (int64_t{depth_} * std::max(n, kMeasuredList) + kMeasuredList - 1) / kMeasuredList;
  return std::max(n, static_cast<int>(std::min<int64_t>(in_proportion, std::max(depth_, kDefaultDepth))));
}

bool Model::mix_of(std::span<const double> weights, ItemMix& mix) const {
  if (mix_own_ < 0) return false;
  mix.cells = mix_cells_.data();
  mix.column = mix_column_.data();
  mix.largest = mix_largest_;
  const size_t members = p_.stack.members.size();
  bool usable = true;
  for (int cell = 0; cell < kItemCells; ++cell) {
    const double* w = weights.data() + cell * (members + 1);
    mix.own[cell] = static_cast<float>(w[mix_own_]);
    mix.with[cell] = mix_fixed_ < 0 ? 0 : static_cast<float>(w[mix_fixed_]);
    mix.plus[cell] = static_cast<float>(w[members]);
    usable = usable && mix.own[cell] >= 0;
  }
  return usable;
}

bool Model::mix_at(int support, ItemMix& mix) const {
  const size_t width = p_.stack.members.size() + 1;
  std::vector<double> weights(kItemCells * width);
  for (int cell = 0; cell < kItemCells; ++cell)
    p_.stack.weights(support, cell, std::span(weights).subspan(cell * width, width));
  return mix_of(weights, mix);
}

/// What a member is asked for, of a session that it has adapted.
Member::Sought Model::sought_of(ModelSession& session, int member, int depth, const ItemSet& excluded) const {
  const bool mixed = member == learner_ && mix_of(session.weights, session.mix);
  return {session.workspaces[member].get(), depth, &excluded, mixed ? &session.mix : nullptr, session.left_out};
}

void Model::seek(std::span<const ListSought> lists) const {
  std::vector<Member::Sought> sought;
  for (size_t m = 0; m < p_.members.size(); ++m) {
    if (!needed_[m]) continue;
    const auto member = static_cast<int>(m);
    sought.clear();
    for (const auto& [session, n, excluded] : lists) {
      if (!served_adapted(*session, -1) || !seeks_candidates(*excluded)) continue;
      member_scores(*session, member, {}, {}, {});
      session->sought = depth_for(n);
      sought.push_back(sought_of(*session, member, session->sought, *excluded));
    }
    p_.members[m]->seek(sought);
  }
}

void Model::candidates(ModelSession& session, int n, int depth, const ItemSet& excluded,
                       std::vector<int32_t>& out) const {
  out.clear();
  const auto items = std::ssize(p_.item_ids);
  if (!seeks_candidates(excluded)) {
    excluded.each_absent(items, [&](int32_t item) { out.push_back(item); });
    return;
  }
  for (size_t m = 0; m < p_.members.size(); ++m) {
    if (!needed_[m]) continue;
    const auto member = static_cast<int>(m);
    member_scores(session, member, {}, {}, {});
    if (member == learner_ && session.sought != depth) {
      const Member::Sought sought = sought_of(session, member, depth, excluded);
      p_.members[m]->seek({&sought, 1});
    }
    p_.members[m]->candidates(*session.workspaces[m], depth, excluded, out);
  }
  session.sought = -1;
  append_first(popular_, int64_t{depth} * 2 / 5 + n, excluded, out);
  auto& seen = session.seen;
  seen.clear();
  seen.reserve(items);
  std::erase_if(out, [&](int32_t item) {
    if (seen.contains(item)) return true;
    seen.set(item, true);
    return false;
  });
}

void Model::recommend(ModelSession& session, int n, const ItemSet& excluded, std::vector<Scored>& out) const {
  auto& candidates = session.candidates;
  if (ranking() && served_adapted(session, -1)) {
    this->candidates(session, n, excluded, candidates);
  } else {
    candidates.clear();
    excluded.each_absent(std::ssize(p_.item_ids), [&](int32_t item) { candidates.push_back(item); });
  }
  session.scores.resize(candidates.size());
  score(session, kServed, candidates, session.scores, {});
  auto& found = session.found;
  found.resize(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) found[i] = {candidates[i], session.scores[i], 0, 0};
  const size_t keep = std::min<size_t>(n, found.size());
  std::partial_sort(
      found.begin(), found.begin() + static_cast<int64_t>(keep), found.end(),
      [](const Scored& a, const Scored& b) { return a.score > b.score || (a.score == b.score && a.item < b.item); });
  out.assign(found.begin(), found.begin() + static_cast<int64_t>(keep));
  // A variance costs far more than a score: only what is returned gets one.
  candidates.resize(keep);
  for (size_t i = 0; i < keep; ++i) candidates[i] = out[i].item;
  session.variances.resize(keep);
  score(session, kServed, candidates, std::span(session.scores).first(keep), session.variances);
  for (size_t i = 0; i < keep; ++i) std::tie(out[i].low, out[i].high) = interval(out[i].score, session.variances[i]);
}

}  // namespace fewshop
