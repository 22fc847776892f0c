// What a shop does for the people in it: what it holds of somebody, retention. Forgetting: shop_forgetting.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "online/shop.h"
#include "runtime/bayes_member.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr int kTopItems = 20, kTopAttributes = 20;  // of a profile
constexpr int64_t kScannedAtOnce = 20'000;          // rows that retention looks at in one go
constexpr int64_t kRemovedAtOnce = 1'000;           // and removes in one commit

json number(double value) { return given(value) ? json(value) : json(); }

json event_json(const EventRow& row, const char* where) {
  json out = {{"event_id", row.event_id}, {"event", row.event}, {"time", format_time(row.time)}, {"kept_in", where}};
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  text("item_id", row.item_id);
  text("client_id", row.client_id);
  text("session_id", row.session_id);
  text("recommendation_id", row.recommendation_id);
  const auto amount = [&](const char* name, double value) {
    if (given(value)) out[name] = number(value);
  };
  amount("quantity", row.quantity);
  amount("price", row.price);
  amount("value", row.value);
  amount("rating", row.rating);
  if (!row.extra.empty()) {
    json extra = json::parse(row.extra, nullptr, false);
    out["extra"] = extra.is_discarded() ? json(row.extra) : std::move(extra);
  }
  if (row.guest) out["as_guest"] = true;
  return out;
}

/// What the learned head makes of the values of item features, as against a newcomer's: by how much a value moves a
/// score, largest first. Empty where the model has no such head.
json attributes_of(const LiveModel::Access& access, const BayesMember& member, const Workspace& own,
                   std::span<const float> newcomer) {
  const std::span<const float> head = member.head(own);
  const auto& arrays = member.arrays();
  const int32_t width = arrays.head, raw = arrays.raw;
  struct Attribute {
    std::string name, value;
    double effect;
    int32_t input;
  };
  std::vector<Attribute> attributes;
  const auto& encoders = access.model().encoders().items;
  // The effect of input p is (L^-1 r_p) . (w - w0): the head is brought back once, u = L^-T (w - w0), and then r_p . u.
  std::vector<double> back(width);
  for (int32_t i = width - 1; i >= 0; --i) {
    double sum = static_cast<double>(head[i]) - newcomer[i];
    for (int32_t j = i + 1; j < width; ++j) sum -= arrays.whitening[static_cast<size_t>(j) * width + i] * back[j];
    back[i] = sum / arrays.whitening[static_cast<size_t>(i) * width + i];
  }
  for (size_t column = 0; column < encoders.size(); ++column)
    for (int32_t input = arrays.item_inputs[column]; input < arrays.item_inputs[column + 1]; ++input) {
      double effect = 0;
      for (int32_t j = 0; j < std::min(raw, width); ++j)
        effect += arrays.item_weight[static_cast<size_t>(input) * (raw + 1) + j] * back[j];
      const int32_t entry = input - arrays.item_inputs[column];
      const auto& vocabulary = encoders[column].vocabulary;
      attributes.push_back({encoders[column].spec.name,
                            entry < std::ssize(vocabulary) ? vocabulary[entry] : std::string(), effect, input});
    }
  std::sort(attributes.begin(), attributes.end(),
            [](const Attribute& a, const Attribute& b) { return std::abs(a.effect) > std::abs(b.effect); });
  json list = json::array();
  for (const auto& attribute : attributes) {
    if (std::ssize(list) == kTopAttributes || attribute.effect == 0) break;
    std::vector<double> vector;  // of the attribute, as the item's features have it
    for (int32_t j = 0; j < std::min(raw, width); ++j)
      vector.push_back(arrays.item_weight[static_cast<size_t>(attribute.input) * (raw + 1) + j]);
    const auto effect = static_cast<float>(attribute.effect);
    const auto [low, high] = Model::interval(effect, member.head_variance(own, member.whitened(vector)));
    json entry = {{"attribute", attribute.name}, {"effect", attribute.effect}, {"low", low}, {"high", high}};
    if (!attribute.value.empty()) entry["value"] = attribute.value;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

// --- What is held of somebody.

json Shop::export_user(const std::string& user_id) {
  json events = json::array();
  const Micros time = now();
  for (const EventRow& row : store_->history(user_id, "", ShopStore::kAllRows, ShopStore::kAllTime))
    events.push_back(event_json(row, row.time > time ? "future" : "events"));
  for (const EventRow& row : store_->withheld(user_id)) events.push_back(event_json(row, "withheld"));
  json guests = json::array();
  bool refused = this->refused(user_id, "");
  {
    const std::shared_lock lock(people_mutex_);
    for (const auto& [guest, user] : joins_)
      if (user == user_id) guests.push_back(guest);
  }
  for (const auto& guest : guests) refused = refused || this->refused("", guest.get<std::string>());
  json user;
  if (const auto record = store_->user(user_id)) {
    user = {{"labels", record->labels}, {"comment", record->comment}};
    json columns = json::object();
    for (const auto& [name, value] : store_->user_columns(user_id).value_or(ShopStore::Columns{}))
      if (value && name != "labels" && name != "comment") columns[name] = *value;
    user["columns"] = columns;
  }
  std::sort(guests.begin(), guests.end());
  json profiles = json::array();
  for (const auto& model : models()) profiles.push_back(profile_of(user_id, *model));
  return {{"user_id", user_id},
          {"time", format_time(time)},
          {"user", user},
          {"guests", guests},
          {"consent", {{"personalization", !refused}}},
          {"events", events},
          {"other_tables", store_->rows_elsewhere(user_id)},
          {"profiles", profiles}};
}

json Shop::profile_of(const std::string& user_id, const LiveModel& model) {
  json profile = {{"scenario", model.name()}, {"version", model.version()}};
  const Asker asker{user_id, "", std::nullopt};
  const TaskState state = task_state(asker, &model);
  const TaskState nobody = task_state({"", "", std::nullopt}, &model);
  {
    LiveModel::Access access(model);
    std::vector<ArrivedRow> arrived;
    access.support(state.rows, now(), arrived);
    std::vector<SupportRow> support;
    for (const ArrivedRow& row : arrived) support.push_back(row.row);
    profile["support_rows"] = support.size();
    for (const auto& member : access.model().parts().members) {
      const auto* bayes = dynamic_cast<const BayesMember*>(member.get());
      if (!bayes) continue;
      const auto own = bayes->workspace(), other = bayes->workspace();
      bayes->adapt({support, state.description.views}, *own);
      bayes->adapt({{}, nobody.description.views}, *other);
      profile["attributes"] = attributes_of(access, *bayes, *own, bayes->head(*other));
    }
  }
  // Scores of what would be shown first, each with its central 95 % interval.
  ListRequest request;
  request.n = kTopItems;
  request.include_seen = true;
  ListReply best;
  if (model.ranking()) {
    best = this->reply(fewshop::recommend(model, state.view(), rules(request), false, now()), &model);
  } else {
    std::vector<std::string> ids;
    for (const auto& item : popular(request).items) ids.push_back(item.id);
    best = answer_scores(model, asker, ids, false);
  }
  profile["served"] = best.served;
  json top = json::array();
  for (const auto& item : best.items)
    top.push_back({{"item_id", item.id}, {"score", item.score}, {"low", item.low}, {"high", item.high}});
  profile["top_items"] = top;
  return profile;
}

// --- Retention.

int64_t Shop::retain(int64_t at_most_scanned) {
  if (options_.retention.empty()) return -1;
  const Micros time = now();
  const auto too_old = [&](std::string_view event, Micros at) {
    auto rule = options_.retention.find(std::string(event));
    if (rule == options_.retention.end()) rule = options_.retention.find("*");
    return rule != options_.retention.end() && at < time - static_cast<Micros>(rule->second * kDay);
  };
  std::vector<OldRow> old;
  const bool more = store_->scan_rows(retention_place_, at_most_scanned, too_old, old);
  for (size_t begin = 0; begin < old.size(); begin += kRemovedAtOnce) {
    Change change;
    const auto end = std::min<size_t>(old.size(), begin + kRemovedAtOnce);
    change.old_rows.assign(old.begin() + static_cast<int64_t>(begin), old.begin() + static_cast<int64_t>(end));
    this->change(std::move(change));
  }
  if (!more) retention_place_ = {};
  return more ? std::ssize(old) : -1 - std::ssize(old);
}

// --- The background.

void Shop::tick() {
  const auto clock = std::chrono::steady_clock::now();
  finish_pending();
  ask_for_recount(clock);
  if (!problem().empty()) {
    // Nobody may write any more because the server says that it is not ready: it tries by itself.
    Change probe;
    probe.settings.emplace_back("server/probe", now());
    try {
      change(std::move(probe));
    } catch (const Error&) {
    }
  }
  if (clock >= next_retention_ && retain(kScannedAtOnce) < 0) next_retention_ = clock + std::chrono::hours(1);
  if (clock >= next_counts_) {
    const auto counts = store_->counts();
    const auto usage = rows_.usage();
    {
      const std::lock_guard lock(figures_mutex_);
      figures_.counts = counts;
      figures_.rows = usage;
    }
    // Large tables are counted less often.
    next_counts_ = std::chrono::steady_clock::now() +
                   std::max<std::chrono::steady_clock::duration>(std::chrono::seconds(10),
                                                                 50 * (std::chrono::steady_clock::now() - clock));
  }
}

Shop::Figures Shop::figures() const {
  Figures figures;
  {
    const std::lock_guard lock(figures_mutex_);
    figures = figures_;
  }
  figures.queued = store_->queued();
  figures.models = std::ssize(scenarios());
  return figures;
}

std::map<std::string, int64_t> Shop::events_by_kind() const {
  const std::lock_guard lock(figures_mutex_);
  return by_kind_;
}

std::map<std::string, int64_t> Shop::positives_by_scenario() const {
  const std::lock_guard lock(figures_mutex_);
  return positives_;
}

std::string Shop::problem() const { return write_failed_ ? "the database refuses writes; the log has the reason" : ""; }

}  // namespace fewshop
