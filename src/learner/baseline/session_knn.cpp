#include <algorithm>
#include <cmath>
#include <numeric>

#include "learner/baseline/baselines.h"
#include "learner/baseline/interactions.h"
#include "learner/baseline/options.h"
#include "runtime/session_knn_member.h"

namespace fewshop {

namespace {

/// Positions in input.tasks, from the task whose last row is oldest to the newest; the order of tasks where there is no
/// time.
std::vector<int64_t> oldest_first(const FitInput& input) {
  std::vector<Micros> last(input.tasks.size(), 0);
  for (size_t t = 0; t < input.tasks.size(); ++t)
    for (int32_t row : input.tasks[t].rows) last[t] = std::max(last[t], input.data.time[row]);
  std::vector<int64_t> order(input.tasks.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return last[a] < last[b]; });
  return order;
}

/// Sessions and idf, which no constant changes.
SessionKnnMember::Parts sessions(const FitInput& input) {
  const auto items = static_cast<size_t>(input.data.items());
  SessionKnnMember::Parts parts;
  parts.session_begin.push_back(0);
  std::vector<int32_t> count(items, 0), counted_in(items, -1);
  for (int64_t t : oldest_first(input)) {
    const auto session = static_cast<int32_t>(parts.session_begin.size()) - 1;
    int32_t position = -1, group = -1;
    for (int32_t row : input.tasks[t].rows) {
      const int32_t item = input.data.item[row];
      if (item < 0 || input.is_hidden(item) || !(input.data.target[row] * input.data.weight[row] > 0)) continue;
      if (position < 0 || input.data.group[row] != group) ++position;
      group = input.data.group[row];
      parts.session_item.push_back(item);
      parts.session_position.push_back(position);
      if (counted_in[item] != session) ++count[item];
      counted_in[item] = session;
    }
    if (position >= 0) parts.session_begin.push_back(static_cast<int64_t>(parts.session_item.size()));
  }
  const auto total = static_cast<double>(parts.session_begin.size()) - 1;
  parts.prior = tie_break(count);
  parts.idf.assign(items, 0.0f);
  for (size_t i = 0; i < items; ++i)
    if (count[i] > 0) parts.idf[i] = static_cast<float>(std::log((total + 1) / count[i]));
  return parts;
}

/// The newest `sample` sessions of every item.
void index_sessions(SessionKnnMember::Parts& parts, int sample) {
  const size_t items = parts.idf.size();
  std::vector<std::vector<int32_t>> found(items);
  for (auto session = static_cast<int32_t>(parts.session_begin.size()) - 2; session >= 0; --session) {
    for (int64_t e = parts.session_begin[session]; e < parts.session_begin[session + 1]; ++e) {
      auto& list = found[parts.session_item[e]];
      if (static_cast<int>(list.size()) < sample && (list.empty() || list.back() != session)) list.push_back(session);
    }
  }
  parts.index_begin.assign(1, 0);
  for (const auto& list : found) {
    parts.index_session.insert(parts.index_session.end(), list.begin(), list.end());
    parts.index_begin.push_back(static_cast<int64_t>(parts.index_session.size()));
  }
}

class SessionKnn final : public Baseline {
 public:
  std::string_view name() const override { return "session-knn"; }
  bool fits(Problem problem) const override { return problem == Problem::kRanking; }

  std::vector<nlohmann::json> grid(const FitInput&) const override {
    // The first two follow the order of rows; the last one is for tasks whose order says nothing.
    return {{{"recency_decay", 0.5}},
            {{"recency_decay", 0.1}},
            {{"recency_decay", 0}, {"before", 1}, {"distance_decay", 0}}};
  }

  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    const SessionKnnMember::Parts common = sessions(input);
    std::vector<std::unique_ptr<Member>> members;
    for (const auto& entry : constants) {
      const auto options = read_constants<SessionKnnOptions>(entry, "session-knn");
      SessionKnnMember::Parts parts = common;
      index_sessions(parts, options.sample);
      parts.neighbours = options.neighbours;
      parts.recency_decay = static_cast<float>(options.recency_decay);
      parts.before = static_cast<float>(options.before);
      parts.distance_decay = static_cast<float>(options.distance_decay);
      members.push_back(std::make_unique<SessionKnnMember>(std::move(parts)));
    }
    return members;
  }
};

}  // namespace

const Baseline& session_knn_baseline() {
  static const SessionKnn baseline;
  return baseline;
}

}  // namespace fewshop
