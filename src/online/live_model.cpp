#include "online/live_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "core/error.h"
#include "runtime/bayes_member.h"

namespace fewshop {
namespace {

constexpr size_t kMostSessions = 64;

/// What keeps a scenario from being served from live events, as a sentence; empty where nothing does.
std::string obstacle(const Scenario& s) {
  if (s.live_events.empty()) return "it has no [live]: nothing says how an event becomes a row";
  if (s.task != std::vector<std::string>{"user_id"}) return "rows.task: live rows are found by user_id";
  if (s.item != "item_id") return "rows.item: a live row's item is item_id";
  try {
    weight_field(s);
    tie_field(s);
  } catch (const InvalidInput& problem) {
    return problem.what();
  }
  return {};
}

bool same(std::span<const ColumnView> a, std::span<const ColumnView> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ColumnView& one, const ColumnView& other) {
    return std::ranges::equal(one.dense, other.dense) && std::ranges::equal(one.ids, other.ids);
  });
}

EncodedEntity owned(std::span<const ColumnView> views) {
  EncodedEntity entity;
  for (const ColumnView& view : views) {
    entity.dense.emplace_back(view.dense.begin(), view.dense.end());
    entity.ids.emplace_back(view.ids.begin(), view.ids.end());
  }
  for (size_t c = 0; c < views.size(); ++c) entity.views.push_back({entity.dense[c], entity.ids[c]});
  return entity;
}

}  // namespace

LiveModel::LiveModel(std::string version, std::string folder, std::shared_ptr<Model> model, EventKinds& kinds)
    : version_(std::move(version)), folder_(std::move(folder)), model_(std::move(model)) {
  const Scenario& s = scenario();
  const std::string why = obstacle(s);
  require(why.empty(), s.name, ": cannot be served live: ", why);
  for (const auto& [event, value] : s.live_events) {
    const int32_t kind = kinds.add(event);
    require(kind >= 0, "live.events.", event, ": too many kinds of event");
    if (std::ssize(uses_) <= kind) uses_.resize(kind + 1);
    KindUse& use = uses_[kind];
    use.constant = value.is_number();
    if (use.constant) use.value = value.get<float>();
    if (s.event.empty()) {
      use.used = true;
      continue;
    }
    // As offline: rows of a kind that training has not seen are no support.
    const auto& known = model_->kinds();
    const auto found = std::find(known.begin(), known.end(), event);
    use.used = found != known.end();
    use.model_kind = static_cast<uint8_t>(found - known.begin());
  }
  if (!s.positive.empty()) positive_ = parse_condition(s.positive);
  for (const auto& member : model_->parts().members)
    if (auto* bayes = dynamic_cast<BayesMember*>(member.get())) vectors_ = bayes;
  shop_item_.assign(model_->item_ids().size(), -1);
  not_shown_.add_absent({}, std::ssize(shop_item_));
  encoded_.resize(shop_item_.size());
}

std::set<int32_t> LiveModel::kinds() const {
  std::set<int32_t> kinds;
  for (int32_t kind = 0; kind < std::ssize(uses_); ++kind)
    if (uses_[kind].used) kinds.insert(kind);
  return kinds;
}

bool LiveModel::positive(const LiveRow& row) const { return ranking() && target(row).has_value(); }

bool LiveModel::shares_from(int64_t items) const {
  const std::shared_lock lock(mutex_);
  // With an index there is no pass to share, and four answers at once have less of the cache each.
  if (vectors_ && vectors_->search().index()) return false;
  return ranking() && std::ssize(shop_item_) >= items;
}

void LiveModel::read_sources(const std::string& database, const FeatureSource::Log& log) {
  using Of = FeatureSource::Of;
  item_source_ = FeatureSource::open(database, scenario(), Of::kItems, model_->encoders().items, log);
  task_source_ = FeatureSource::open(database, scenario(), Of::kTasks, model_->encoders().tasks, log);
}

/// What the model knew of an item until now: as it was put last, else as training had it; none where nobody says.
std::vector<ColumnView> LiveModel::features_before(int32_t own) const {
  if (!encoded_[own].views.empty()) return encoded_[own].views;
  const auto& trained = model_->parts().item_features;
  return trained && own < trained->rows ? trained->row(own) : std::vector<ColumnView>();
}

std::optional<EncodedEntity> LiveModel::encoded(const std::string& id, const ColumnValues* columns) const {
  if (!columns) return std::nullopt;
  const auto values = item_source_ ? item_source_->values(id) : std::nullopt;
  if (values) return encode_entity(model_->encoders().items, *values);
  return encode_entity(model_->encoders().items, *columns);
}

void LiveModel::put_item_locked(int32_t item, const std::string& id, std::optional<EncodedEntity> now, bool shown) {
  if (std::ssize(model_item_) <= item) model_item_.resize(item + 1, -1);
  int32_t& own = model_item_[item];
  if (own < 0) own = model_->find_item(id);
  const auto& trained = model_->parts().item_features;
  if (!now && own >= 0 && trained && own < trained->rows)
    now = owned(trained->row(own));
  else if (!now)
    now = encode_entity(model_->encoders().items, {});
  if (own < 0) {
    own = model_->add_item(id, now->views);
    shop_item_.push_back(-1);
    encoded_.emplace_back();
  } else if (const auto before = features_before(own); !before.empty() && !same(before, now->views)) {
    model_->change_item(own, before, now->views);
  }
  not_shown_.set(own, !shown);
  if (shop_item_[own] != item) {
    shop_item_[own] = item;
    for (auto& [filter, items] : passing_) items->set(own, filter->contains(item));
  }
  encoded_[own] = std::move(*now);
}

std::shared_ptr<const ItemSet> LiveModel::passing(const std::shared_ptr<const ItemSet>& filter) const {
  constexpr size_t kMost = 64;
  const auto kept = [&] {
    return std::find_if(passing_.begin(), passing_.end(), [&](const Passing& one) { return one.filter == filter; });
  };
  {
    const std::lock_guard lock(passing_mutex_);
    if (const auto found = kept(); found != passing_.end()) {
      passing_.splice(passing_.begin(), passing_, found);
      return found->items;
    }
  }
  auto items = std::make_shared<ItemSet>();
  items->reserve(std::ssize(shop_item_));
  for (int32_t own = 0; own < std::ssize(shop_item_); ++own)
    if (filter->contains(shop_item_[own])) items->set(own, true);
  const std::lock_guard lock(passing_mutex_);
  if (const auto found = kept(); found != passing_.end()) return found->items;
  passing_.push_front({filter, items});
  if (passing_.size() > kMost) passing_.pop_back();
  return items;
}

void LiveModel::put_item(int32_t item, const std::string& id, const ColumnValues* columns, bool shown) {
  auto now = encoded(id, columns);
  const std::unique_lock lock(mutex_);
  put_item_locked(item, id, std::move(now), shown);
}

void LiveModel::put_items(const std::function<void(const PutItem&)>& each) {
  std::unordered_map<std::string, EncodedEntity> of_source;
  if (item_source_)
    item_source_->each([&](const std::string& id, const EntityValues& values) {
      of_source.try_emplace(id, encode_entity(model_->encoders().items, values));
    });
  const std::unique_lock lock(mutex_);
  each([&](int32_t item, const std::string& id, const ColumnValues* columns, bool shown) {
    std::optional<EncodedEntity> now;
    if (const auto found = of_source.find(id); columns && found != of_source.end())
      now = std::move(found->second);
    else if (columns)
      now = encode_entity(model_->encoders().items, *columns);
    put_item_locked(item, id, std::move(now), shown);
  });
}

EncodedEntity LiveModel::describe(const std::string& user_id, const std::function<ColumnValues()>& columns) const {
  const auto values = task_source_ ? task_source_->values(user_id) : std::nullopt;
  if (values) return encode_entity(model_->encoders().tasks, *values);
  return encode_entity(model_->encoders().tasks, columns());
}

std::unique_ptr<ModelSession> LiveModel::take_session() const {
  const std::lock_guard lock(sessions_mutex_);
  if (sessions_.empty()) return model_->session();
  auto session = std::move(sessions_.back());
  sessions_.pop_back();
  return session;
}

LiveModel::Access::Access(const LiveModel& model) : live_(model), lock_(model.mutex_), session_(model.take_session()) {}

LiveModel::Access::Access(const Hold& hold) : live_(hold.live_), session_(live_.take_session()) {}

LiveModel::Access::~Access() {
  const std::lock_guard lock(live_.sessions_mutex_);
  if (live_.sessions_.size() < kMostSessions) live_.sessions_.push_back(std::move(session_));
}

/// The target of a support row; nothing where the row is none.
std::optional<float> LiveModel::target(const LiveRow& row) const {
  if (row.item < 0 || row.kind >= uses_.size() || !uses_[row.kind].used) return std::nullopt;
  const Scenario& s = scenario();
  const KindUse& use = uses_[row.kind];
  const float value = use.constant ? use.value : row.number;
  if (std::isnan(value)) return std::nullopt;
  if (positive_) return positive_->holds(static_cast<double>(value)) ? std::optional<float>(1.0F) : std::nullopt;
  if (s.target.empty()) return 1.0F;
  if (ranking() && !(value > 0)) return std::nullopt;
  return value;
}

void LiveModel::Access::support(std::span<const LiveRow> rows, Micros now, std::vector<ArrivedRow>& out) const {
  out.clear();
  const bool by_event = live_.scenario().episode.ties == "event_id", weighted = !live_.scenario().weight.empty();
  for (size_t i = 0; i < rows.size(); ++i) {
    const LiveRow& row = rows[i];
    const auto target = live_.target(row);
    if (!target) continue;
    ArrivedRow arrived;
    arrived.row.item = model_item(row.item);
    arrived.row.target = *target;
    arrived.row.kind = live_.uses_[row.kind].model_kind;
    if (!live_.scenario().time.empty()) arrived.time = row.time;
    arrived.tie = by_event ? row.event : row.tie;
    if (weighted && row.weight >= 0) arrived.row.weight = row.weight;  // not given: 1, as offline
    arrived.source = static_cast<int32_t>(i);
    out.push_back(arrived);
  }
  arrange_support(out, live_.scenario().episode, now);
}

}  // namespace fewshop
