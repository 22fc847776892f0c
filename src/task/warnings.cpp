#include "task/warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "scenario/names.h"

namespace fewshop {
namespace {

/// A feature that explains more of the target than this knows it already.
constexpr double kLeakShare = 0.9;
/// Entities below which nothing is said of how a feature follows them.
constexpr size_t kFewEntities = 50;

class Collector {
 public:
  explicit Collector(const LoadedProblem& problem) : p_(problem), data_(problem.data), s_(problem.scenario) {}

  std::vector<DataWarning> run() {
    check_tasks();
    check_shots();
    check_rows();
    check_targets();
    check_duplicates();
    check_times();
    check_features(data_.item_features, p_.encoders.items, Entity::kItem);
    check_features(data_.task_features, p_.encoders.tasks, Entity::kTask);
    check_features(data_.row_features, p_.encoders.rows, Entity::kRow);
    return std::move(warnings_);
  }

 private:
  /// Whose feature a column is.
  enum class Entity { kItem, kTask, kRow };

  void warn(const std::string& code, const std::string& message) { warnings_.push_back({code, message}); }

  void check_tasks() {
    const Partition& partition = p_.partition;
    const std::set<std::string> values(data_.task_ids.begin(), data_.task_ids.end());
    if (values.size() == 1)
      warn("one-task",
           fmt::format("all rows belong to one task ('{}'); learning across tasks needs many: is rows.task right?",
                       *values.begin()));
    if (partition.train.empty()) warn("no-training-tasks", "no task is left to train on; see [split]");
    if (partition.valid.empty())
      warn("no-validation-tasks",
           "no validation task: nothing can be chosen or gated on held-out tasks; see [split] and episode.rows");
    for (const auto& cell : partition.test) {
      const auto tasks = static_cast<int>(cell.tasks.size());
      if (tasks == 0)
        warn("no-test-tasks",
             fmt::format("split '{}' has no test task; see [split], episode.rows and the notes", cell.name));
      else if (tasks < kFewTestTasks)
        warn("few-test-tasks",
             fmt::format("split '{}' has {} test tasks; below {} hardly any difference can be claimed", cell.name,
                         tasks, kFewTestTasks));
    }
    int64_t single = 0;
    for (int64_t t = 0; t < data_.tasks(); ++t) single += data_.task_begin[t + 1] - data_.task_begin[t] == 1;
    if (single * 2 > data_.tasks())
      warn("single-row-tasks",
           fmt::format("{} of {} tasks have one row: they can be query, never support", single, data_.tasks()));
  }

  void check_shots() {
    for (const auto& cell : p_.partition.test)
      for (const auto& shot : s_.episode.shots) {
        const bool any = std::any_of(cell.tasks.begin(), cell.tasks.end(),
                                     [&](const auto& task) { return episode_at(data_, s_, task, shot).has_value(); });
        if (!any && !cell.tasks.empty())
          warn("empty-shot",
               fmt::format("no test task of split '{}' has enough rows for {} support", cell.name, shot.label()));
      }
  }

  void check_rows() {
    const RowCounts& c = p_.row_counts;
    const int64_t lost = c.read - data_.rows() - c.not_positive;
    if (lost * 20 > c.read)
      warn("rows-left-out",
           fmt::format("{} of {} rows are left out because something is missing; see the notes", lost, c.read));
  }

  void check_targets() {
    if (s_.problem == Problem::kRanking || data_.rows() == 0) return;
    const auto [low, high] = std::minmax_element(data_.target.begin(), data_.target.end());
    if (*low == *high)
      warn("equal-targets",
           fmt::format("every target is {}: there is nothing to predict; is rows.target right?",
                       data_.classes.empty() ? fmt::format("{}", *low) : data_.classes[static_cast<size_t>(*low)]));
  }

  void check_duplicates() {
    if (s_.item.empty()) return;  // rows differ in what they are like, which is not looked at here
    int64_t twice = 0;
    std::vector<std::tuple<int32_t, int32_t, uint8_t, float>> rows;
    for (int64_t t = 0; t < data_.tasks(); ++t) {
      rows.clear();
      // Without ties every row is its own group; then rows of one item and one time are the same event.
      for (int64_t r = data_.task_begin[t]; r < data_.task_begin[t + 1]; ++r)
        rows.emplace_back(data_.item[r], s_.episode.ties.empty() ? 0 : data_.group[r], data_.kind[r], data_.target[r]);
      if (s_.episode.ties.empty() && !s_.time.empty()) {
        std::vector<std::pair<std::tuple<int32_t, int32_t, uint8_t, float>, Micros>> timed;
        for (size_t i = 0; i < rows.size(); ++i) timed.emplace_back(rows[i], data_.time[data_.task_begin[t] + i]);
        twice += repeats(timed);
      } else {
        twice += repeats(rows);
      }
    }
    if (twice > 0)
      warn("duplicate-rows",
           fmt::format("{} rows repeat another row of the same task (item, target{}); drop them or sum them "
                       "up in SQL",
                       twice, s_.time.empty() ? "" : " and time"));
  }

  template <class Row>
  static int64_t repeats(std::vector<Row>& rows) {
    std::sort(rows.begin(), rows.end());
    return rows.end() - std::unique(rows.begin(), rows.end());
  }

  void check_times() {
    if (s_.time.empty()) return;
    if (p_.row_counts.backwards > 0)
      warn("time-backwards",
           fmt::format("{} of {} rows stand behind a later row of their task in the table; they are put in "
                       "order by {}",
                       p_.row_counts.backwards, p_.row_counts.read, s_.time));
    Micros low = std::numeric_limits<Micros>::max(), high = kNoTime;
    for (const Micros time : data_.time) {
      if (time != kNoTime) low = std::min(low, time);
      high = std::max(high, time);
    }
    // Micros of 2001 are 1e15; whole numbers around 1e9 are seconds, around 1e12 milliseconds.
    const bool epoch = low > 100'000'000 && high < 100'000'000'000'000;
    if (epoch)
      warn("time-units",
           fmt::format("{} looks like seconds or milliseconds since 1970, but is taken as microseconds: import "
                       "it as type time",
                       s_.time));
  }

  /// Value of a dense column's first number for an entity; nothing where it is missing.
  static std::optional<double> number_at(const Column& column, int64_t entity) {
    const auto dense = column.row(entity).dense;
    if (dense.back() != 0) return std::nullopt;
    return dense[0];
  }

  int32_t entity_of(int32_t row, Entity entity) const {
    return entity == Entity::kItem ? data_.item[row] : entity == Entity::kTask ? data_.task[row] : row;
  }
  size_t entities(Entity entity) const {
    return entity == Entity::kItem ? data_.items() : entity == Entity::kTask ? data_.tasks() : data_.rows();
  }

  /// Share of the variance of the training targets that one column explains.
  double explained_share(const Column& column, Entity of) const {
    std::vector<std::pair<double, double>> pairs;  // value or category, target
    for (const auto& task : p_.partition.train)
      for (const int32_t row : task.rows) {
        const int32_t entity = entity_of(row, of);
        if (column.width) {
          if (const auto value = number_at(column, entity)) pairs.emplace_back(*value, data_.target[row]);
        } else if (const auto ids = column.row(entity).ids; ids.size() == 1) {
          pairs.emplace_back(ids[0], data_.target[row]);
        }
      }
    // Most ranks have equal targets: nothing to explain, but for rounding.
    const bool differ =
        std::any_of(pairs.begin(), pairs.end(), [&](auto& pair) { return pair.second != pairs[0].second; });
    if (pairs.size() < kFewEntities || !differ) return 0;
    return column.width ? squared_correlation(pairs) : category_share(pairs);
  }

  static double squared_correlation(const std::vector<std::pair<double, double>>& pairs) {
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    const auto n = static_cast<double>(pairs.size());
    for (const auto& [a, b] : pairs) x += a, y += b;
    x /= n, y /= n;
    for (const auto& [a, b] : pairs) xx += (a - x) * (a - x), yy += (b - y) * (b - y), xy += (a - x) * (b - y);
    return xx > 0 && yy > 0 ? xy * xy / (xx * yy) : 0;
  }

  /// Between-category share of the variance, less what as many categories explain of noise.
  static double category_share(std::vector<std::pair<double, double>>& pairs) {
    std::sort(pairs.begin(), pairs.end());
    const auto n = static_cast<double>(pairs.size());
    double mean = 0, total = 0, within = 0, categories = 0;
    for (const auto& [category, target] : pairs) mean += target / n;
    for (const auto& [category, target] : pairs) total += (target - mean) * (target - mean);
    for (size_t begin = 0, end; begin < pairs.size(); begin = end, ++categories) {
      double sum = 0, squares = 0;
      for (end = begin; end < pairs.size() && pairs[end].first == pairs[begin].first; ++end) {
        sum += pairs[end].second - mean;
        squares += (pairs[end].second - mean) * (pairs[end].second - mean);
      }
      within += squares - sum * sum / static_cast<double>(end - begin);
    }
    if (!(total > 0) || n <= categories) return 0;
    return 1 - within / total * (n - 1) / (n - categories);
  }

  /// How closely a number or a category follows how often its entity occurs in the rows.
  double popularity_share(const Column& column, Entity of) const {
    std::vector<double> counts(entities(of));
    for (int32_t row = 0; row < data_.rows(); ++row) ++counts[entity_of(row, of)];
    std::vector<std::pair<double, double>> plain, logs;
    std::set<int32_t> categories;
    for (size_t e = 0; e < counts.size(); ++e) {
      if (counts[e] == 0) continue;
      const auto entity = static_cast<int64_t>(e);
      std::optional<double> value;
      if (column.width) {
        value = number_at(column, entity);
      } else if (const auto ids = column.row(entity).ids; ids.size() == 1) {
        value = ids[0];
        categories.insert(ids[0]);
      }
      if (!value) continue;
      plain.emplace_back(*value, counts[e]);
      logs.emplace_back(*value, std::log(counts[e]));
    }
    if (plain.size() < kFewEntities) return 0;
    if (column.width) return std::max(squared_correlation(plain), squared_correlation(logs));
    // With few entities a category, a few lucky pairs explain everything.
    return plain.size() < 3 * categories.size() ? 0 : category_share(logs);
  }

  /// Whether a time is that of its entity's last row: whoever knows it knows what is to come.
  bool is_last_time(const Column& column, Entity of) const {
    if (s_.time.empty()) return false;
    constexpr Micros kNever = std::numeric_limits<Micros>::min();
    std::vector<Micros> first(entities(of), kNever), last = first;
    for (int32_t row = 0; row < data_.rows(); ++row) {
      const int32_t entity = entity_of(row, of);
      const Micros time = data_.time[row];
      if (first[entity] == kNever || time < first[entity]) first[entity] = time;
      last[entity] = std::max(last[entity], time);
    }
    std::vector<std::pair<double, double>> with_first, with_last;
    for (size_t e = 0; e < last.size(); ++e) {
      if (last[e] == kNever) continue;
      const auto value = number_at(column, static_cast<int64_t>(e));
      if (!value) continue;
      with_first.emplace_back(*value, static_cast<double>(first[e]));
      with_last.emplace_back(*value, static_cast<double>(last[e]));
    }
    // What is there for a day only has one time, and its column may as well be the first.
    return with_last.size() >= kFewEntities && squared_correlation(with_last) > 0.999 &&
           squared_correlation(with_first) < 0.99;
  }

  /// Share of the tasks that have a word in this column for which it names an item of their own rows.
  double own_item_share(const Column& column, const ColumnEncoder& encoder) const {
    std::map<std::string_view, int32_t> items;
    for (size_t i = 0; i < data_.item_ids.size(); ++i) items.emplace(data_.item_ids[i], static_cast<int32_t>(i));
    size_t named = 0, own = 0;
    for (int64_t t = 0; t < data_.tasks(); ++t) {
      const auto ids = column.row(t).ids;
      if (ids.size() != 1) continue;
      ++named;
      const auto item = items.find(encoder.vocabulary[ids[0]]);
      if (item == items.end()) continue;
      for (int64_t r = data_.task_begin[t]; r < data_.task_begin[t + 1]; ++r)
        if (data_.item[r] == item->second) {
          ++own;
          break;
        }
    }
    return named < kFewEntities ? 0 : static_cast<double>(own) / static_cast<double>(named);
  }

  static bool sounds_like_an_aggregate(const std::string& name) {
    static const std::set<std::string> kWords = {
        "count",   "counts", "total",  "sum",   "avg",  "average", "mean",  "popularity", "num",      "rating", "score",
        "ratings", "label",  "target", "sales", "sold", "clicks",  "views", "purchases",  "lifetime", "rank"};
    std::string word;
    for (const char c : name + ".") {
      if (std::isalnum(static_cast<unsigned char>(c))) {
        word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        continue;
      }
      if (kWords.contains(word)) return true;
      word.clear();
    }
    return false;
  }

  void check_features(const Columns& columns, const std::vector<ColumnEncoder>& encoders, Entity of) {
    for (size_t c = 0; c < columns.columns.size(); ++c) {
      const Column& column = columns.columns[c];
      if (sounds_like_an_aggregate(column.name))
        warn("leak-name",
             fmt::format("{} sounds like a count or an average; if it includes what happened later, the figures "
                         "will be too good: leave it out, or compute it as of then",
                         column.name));
      if (is_constant(column, columns.rows))
        warn("constant-feature", fmt::format("{} has the same value everywhere", column.name));
      // Ranks have targets, too, where rows carry different evidence.
      if (const double share = explained_share(column, of); share > kLeakShare)
        warn("leak-target", fmt::format("{} alone explains {:.0f} % of the target: is it known before the target is?",
                                        column.name, 100 * share));
      if (of == Entity::kRow) continue;  // what follows tells of things that have several rows
      const char* what = of == Entity::kItem ? "item" : "task";
      if (column.width <= 2 && popularity_share(column, of) > kLeakShare)
        warn("leak-target",
             fmt::format("{} follows how often its {} occurs in all rows, later ones included: leave it out, "
                         "or compute it as of then",
                         column.name, what));
      if (encoders[c].spec.type == FeatureType::kTime && is_last_time(column, of))
        warn("leak-target",
             fmt::format("{} is the time of the last row of its {}, which nobody knows before: leave it out, or "
                         "compute it as of then",
                         column.name, what));
      if (of == Entity::kTask && column.width == 0 && own_item_share(column, encoders[c]) > kLeakShare)
        warn("leak-target",
             fmt::format("{} names an item of the task's own rows, maybe one that is to be found: leave it out, or "
                         "compute it as of then",
                         column.name));
    }
  }

  static bool is_constant(const Column& column, int64_t rows) {
    for (int64_t r = 1; r < rows; ++r) {
      const ColumnView a = column.row(0), b = column.row(r);
      if (!std::equal(a.dense.begin(), a.dense.end(), b.dense.begin(), b.dense.end()) ||
          !std::equal(a.ids.begin(), a.ids.end(), b.ids.begin(), b.ids.end()))
        return false;
    }
    return rows > 1;
  }

  const LoadedProblem& p_;
  const Dataset& data_;
  const Scenario& s_;
  std::vector<DataWarning> warnings_;
};

}  // namespace

std::vector<DataWarning> data_warnings(const LoadedProblem& problem) { return Collector(problem).run(); }

}  // namespace fewshop
