// An index for the search of a live model, built beside its answers.
#include <algorithm>
#include <numeric>

#include "core/random.h"
#include "online/live_model.h"
#include "runtime/bayes_member.h"

namespace fewshop {
namespace {

constexpr int64_t kQueries = 384;  // that an index is chosen and measured by
constexpr int kDrawnRows = 20;     // most rows of a task that is drawn
constexpr uint64_t kSeed = 20261;  // the same items and users give the same index

/// Supports of items drawn by how often training saw them.
class Drawn {
 public:
  explicit Drawn(const std::vector<int32_t>& counts) : sums_(counts.size()) {
    double sum = 0;
    for (size_t i = 0; i < counts.size(); ++i) sums_[i] = sum += counts[i] + 1e-3;
  }
  std::vector<SupportRow> support(Random& random) const {
    std::vector<SupportRow> rows(1 + random.below(kDrawnRows));
    for (SupportRow& row : rows) {
      const auto at = std::upper_bound(sums_.begin(), sums_.end(), random.uniform() * sums_.back());
      row = {.item = static_cast<int32_t>(std::min<int64_t>(at - sums_.begin(), std::ssize(sums_) - 1)), .target = 1};
    }
    return rows;
  }

 private:
  std::vector<double> sums_;
};

}  // namespace

bool LiveModel::wants_index(int64_t from) const {
  {
    const std::lock_guard lock(report_mutex_);
    if (report_ && !report_->used) return false;
  }
  const std::shared_lock lock(mutex_);
  if (!vectors_ || !ranking() || vectors_->items() < from) return false;
  return !vectors_->search().index() || vectors_->search().needs_index();
}

std::optional<CellIndex::Report> LiveModel::index_report() const {
  const std::lock_guard lock(report_mutex_);
  return report_;
}

/// The heads [kQueries, d] of the users, then of tasks that are drawn.
std::vector<float> LiveModel::index_queries(std::span<const std::vector<LiveRow>> users, Micros now) const {
  const BayesMember& vectors = *vectors_;
  const auto workspace = vectors.workspace();
  std::vector<float> queries;
  Random random(kSeed);
  const auto add = [&](std::span<const SupportRow> support) {
    vectors.adapt({support, {}}, *workspace);
    const auto head = vectors.head(*workspace);
    queries.insert(queries.end(), head.begin(), head.end());
  };
  const Access access(*this);
  std::vector<ArrivedRow> arrived;
  int64_t count = 0;
  for (const auto& rows : users) {
    if (count == kQueries) break;
    access.support(rows, now, arrived);
    if (arrived.empty()) continue;
    std::vector<SupportRow> support;
    for (const ArrivedRow& row : arrived) support.push_back(row.row);
    add(support);
    ++count;
  }
  const Drawn drawn(model_->item_counts());
  for (; count < kQueries; ++count) add(drawn.support(random));
  // What chooses and what measures is not parted by who came first.
  const size_t d = vectors.arrays().head;
  for (int64_t i = kQueries; i > 1; --i) {
    const auto j = static_cast<int64_t>(random.below(i));
    std::swap_ranges(queries.begin() + (i - 1) * d, queries.begin() + i * d, queries.begin() + j * d);
  }
  return queries;
}

void LiveModel::build_index(std::span<const std::vector<LiveRow>> users, Micros now,
                            const std::function<bool()>& stopped) {
  BayesMember& vectors = *vectors_;
  const std::vector<float> queries = index_queries(users, now);
  {
    const std::unique_lock lock(mutex_);
    vectors.search().begin_index();
  }
  CodeRows codes;
  {
    const std::shared_lock lock(mutex_);
    codes = vectors.search().codes().copy();
  }
  CellIndex::Options options;
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> hits;
  const auto exact = [&](std::span<const float> query, std::vector<int32_t>& best) {
    {
      const std::shared_lock lock(mutex_);
      vectors.search().exact_top(query.data(), options.wanted, {}, buffers, hits);
    }
    best.clear();
    for (const auto& hit : hits) best.push_back(hit.item);
  };
  CellIndex::Report report;
  auto index = CellIndex::build(codes, queries, exact, options, Random(kSeed), stopped, report);
  if (stopped()) return;
  {
    const std::unique_lock lock(mutex_);
    vectors.search().install(std::move(index));
  }
  const std::lock_guard lock(report_mutex_);
  report_ = report;
}

}  // namespace fewshop
