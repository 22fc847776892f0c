#include "online/synthetic_shop.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "core/cancel.h"
#include "runtime/bayes_member.h"
#include "runtime/candidate_depth.h"
#include "runtime/item_item_member.h"
#include "runtime/popularity_member.h"

namespace fewshop {
namespace {

constexpr int kItemsTogether = 5000, kEventsTogether = 20'000;
constexpr int64_t kMostQueued = 1'000'000;  // events; beyond that the shop is given time to index them

/// Item numbers as shops have them: few of them often, most of them seldom.
int skewed(Random& random, int items) {
  const double u = random.uniform();
  return static_cast<int>(u * u * u * items);
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
  Random random(1);
  const Micros now = shop.now();
  Change change;
  for (int u = 0; u < size_.users; ++u) {
    for (int e = 0; e < size_.events; ++e) {
      Event event;
      event.event_id = fmt::format("filled-{}-{}", u, e);
      // One a day up to now: evidence decays, and heads that are all the prior would make the search too easy.
      event.time = now - int64_t{size_.events - e} * kDay + int64_t{u % 8000} * 10 * kSecond;
      event.event = "view_item";
      event.user_id = fmt::format("user-{}", u);
      event.items.push_back({.item_id = fmt::format("item-{}", skewed(random, size_.items))});
      change.events.push_back(std::move(event));
    }
    if (std::ssize(change.events) >= kEventsTogether || u + 1 == size_.users) {
      while (shop.queued() > kMostQueued) {
        check_cancelled();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      shop.change(std::move(change));
      change = {};
    }
  }
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
  parts.members.push_back(std::make_unique<BayesMember>(std::move(a)));
  parts.members.push_back(std::make_unique<PopularityMember>(log_share, std::log(1 / (100.0F * n))));
  parts.members.push_back(std::make_unique<ItemItemMember>(item_item("item-knn", size_, random.fork("knn"))));
  parts.members.push_back(std::make_unique<ItemItemMember>(item_item("ease", size_, random.fork("ease"))));
  for (size_t m = 1; m < parts.members.size(); ++m) parts.baselines.emplace_back(parts.members[m]->name());
  s.baselines = parts.baselines;
  parts.best_baseline = "popularity";
  parts.learner = "bayes";
  parts.stack.members = {0, 1, 2, 3};
  parts.stack.coefficient.assign(static_cast<size_t>(kItemCells) * 5 * Stack::kBasis, 0.0F);
  for (int cell = 0; cell < kItemCells; ++cell)
    for (int m = 0; m < 4; ++m) parts.stack.coefficient[(cell * 5 + m) * Stack::kBasis] = m == 0 ? 0.6F : 0.15F;
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
