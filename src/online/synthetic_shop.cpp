#include "online/synthetic_shop.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <thread>

#include "core/cancel.h"
#include "core/error.h"
#include "learner/baseline/baselines.h"
#include "learner/baseline/interactions.h"
#include "learner/baseline/options.h"
#include "learner/catalogue.h"
#include "runtime/als_member.h"
#include "runtime/bayes_member.h"
#include "runtime/candidate_depth.h"
#include "runtime/item_item_member.h"
#include "runtime/popularity_member.h"

namespace fewshop {
namespace {

constexpr int kItemsTogether = 5000, kEventsTogether = 20'000;
/// What the stack gives to the head, popularity, item-knn, als, ease and session-knn. Scores of als are hundredths here
/// and those of session-knn hundreds, so their weights differ as those of a fit do: to its best item the head gives 1.3
/// more than to an average one, popularity and session-knn 0.8 each, als 0.2, the others 0.03. Als names no candidates,
/// so its weight sets the depth: three times as much takes 500 of every member, not 50.
constexpr std::array kWeight = {0.6F, 0.15F, 0.15F, 5.0F, 0.15F, 0.003F};
constexpr int64_t kMostQueued = 1'000'000;  // events; beyond that the shop is given time to index them

/// Item numbers as shops have them: few of them often, most of them seldom.
int skewed(Random& random, int items) {
  const double u = random.uniform();
  return static_cast<int>(u * u * u * items);
}

/// Calls visit(user, number of the event, item) for every event of the shop, user by user: the same ones every time.
template <class Visit>
void each_event(const SyntheticShop::Size& size, Visit&& visit) {
  Random random(1);
  for (int u = 0; u < size.users; ++u)
    for (int e = 0; e < size.events; ++e) visit(u, e, skewed(random, size.items));
}

/// One a day up to now: evidence decays, and heads that are all the prior would make the search too easy.
Micros time_of(const SyntheticShop::Size& size, Micros now, int user, int event) {
  return now - int64_t{size.events - event} * kDay + int64_t{user % 8000} * 10 * kSecond;
}

ItemItemMember::Parts item_item(const std::string& name, const SyntheticShop::Size& size, Random random) {
  ItemItemMember::Parts parts;
  parts.name = name;
  parts.prior.assign(size.items, 0.0F);
  parts.kept = 0.9F;
  const int rows = std::min(size.items, size.item_item);
  for (int i = 0; i < size.items; ++i) {
    if (i < rows) {
      int column = -1;
      const int step = std::max(1, rows / size.neighbours);
      for (int k = 0; k < std::min(size.neighbours, rows); ++k) {
        column = k * step + static_cast<int>(random.below(step));
        if (column >= rows) break;
        parts.weights.column.push_back(column);
        parts.weights.value.push_back(static_cast<float>(0.1 * random.uniform()));
      }
    }
    parts.weights.offsets.push_back(static_cast<int64_t>(parts.weights.column.size()));
  }
  return parts;
}

/// ALS as a training leaves it. Its factors go along with the head's vectors, as both are fitted to the same events
/// (and the head's begin as factors of ALS, where that is better): they are coordinates of these, with noise, and
/// shrunk where an item was seen seldom. Its scores of all items have a correlation of about 0.3 with the head's.
std::unique_ptr<Member> als(const BayesMember::Arrays& head, const std::vector<int32_t>& counts, Random random) {
  constexpr double kNoise = 0.5;  // of a coordinate's deviation
  const ImplicitAlsOptions options;
  const auto items = std::ssize(counts);
  const int d = options.factors;
  double squares = 0;
  for (const float x : head.vectors) squares += static_cast<double>(x) * x;
  const double deviation = std::sqrt(squares / static_cast<double>(head.vectors.size()));

  AlsMember::Parts parts;
  parts.ranking = true;
  parts.alpha = static_cast<float>(options.alpha);
  parts.width = d;
  parts.item_bias = tie_break(counts);
  parts.vectors.resize(items * d);
  parts.base.assign(static_cast<size_t>(d) * d, 0.0);
  for (int64_t i = 0; i < items; ++i) {
    float* own = parts.vectors.data() + i * d;
    // A fit to so many rows shrinks by its ridge, in units of a row's weight.
    const double kept = counts[i] / (counts[i] + options.ridge / options.alpha);
    for (int j = 0; j < d; ++j) {
      const double shared = j < head.head ? head.vectors[i * head.head + j] : 0.0;
      own[j] = static_cast<float>(kept * (shared + kNoise * deviation * random.normal()));
    }
    for (int j = 0; j < d; ++j)
      for (int k = 0; k < d; ++k) parts.base[j * d + k] += static_cast<double>(own[j]) * own[k];
  }
  for (int j = 0; j < d; ++j) parts.base[j * d + j] += options.ridge;
  parts.content.outputs = 1 + d;
  parts.content.intercept.assign(1 + d, 0.0F);
  return std::make_unique<AlsMember>(std::move(parts));
}

/// As the learner fits it to the shop's events with its default options: every user is a session.
std::unique_ptr<Member> session_knn(const SyntheticShop::Size& size, const Scenario& scenario) {
  Dataset data;
  data.item_ids.resize(size.items);
  TaskSet tasks;
  each_event(size, [&](int u, int e, int item) {
    if (e == 0) tasks.push_back({.task = u, .rows = {}});
    tasks.back().rows.push_back(static_cast<int32_t>(data.rows()));
    data.item.push_back(item);
    data.target.push_back(1);
    data.weight.push_back(1);
    data.time.push_back(time_of(size, int64_t{size.events} * kDay, u, e));
    data.group.push_back(e);
  });
  const FitInput input{.data = data, .scenario = scenario, .tasks = tasks, .hidden = nullptr};
  return std::move(session_knn_baseline().fit(input, {nlohmann::json::object()}).at(0));
}

}  // namespace

void SyntheticShop::fill(Shop& shop) const {
  for (int begin = 0; begin < size_.items; begin += kItemsTogether) {
    Change change;
    for (int i = begin; i < std::min(size_.items, begin + kItemsTogether); ++i) {
      ItemRecord item;
      item.item_id = fmt::format("item-{}", i);
      change.items.push_back(std::move(item));
    }
    shop.change(std::move(change));
  }
  const Micros now = shop.now();
  Change change;
  each_event(size_, [&](int u, int e, int item) {
    Event event;
    event.event_id = fmt::format("filled-{}-{}", u, e);
    event.time = time_of(size_, now, u, e);
    event.event = "view_item";
    event.user_id = fmt::format("user-{}", u);
    event.items.push_back({.item_id = fmt::format("item-{}", item)});
    change.events.push_back(std::move(event));
    const bool last_of_user = e + 1 == size_.events, last = last_of_user && u + 1 == size_.users;
    if (!last && (!last_of_user || std::ssize(change.events) < kEventsTogether)) return;
    while (shop.queued() > kMostQueued) {
      check_cancelled();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    shop.change(std::move(change));
    change = {};
  });
}

void SyntheticShop::write_model(const std::string& folder) const {
  Random random(7);
  const int n = size_.items, d = size_.d;
  const auto numbers = [&](size_t count, double scale) {
    std::vector<float> values(count);
    for (float& x : values) x = static_cast<float>(scale * random.normal());
    return values;
  };
  BayesMember::Arrays a;
  a.ranking = true;
  a.head = a.raw = d;
  a.vectors = numbers(static_cast<size_t>(n) * d, 1 / std::sqrt(d));
  if (size_.centres > 0) {
    const auto centres = numbers(static_cast<size_t>(size_.centres) * d, 2 / std::sqrt(d));
    for (int i = 0; i < n; ++i) {
      const int centre = static_cast<int>(random.below(size_.centres));
      for (int j = 0; j < d; ++j)
        a.vectors[static_cast<size_t>(i) * d + j] += centres[static_cast<size_t>(centre) * d + j];
    }
  }
  a.bias = numbers(n, 0.3);
  a.prior = numbers(d, 0.2);
  a.target_scale = {1};
  a.precision = {2};
  a.decay = {0.01F};
  a.repeat = {0};
  a.repeat_decay = {0};
  a.whitening.assign(static_cast<size_t>(d) * d, 0.0);
  for (int i = 0; i < d; ++i) a.whitening[i * d + i] = 1;
  a.item_inputs = {0};
  a.description_inputs = {0};

  Model::Parts parts;
  Scenario& s = parts.scenario;
  s.name = "synthetic";
  s.title = "Random numbers";
  s.problem = Problem::kRanking;
  s.rows.table = "events";
  s.task = {"user_id"};
  s.item = "item_id";
  s.time = "time";
  s.event = "event";
  s.episode.by_time = true;
  s.episode.shots = {{0, 0}, {1, 0}};
  s.live_events["view_item"] = 1;
  s.metrics = {"ndcg@10"};
  parts.kinds = {"view_item"};
  std::vector<float> log_share;
  for (int i = 0; i < n; ++i) {
    parts.item_ids.push_back(fmt::format("item-{}", i));
    parts.item_counts.push_back(static_cast<int32_t>(1000 / (1 + i / 100)));
    log_share.push_back(std::log((parts.item_counts.back() + 1.0F) / (100.0F * n)));
  }
  auto als_member = als(a, parts.item_counts, random.fork("als"));
  const auto add = [&](std::unique_ptr<Member> member) { parts.members.push_back(std::move(member)); };
  add(std::make_unique<BayesMember>(std::move(a)));
  add(std::make_unique<PopularityMember>(log_share, std::log(1 / (100.0F * n))));
  add(std::make_unique<ItemItemMember>(item_item("item-knn", size_, random.fork("knn"))));
  add(std::move(als_member));
  add(std::make_unique<ItemItemMember>(item_item("ease", size_, random.fork("ease"))));
  add(session_knn(size_, s));
  for (size_t m = 1; m < parts.members.size(); ++m) parts.baselines.emplace_back(parts.members[m]->name());
  require(parts.baselines == default_baselines(s), "synthetic shop: its baselines are not those of a training");
  s.baselines = parts.baselines;
  parts.best_baseline = "popularity";
  parts.learner = "bayes";
  const size_t width = kWeight.size() + 1;
  parts.stack.coefficient.assign(kItemCells * width * Stack::kBasis, 0.0F);
  for (size_t m = 0; m < kWeight.size(); ++m) {
    parts.stack.members.push_back(static_cast<int>(m));
    for (int cell = 0; cell < kItemCells; ++cell)
      parts.stack.coefficient[(cell * width + m) * Stack::kBasis] = kWeight[m];
  }
  parts.gate.sizes = {0, 1};
  parts.gate.baseline = {1, 1};
  parts.gate.open.assign(size_t{2} * kItemCells, 1);
  std::fill_n(parts.gate.open.begin(), kItemCells, 0);
  parts.target_high = 1;
  Model model(std::move(parts));
  choose_depth(model);
  model.save(folder, nlohmann::json::object(), nlohmann::json::object());
}

/// As training chooses it on held-out tasks: by users who are none of the shop's.
void SyntheticShop::choose_depth(Model& model) const {
  constexpr int kUsers = 200;
  Random random(11);
  const auto session = model.session();
  DepthCounts counts;
  for (int u = 0; u < kUsers; ++u) {
    check_cancelled();
    std::vector<SupportRow> support;
    ItemSet seen;
    for (int e = 0; e < size_.events; ++e) {
      const int32_t item = skewed(random, size_.items);
      support.push_back(
          {.item = item, .target = 1, .age = static_cast<float>(size_.events - e) * kDay / kSecond, .group = e});
      seen.set(item, true);
    }
    model.adapt({support, {}}, *session);
    if (model.served_adapted(*session, -1)) counts.add(model, *session, seen);
  }
  const int depth = counts.choose();
  model.set_candidate_depth(depth);
  model.set_fact("candidate_recall", counts.recall(depth));
}

}  // namespace fewshop
