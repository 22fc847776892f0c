// Shadows: versions that are asked what the live one is asked.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "online/model_shelf.h"

namespace fewshop {

using nlohmann::json;

namespace {

constexpr size_t kMostComparisons = 64;  // waiting for the shadow; more are dropped
constexpr int64_t kComparisonsPerLogLine = 1000;

}  // namespace

json to_json(const ShadowCount& count) {
  const auto n = static_cast<double>(std::max<int64_t>(1, count.asked));
  return {{"version", count.version},
          {"asked", count.asked},
          {"overlap", count.overlap / n},
          {"same_first", static_cast<double>(count.same_first) / n},
          {"live_ms", 1000 * count.live_seconds / n},
          {"shadow_ms", 1000 * count.shadow_seconds / n},
          {"failed", count.failed},
          {"dropped", count.dropped}};
}

void ModelShelf::shadow(const std::string& scenario, const std::optional<std::string>& version) {
  const std::lock_guard one(work_mutex_);
  State state = copy();
  if (!version) {
    if (state.count(scenario) == 0) entry_of(state, scenario, "");
    state.at(scenario).shadow.clear();
    commit(state);
    shop_.retire_shadow(scenario);
    const std::lock_guard lock(shadow_mutex_);
    counts_.erase(scenario);
    return;
  }
  const std::string name = entry_of(state, scenario, *version).version;
  require(name != state.at(scenario).live, "version: ", name, " of ", scenario,
          " is live; a shadow is another version than the one that answers");
  shop_.shadow(name, folder_of(scenario, name));
  state.at(scenario).shadow = name;
  {
    const std::lock_guard lock(shadow_mutex_);
    counts_[scenario] = {};
    counts_[scenario].version = name;
  }
  commit(state);
}

std::map<std::string, ShadowCount> ModelShelf::shadows() const {
  const std::lock_guard lock(shadow_mutex_);
  return counts_;
}

void ModelShelf::observe(const Asker& asker, const ListRequest& request, const ListReply& reply, double seconds) {
  if (shadowed_.load(std::memory_order_relaxed) == 0) return;
  if (lists_.fetch_add(1, std::memory_order_relaxed) % options_.shadow_every != 0) return;
  {
    const std::lock_guard lock(shadow_mutex_);
    if (counts_.count(reply.scenario) == 0) return;
  }
  bool room = false;
  {
    const std::lock_guard lock(queue_mutex_);
    room = !stopping_ && queue_.size() < kMostComparisons;
    if (room) queue_.emplace_back([=, this] { compare(asker, request, reply, seconds); });
  }
  if (room) {
    wake_.notify_one();
    return;
  }
  const std::lock_guard lock(shadow_mutex_);
  if (const auto count = counts_.find(reply.scenario); count != counts_.end()) ++count->second.dropped;
}

void ModelShelf::compare(const Asker& asker, const ListRequest& request, const ListReply& reply, double seconds) {
  ListReply other;
  bool failed = false;
  const auto begin = std::chrono::steady_clock::now();
  try {
    other = shop_.shadow_recommend(reply.scenario, asker, request);
  } catch (const Error&) {
    failed = true;  // the shadow has ended, or cannot answer this
  }
  const double taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::unordered_set<std::string> answered;
  for (const auto& item : other.items) answered.insert(item.id);
  int64_t shared = 0;
  for (const auto& item : reply.items) shared += static_cast<int64_t>(answered.count(item.id));
  std::string line;
  {
    const std::lock_guard lock(shadow_mutex_);
    const auto found = counts_.find(reply.scenario);
    if (found == counts_.end()) return;
    ShadowCount& count = found->second;
    if (failed) {
      ++count.failed;
      return;
    }
    ++count.asked;
    count.overlap += reply.items.empty() ? 1.0 : static_cast<double>(shared) / static_cast<double>(reply.items.size());
    count.same_first +=
        reply.items.empty() ? other.items.empty() : !other.items.empty() && other.items[0].id == reply.items[0].id;
    count.live_seconds += seconds;
    count.shadow_seconds += taken;
    if (count.asked % kComparisonsPerLogLine == 0) {
      const auto n = static_cast<double>(count.asked);
      line = fmt::format(
          "models: {}: shadow {} beside {}: {} lists, {:.0f} % of their items the same, {:.0f} % with "
          "the same first item, {:.2f} ms against {:.2f} ms",
          reply.scenario, count.version, reply.version, count.asked, 100 * count.overlap / n,
          100 * static_cast<double>(count.same_first) / n, 1000 * count.shadow_seconds / n,
          1000 * count.live_seconds / n);
    }
  }
  if (!line.empty()) options_.log(line);
}

}  // namespace fewshop
