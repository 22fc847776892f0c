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
// The best so many are looked for, by which the index is measured: what lists of forty ask the learner for. Twice as
// many may be asked for (ItemSearch::uses_index).
constexpr int kListsOfTen = 4, kFewestWanted = 100;
// Most lists are of ten items: those read fewer cells, where no more is left out than what people have seen.
constexpr int kSomeLeftOut = 2;

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
      row.group = static_cast<int32_t>(&row - rows.data());
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

/// What an index is chosen and measured by: heads of the users, then of tasks that are drawn.
struct LiveModel::IndexQueries {
  std::vector<float> heads;    // [kQueries, d]
  std::vector<ItemMix> mixes;  // [kQueries] by which each ranks; empty where the model's search ranks by the head alone
};

LiveModel::IndexQueries LiveModel::index_queries(std::span<const std::vector<LiveRow>> users, Micros now) const {
  const BayesMember& vectors = *vectors_;
  const auto workspace = vectors.workspace();
  IndexQueries queries;
  Random random(kSeed);
  const Access access(*this);
  ItemMix mix;
  const bool mixed = model_->mix_at(1, mix);
  const auto add = [&](std::span<const SupportRow> support) {
    vectors.adapt({support, {}}, *workspace);
    const auto head = vectors.head(*workspace);
    queries.heads.insert(queries.heads.end(), head.begin(), head.end());
    if (!mixed) return;
    if (!model_->mix_at(Model::groups_of(support), mix))
      for (float& own : mix.own) own = std::max(own, 0.0F);  // such questions are not asked of an index
    queries.mixes.push_back(mix);
  };
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
    const auto head = queries.heads.begin();
    std::swap_ranges(head + (i - 1) * d, head + i * d, head + j * d);
    if (mixed) std::swap(queries.mixes[i - 1], queries.mixes[j]);
  }
  return queries;
}

void LiveModel::build_index(std::span<const std::vector<LiveRow>> users, Micros now,
                            const std::function<bool()>& stopped) {
  BayesMember& vectors = *vectors_;
  IndexQueries queries = index_queries(users, now);
  {
    const std::unique_lock lock(mutex_);
    vectors.search().begin_index();
  }
  CodeRows codes;
  std::vector<uint8_t> cells;
  std::vector<float> column;
  ItemMix typical;
  CellIndex::Options options;
  {
    const std::shared_lock lock(mutex_);
    codes = vectors.search().codes().copy();
    if (!queries.mixes.empty()) {
      // Of the first query: its mix is as good as any other as to what is like what.
      typical = queries.mixes.front();
      ItemMix present;
      model_->mix_at(1, present);
      cells.assign(present.cells, present.cells + codes.rows());
      column.assign(present.column, present.column + codes.rows());
    }
  }
  if (!queries.mixes.empty()) {
    typical.cells = cells.data();
    typical.column = column.data();
    options.mix = &typical;
    options.few = kSomeLeftOut * model_->candidate_depth();  // what lists of ten ask the learner for
    options.wanted = std::clamp(kListsOfTen * model_->candidate_depth(), kFewestWanted, options.wanted);
  }
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> hits;
  const auto exact = [&](std::span<const float> query, std::vector<int32_t>& best) {
    {
      const std::shared_lock lock(mutex_);
      ItemMix present, *mix = nullptr;
      if (options.mix) {
        mix = &queries.mixes[(query.data() - queries.heads.data()) / query.size()];
        model_->mix_at(1, present);  // arrays grow when items come
        mix->cells = present.cells;
        mix->column = present.column;
        mix->largest = present.largest;
      }
      vectors.search().exact_top(query.data(), options.wanted, {}, buffers, hits, mix);
    }
    best.clear();
    for (const auto& hit : hits) best.push_back(hit.item);
  };
  CellIndex::Report report;
  auto index = CellIndex::build(codes, queries.heads, exact, options, Random(kSeed), stopped, report);
  if (stopped()) return;
  {
    const std::unique_lock lock(mutex_);
    vectors.search().install(std::move(index));
  }
  const std::lock_guard lock(report_mutex_);
  report_ = report;
}

}  // namespace fewshop
