// The models of a shop: which are live, how one takes another's place.
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

#include "bundle/bundle.h"
#include "core/error.h"
#include "online/event_field.h"
#include "online/shop.h"
#include "store/person_key.h"

namespace fewshop {

std::vector<std::shared_ptr<LiveModel>> Shop::following() const {
  const std::shared_lock lock(models_mutex_);
  std::vector<std::shared_ptr<LiveModel>> models;
  for (const auto* group : {&models_, &shadows_})
    for (const auto& [name, model] : *group) models.push_back(model);
  return models;
}

std::vector<std::shared_ptr<const LiveModel>> Shop::models() const {
  const std::shared_lock lock(models_mutex_);
  std::vector<std::shared_ptr<const LiveModel>> models;
  for (const auto& [name, model] : models_) models.push_back(model);
  return models;
}

std::shared_ptr<const LiveRowModel> Shop::row_model(const std::string& scenario) const {
  const std::shared_lock lock(models_mutex_);
  const auto found = row_models_.find(scenario);
  return found == row_models_.end() ? nullptr : found->second;
}

std::vector<Shop::LiveScenario> Shop::scenarios() const {
  std::vector<LiveScenario> scenarios;
  const auto add = [&](const auto& models) {
    for (const auto& [name, model] : models)
      scenarios.push_back(
          {name, model->scenario().title, model->version(), model->folder(), model->scenario().problem});
  };
  {
    const std::shared_lock lock(models_mutex_);
    add(models_);
    add(row_models_);
  }
  std::ranges::sort(scenarios, {}, &LiveScenario::name);
  return scenarios;
}

/// Scenarios whose models rate or rank items, and with `of_rows` the others too.
std::string Shop::live_names(bool of_rows) const {
  std::set<std::string> names;
  for (const auto& entry : models_) names.insert(entry.first);
  if (of_rows)
    for (const auto& entry : row_models_) names.insert(entry.first);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::shared_ptr<const LiveModel> Shop::model_or_null(const std::string& scenario) const {
  const std::shared_lock lock(models_mutex_);
  const std::string& wanted = scenario.empty() ? options_.default_scenario : scenario;
  if (wanted.empty()) {
    std::vector<std::shared_ptr<const LiveModel>> ranking;
    for (const auto& [name, model] : models_)
      if (model->ranking()) ranking.push_back(model);
    if (ranking.empty()) return nullptr;
    if (ranking.size() == 1) return ranking.front();
    std::string several;
    for (const auto& model : ranking) several += (several.empty() ? "" : ", ") + model->name();
    throw InvalidInput("scenario: several rank items (" + several +
                       "); name one with ?scenario=, or set [recommend] scenario");
  }
  const auto found = models_.find(wanted);
  if (found != models_.end()) return found->second;
  require(row_models_.count(wanted) == 0, "scenario: '", wanted, "' asks about rows, which POST /api/scenarios/",
          wanted, "/predict answers; expected one that rates or ranks items: ", live_names());
  if (!scenario.empty())
    throw InvalidInput("scenario: no model of '" + wanted + "' is live; live: " + live_names(true));
  return nullptr;
}

std::shared_ptr<const LiveModel> Shop::model(const std::string& scenario) const {
  auto model = model_or_null(scenario);
  require(model != nullptr, "scenario: no model is live; publish one with `fewshop model publish`");
  return model;
}

namespace {

/// The columns that a scenario's [live] takes values from, by kind of event.
std::map<std::string, std::string> live_columns(const Scenario& scenario) {
  std::map<std::string, std::string> columns;
  for (const auto& [event, value] : scenario.live_events)
    if (value.is_string()) columns[event] = value.get<std::string>();
  return columns;
}

}  // namespace

void Shop::publish(const std::string& version, const std::string& folder) {
  if (is_row_problem(bundle_problem(read_manifest(folder), folder))) return publish_rows(version, folder);
  make_ready(version, folder, [this](const std::shared_ptr<LiveModel>& model) {
    // Rows that are read from here on have what the model asks of them.
    if (kinds_.use(model->scenario())) rows_.clear();
    keep_rows_of(model);
    const std::unique_lock lock(models_mutex_);
    models_[model->name()] = model;
    row_models_.erase(model->name());
  });
}

/// Rows come with their questions: there is nothing of the shop to make known to the model first.
void Shop::publish_rows(const std::string& version, const std::string& folder) {
  const auto model = std::make_shared<const LiveRowModel>(version, folder, RowModel::load(folder));
  const std::lock_guard one(publish_mutex_);
  {
    const std::unique_lock lock(models_mutex_);
    models_.erase(model->name());
    shadows_.erase(model->name());
    row_models_[model->name()] = model;
  }
  kinds_.release(model->name());
}

void Shop::shadow(const std::string& version, const std::string& folder) {
  require(!is_row_problem(bundle_problem(read_manifest(folder), folder)), "version: ", version,
          " predicts rows, and such models have no shadow; `fewshop model compare NEW OLD` answers the same test tasks "
          "with two of them");
  make_ready(version, folder, [&](const std::shared_ptr<LiveModel>& model) {
    const std::unique_lock lock(models_mutex_);
    const auto live = models_.find(model->name());
    require(live != models_.end(), model->name(), ": no model of this scenario is live: a shadow has nobody to follow");
    const Scenario &own = model->scenario(), &others = live->second->scenario();
    require(live_columns(others) == live_columns(own) && weight_field(others) == weight_field(own) &&
                tie_field(others) == tie_field(own),
            model->name(), ": [live] of version ", version,
            " takes values from other columns than that of the live version ", live->second->version(),
            "; rows in memory keep one value of a kind of event");
    keep_rows_of(model);
    shadows_[model->name()] = model;
  });
}

/// On the ingest thread, before a model answers: rows of the kinds that it uses are kept from now on.
void Shop::keep_rows_of(const std::shared_ptr<const LiveModel>& model) {
  kinds_of_models_.push_back({model, model->kinds()});
  keep_used_kinds();
}

/// On the ingest thread: what only models used that nobody asks any more is no longer kept. An answer that such a model
/// still makes holds it, and finds its rows.
void Shop::release_rows() {
  if (std::erase_if(kinds_of_models_, [](const KindsOfModel& one) { return one.model.expired(); }) > 0)
    keep_used_kinds();
}

/// The rows of other kinds take no room from those that answers are made of. Without a model there is no such choice.
void Shop::keep_used_kinds() {
  std::optional<std::set<int32_t>> kinds;
  for (const auto& one : kinds_of_models_)
    if (kinds)
      kinds->insert(one.kinds.begin(), one.kinds.end());
    else
      kinds = one.kinds;
  if (kinds_.keep(std::move(kinds))) rows_.clear();
}

std::vector<LiveRow> Shop::rows_of(const std::string& user_id, Micros until) {
  std::vector<LiveRow> rows;
  rows_.read(user_key(user_id), until, rows);
  return rows;
}

std::vector<EventRow> Shop::rows_with(const std::string& user_id, const std::string& scenario,
                                      std::vector<std::string> kinds) const {
  {
    const std::shared_lock lock(models_mutex_);
    for (const auto* group : {&models_, &shadows_})
      for (const auto& [name, model] : *group) {
        if (group == &models_ && name == scenario) continue;
        for (const int32_t kind : model->kinds()) kinds.push_back(kinds_.name(kind));
      }
  }
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  return store_->served_rows(user_id, "", {std::move(kinds), options_.rows.rows_per_key, until()});
}

std::string Shop::hash_of(const std::string& user_id) const {
  const std::string name = ledger_.name_of(user_key(user_id));
  return name.substr(name.rfind('/') + 1);
}

void Shop::retire_shadow(const std::string& scenario) {
  const std::unique_lock lock(models_mutex_);
  shadows_.erase(scenario);
}

ListReply Shop::shadow_recommend(const std::string& scenario, const Asker& asker, const ListRequest& request) {
  std::shared_ptr<const LiveModel> model;
  {
    const std::shared_lock lock(models_mutex_);
    if (const auto found = shadows_.find(scenario); found != shadows_.end()) model = found->second;
  }
  require(model != nullptr, "scenario: '", scenario, "' has no shadow");
  const TaskState state = task_state(asker, model.get());
  return reply(fewshop::recommend(*model, state.view(), rules(request), request.explain, now()), model.get());
}

void Shop::make_ready(const std::string& version, const std::string& folder,
                      const std::function<void(const std::shared_ptr<LiveModel>&)>& swap) {
  const std::lock_guard one(publish_mutex_);
  auto model = std::make_shared<LiveModel>(version, folder, Model::load(folder), kinds_);
  model->read_sources(options_.database, options_.log);
  // Items are put while others change: what changes meanwhile is put again before the swap, on the writing thread.
  const auto wait = [&](std::function<void()> task) {
    std::mutex mutex;
    std::condition_variable ready;
    bool done = false;
    std::exception_ptr problem;
    ingest_->run([&] {
      try {
        task();
      } catch (...) {
        problem = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      done = true;
      ready.notify_one();
    });
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return done; });
    if (problem) std::rethrow_exception(problem);
  };
  wait([&] { journal_.emplace(); });
  const auto put_all = [&](const auto& put) {
    std::unordered_set<int32_t> recorded;
    store_->each_item_columns([&](const std::string& id, const ShopStore::Columns& columns) {
      const auto hidden = columns.find("hidden");
      const bool shown = hidden == columns.end() || !hidden->second || *hidden->second == "0";
      const int32_t item = items_.add(id);
      recorded.insert(item);
      put(item, id, &columns, shown);
    });
    // Items that no record describes are never an answer, and yet part of what people did.
    std::vector<std::pair<int32_t, std::string>> unrecorded;
    {
      const ItemTable::Reader items(items_);
      for (int32_t item = 0; item < items.size(); ++item)
        if (!recorded.contains(item) && items.at(item).events > 0) unrecorded.emplace_back(item, items.at(item).id);
    }
    for (const auto& [item, id] : unrecorded) put(item, id, nullptr, false);
  };
  try {
    model->put_items(put_all);
  } catch (...) {
    wait([&] { journal_.reset(); });
    throw;
  }
  wait([&] {
    const auto changed = std::move(*journal_);
    journal_.reset();
    for (const auto& id : changed) {
      const auto record = store_->item(id);
      const auto columns = store_->item_columns(id);
      model->put_item(items_.add(id), id, columns ? &*columns : nullptr, record && !record->hidden);
    }
    swap(model);
  });
}

void Shop::retire(const std::string& scenario) {
  {
    const std::unique_lock lock(models_mutex_);
    require(models_.erase(scenario) + row_models_.erase(scenario) > 0, "scenario: no model of '", scenario,
            "' is live");
    shadows_.erase(scenario);
  }
  kinds_.release(scenario);
}

}  // namespace fewshop
