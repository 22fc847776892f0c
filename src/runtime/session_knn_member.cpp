#include "runtime/session_knn_member.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "runtime/dense_sums.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

constexpr int32_t kAhead = 12;  // what is asked for in time: entries of the index, items to be scored

}  // namespace

struct SessionKnnMember::State final : Workspace {
  State(size_t items, size_t sessions) : sums(items), last_row(items, -1), similarity(sessions, 0.0) {}

  /// Whether an item may have a last row: nearly all that have none are told by bits that lie near.
  bool may_be_asked(int32_t item) const { return marks[item >> 6 & (kMarks - 1)] >> (item & 63) & 1; }
  void mark(int32_t item) { marks[item >> 6 & (kMarks - 1)] |= uint64_t{1} << (item & 63); }

  struct Nearest {
    double similarity;
    int32_t session, anchor;
  };

  std::span<const SupportRow> support;
  std::vector<double> weight;                              // [support rows] w_s
  DenseSums sums;                                          // without prior and idf
  mutable std::vector<std::pair<float, int32_t>> scratch;  // of candidates; a workspace is one thread's own
  std::vector<int32_t> last_row;  // [items] last support row of an item, or -1; reset by the next adapt
  std::vector<int32_t> asked;     // items of the support that have one
  static constexpr int kMarks = 64;
  std::array<uint64_t, kMarks> marks{};  // of the items asked, by their last 12 bits
  std::vector<double> similarity;        // [sessions]; 0 between calls
  std::vector<int32_t> found;            // sessions with a similarity
  std::vector<Nearest> nearest;
};

SessionKnnMember::SessionKnnMember(Parts parts) : parts_(std::move(parts)) {
  const auto items = static_cast<int64_t>(parts_.prior.size());
  require(parts_.idf.size() == parts_.prior.size() && static_cast<int64_t>(parts_.index_begin.size()) == items + 1 &&
              parts_.session_item.size() == parts_.session_position.size(),
          "session-knn: sizes disagree; the file is damaged");
  require_sparse_rows(parts_.session_begin, parts_.session_item, items, "session-knn");
  const int64_t sessions = static_cast<int64_t>(parts_.session_begin.size()) - 1;
  require_sparse_rows(parts_.index_begin, parts_.index_session, sessions, "session-knn");
  for (int64_t item = 0; item < items; ++item)
    for (int64_t e = parts_.index_begin[item] + 1; e < parts_.index_begin[item + 1]; ++e)
      require(parts_.index_session[e] < parts_.index_session[e - 1],
              "session-knn: index is out of order; the file is damaged");
  for (int32_t position : parts_.session_position)
    require(position >= 0, "session-knn: a position is negative; the file is damaged");
  require_finite(parts_.prior, "session-knn");
  require_finite(parts_.idf, "session-knn");
  const std::array scalars{parts_.recency_decay, parts_.before, parts_.distance_decay};
  require_finite(scalars, "session-knn");
  require(parts_.neighbours > 0 && parts_.recency_decay >= 0 && parts_.before >= 0 && parts_.distance_decay >= 0,
          "session-knn: a constant is negative; the file is damaged");

  for (size_t place = 0; place < near_.size(); ++place)
    near_[place] = nearness(static_cast<int32_t>(place) - static_cast<int32_t>(kTabled));
  inverse_root_length_.resize(sessions);
  first_.assign(parts_.session_item.size(), 0);
  std::vector<int32_t> seen_in(items, -1);
  for (int64_t n = 0; n < sessions; ++n) {
    const int64_t length = parts_.session_begin[n + 1] - parts_.session_begin[n];
    inverse_root_length_[n] = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(length, 1)));
    for (int64_t e = parts_.session_begin[n]; e < parts_.session_begin[n + 1]; ++e) {
      int32_t& seen = seen_in[parts_.session_item[e]];
      first_[e] = seen != static_cast<int32_t>(n);
      seen = static_cast<int32_t>(n);
    }
  }
}

std::unique_ptr<Workspace> SessionKnnMember::workspace() const {
  return std::make_unique<State>(parts_.prior.size(), inverse_root_length_.size());
}

double SessionKnnMember::nearness(int32_t step) const {
  const int32_t steps = std::abs(step);
  return (step < 0 ? parts_.before : 1.0) / (1 + parts_.distance_decay * std::max(0, steps - 1));
}

void SessionKnnMember::weigh_support(State& state) const {
  const auto& support = state.support;
  state.weight.assign(support.size(), 0.0);
  int groups_after = 0;
  for (size_t s = support.size(); s-- > 0;) {
    if (s + 1 < support.size() && support[s].group != support[s + 1].group) ++groups_after;
    if (!knows(support[s].item) || !(evidence(support[s]) > 0) || state.last_row[support[s].item] >= 0) continue;
    state.last_row[support[s].item] = static_cast<int32_t>(s);
    state.asked.push_back(support[s].item);
    state.mark(support[s].item);
    state.weight[s] = evidence(support[s]) * std::exp(-static_cast<double>(parts_.recency_decay) * groups_after) *
                      parts_.idf[support[s].item];
  }
}

int32_t SessionKnnMember::anchor(const State& state, int32_t session) const {
  int32_t latest = -1, position = 0;
  for (int64_t e = parts_.session_begin[session]; e < parts_.session_begin[session + 1]; ++e) {
    if (!state.may_be_asked(parts_.session_item[e])) continue;
    const int32_t row = state.last_row[parts_.session_item[e]];
    if (row >= 0 && row >= latest) {
      latest = row;
      position = parts_.session_position[e];
    }
  }
  return position;
}

void SessionKnnMember::find_sessions(State& state) const {
  for (size_t s = 0; s < state.support.size(); ++s) {
    if (!(state.weight[s] > 0)) continue;
    const int32_t item = state.support[s].item;
    const int64_t end = parts_.index_begin[item + 1];
    for (int64_t e = parts_.index_begin[item]; e < end; ++e) {
      if (e + kAhead < end) __builtin_prefetch(&state.similarity[parts_.index_session[e + kAhead]], 1);
      const int32_t session = parts_.index_session[e];
      if (state.similarity[session] == 0) state.found.push_back(session);
      state.similarity[session] += state.weight[s];
    }
  }
  for (int32_t session : state.found)
    state.nearest.push_back({state.similarity[session] * inverse_root_length_[session], session, 0});
  // Newer sessions win ties: a larger number is a later session.
  const auto nearer = [](const State::Nearest& a, const State::Nearest& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.session > b.session;
  };
  if (state.nearest.size() > static_cast<size_t>(parts_.neighbours)) {
    std::nth_element(state.nearest.begin(), state.nearest.begin() + parts_.neighbours, state.nearest.end(), nearer);
    state.nearest.resize(parts_.neighbours);
  }
  // One order of summation, whatever the selection left behind.
  std::sort(state.nearest.begin(), state.nearest.end(), nearer);
  for (int32_t session : state.found) state.similarity[session] = 0;
  state.found.clear();
}

/// Sessions lie all over memory: where one begins, its rows, and the sums of its items are asked for in time. A
/// function that does nothing else is thought to do nothing, and calls of it are left out, unless it is inlined.
[[gnu::always_inline]] inline void SessionKnnMember::fetch_ahead(const State& state, size_t i) const {
  const auto session_at = [&](size_t place) { return state.nearest[place].session; };
  const size_t count = state.nearest.size();
  if (i + 12 < count) __builtin_prefetch(&parts_.session_begin[session_at(i + 12)]);
  if (i + 6 < count) {
    const int64_t begin = parts_.session_begin[session_at(i + 6)];
    for (int64_t row = begin; row < begin + 32; row += 16) {  // longer ones are followed by the processor itself
      __builtin_prefetch(parts_.session_item.data() + row);
      __builtin_prefetch(parts_.session_position.data() + row);
    }
  }
  if (i + 2 < count)
    for (int64_t e = parts_.session_begin[session_at(i + 2)]; e < parts_.session_begin[session_at(i + 2) + 1]; ++e)
      state.sums.fetch(parts_.session_item[e]);
}

void SessionKnnMember::adapt(const TaskView& task, Workspace& workspace) const {
  auto& state = static_cast<State&>(workspace);
  for (const int32_t item : state.asked) state.last_row[item] = -1;
  state.asked.clear();
  state.marks.fill(0);
  state.sums.clear();
  state.nearest.clear();
  state.support = task.support;
  weigh_support(state);
  find_sessions(state);
  for (size_t i = 0; i < state.nearest.size(); ++i) {
    fetch_ahead(state, i);
    auto& entry = state.nearest[i];
    entry.anchor = anchor(state, entry.session);
    const double similarity = entry.similarity;
    const int64_t end = parts_.session_begin[entry.session + 1];
    for (int64_t e = parts_.session_begin[entry.session]; e < end; ++e)
      state.sums.add(parts_.session_item[e], similarity * near(parts_.session_position[e] - entry.anchor));
  }
}

/// Asks for what score_of reads.
[[gnu::always_inline]] inline void SessionKnnMember::fetch(const State& state, int32_t item) const {
  __builtin_prefetch(&parts_.prior[item]);
  __builtin_prefetch(&parts_.idf[item]);
  state.sums.fetch(item);
}

float SessionKnnMember::score_of(const State& state, int32_t item) const {
  return knows(item) ? static_cast<float>(parts_.prior[item] + parts_.idf[item] * state.sums.of(item)) : 0.0f;
}

void SessionKnnMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                             std::span<float> variance) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i + kAhead < items.size() && knows(items[i + kAhead])) fetch(state, items[i + kAhead]);
    score[i] = score_of(state, items[i]);
  }
  std::fill(variance.begin(), variance.end(), 0.0f);
}

void SessionKnnMember::score_all(const Workspace& workspace, std::span<float> score) const {
  const auto& state = static_cast<const State&>(workspace);
  const size_t known = std::min(score.size(), parts_.prior.size());
  std::copy_n(parts_.prior.begin(), known, score.begin());
  std::fill(score.begin() + static_cast<std::ptrdiff_t>(known), score.end(), 0.0F);
  for (const int32_t item : state.sums.items())
    if (static_cast<size_t>(item) < known) score[item] = score_of(state, item);
}

double SessionKnnMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const auto& state = static_cast<const State&>(workspace);
  std::fill(contribution.begin(), contribution.end(), 0.0);
  if (!knows(item)) return 0;
  for (const auto& entry : state.nearest) {
    const int64_t begin = parts_.session_begin[entry.session], end = parts_.session_begin[entry.session + 1];
    double votes = 0;
    for (int64_t e = begin; e < end; ++e)
      if (parts_.session_item[e] == item) votes += near(parts_.session_position[e] - entry.anchor);
    if (votes == 0) continue;
    votes *= parts_.idf[item] * inverse_root_length_[entry.session];
    // The rows that made the session similar; only those whose index entry led here count.
    for (int64_t e = begin; e < end; ++e) {
      const int32_t row = state.last_row[parts_.session_item[e]];
      if (first_[e] && row >= 0 && indexed(parts_.session_item[e], entry.session))
        contribution[row] += votes * state.weight[row];
    }
  }
  return parts_.prior[item];
}

void SessionKnnMember::candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                                  std::vector<int32_t>& items) const {
  const auto& state = static_cast<const State&>(workspace);
  const auto found = state.sums.items();
  const auto voted = [&](size_t i) {
    if (i + kAhead < found.size()) fetch(state, found[i + kAhead]);
    return score_of(state, found[i]);
  };
  append_best(found, n, excluded, voted, state.scratch, items);
}

void SessionKnnMember::save(TensorFile& file) const {
  file.put_text("kind", "session-knn");
  put_one(file, "neighbours", parts_.neighbours);
  put_one(file, "recency_decay", parts_.recency_decay);
  put_one(file, "before", parts_.before);
  put_one(file, "distance_decay", parts_.distance_decay);
  file.put("prior", parts_.prior);
  file.put("idf", parts_.idf);
  file.put("session.begin", parts_.session_begin);
  file.put("session.item", parts_.session_item);
  file.put("session.position", parts_.session_position);
  file.put("index.begin", parts_.index_begin);
  file.put("index.session", parts_.index_session);
}

std::unique_ptr<Member> SessionKnnMember::load(const TensorFile& file) {
  Parts parts;
  parts.neighbours = get_one<int32_t>(file, "neighbours");
  parts.recency_decay = get_one<float>(file, "recency_decay");
  parts.before = get_one<float>(file, "before");
  parts.distance_decay = get_one<float>(file, "distance_decay");
  parts.prior = file.get<float>("prior");
  parts.idf = file.get<float>("idf");
  parts.session_begin = file.get<int64_t>("session.begin");
  parts.session_item = file.get<int32_t>("session.item");
  parts.session_position = file.get<int32_t>("session.position");
  parts.index_begin = file.get<int64_t>("index.begin");
  parts.index_session = file.get<int32_t>("index.session");
  return std::make_unique<SessionKnnMember>(std::move(parts));
}

}  // namespace fewshop
