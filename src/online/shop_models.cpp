// The models of a shop: which are live, how one takes another's place.
#include <condition_variable>
#include <mutex>

#include "core/error.h"
#include "online/event_field.h"
#include "online/shop.h"

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

std::shared_ptr<const LiveModel> Shop::model_or_null(const std::string& scenario) const {
  const std::shared_lock lock(models_mutex_);
  const auto names = [&] {
    std::string names;
    for (const auto& entry : models_) names += (names.empty() ? "" : ", ") + entry.first;
    return names.empty() ? "none" : names;
  };
  const std::string& wanted = scenario.empty() ? options_.default_scenario : scenario;
  if (wanted.empty()) {
    std::shared_ptr<const LiveModel> only;
    for (const auto& [name, model] : models_) {
      if (!model->ranking()) continue;
      if (only)
        throw InvalidInput("scenario: several rank items (" + names() +
                           "); name one with ?scenario=, or set [recommend] scenario");
      only = model;
    }
    return only;
  }
  const auto found = models_.find(wanted);
  if (found != models_.end()) return found->second;
  if (!scenario.empty()) throw InvalidInput("scenario: no model of '" + wanted + "' is live; live: " + names());
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
  make_ready(version, folder, [this](const std::shared_ptr<LiveModel>& model) {
    // Rows that are read from here on have what the model asks of them.
    if (kinds_.use(model->scenario())) rows_.clear();
    const std::unique_lock lock(models_mutex_);
    models_[model->name()] = model;
  });
}

void Shop::shadow(const std::string& version, const std::string& folder) {
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
    shadows_[model->name()] = model;
  });
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
  model->put_items([&](const auto& put) {
    store_->each_item_columns([&](const std::string& id, const ShopStore::Columns& columns) {
      const auto hidden = columns.find("hidden");
      const bool shown = hidden == columns.end() || !hidden->second || *hidden->second == "0";
      put(items_.add(id), id, columns, shown);
    });
  });
  wait([&] {
    const auto changed = std::move(*journal_);
    journal_.reset();
    for (const auto& id : changed) {
      const auto record = store_->item(id);
      model->put_item(items_.add(id), id, store_->item_columns(id).value_or(ShopStore::Columns{}),
                      record && !record->hidden);
    }
    swap(model);
  });
}

void Shop::retire(const std::string& scenario) {
  {
    const std::unique_lock lock(models_mutex_);
    require(models_.erase(scenario) > 0, "scenario: no model of '", scenario, "' is live");
    shadows_.erase(scenario);
  }
  kinds_.release(scenario);
}

}  // namespace fewshop
