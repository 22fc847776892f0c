#include "online/model_shelf.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bundle/bundle.h"
#include "online/live_check.h"
#include "online/version_quality.h"
#include "store/store.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kSetting = "models";

/// Names become folders.
void check_name(const std::string& scenario) {
  const bool fits = !scenario.empty() && scenario.size() <= 200 && scenario.front() != '.' &&
                    std::all_of(scenario.begin(), scenario.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                    });
  require(fits, "name: '", scenario,
          "' cannot be the name of a folder: a scenario that is served is named by letters, digits, '-', '_', '.'");
}

/// Writes the files of a bundle; the folder has its name once they are complete and on the disk.
void write_whole(Bundle& bundle, const std::string& folder) {
  std::error_code error;
  fs::create_directories(fs::path(folder).parent_path(), error);
  if (error) throw Failure(fmt::format("{}: cannot be made: {}", folder, error.message()));
  bundle.manifest.erase("checksum");
  write_bundle(folder, bundle.manifest, bundle.files, bundle.run);
}

/// The name of the scenario of a bundle that can be served; refuses others. Of models that rate or rank items:
std::string servable_of_items(const Bundle& bundle, const std::string& path) {
  EventKinds kinds;
  return LiveModel("", path, Model::from_bundle(bundle, path), kinds).name();
}

/// Of models that predict rows.
std::string servable_of_rows(const Bundle& bundle, const std::string& path) {
  return RowModel::from_bundle(bundle, path)->scenario().name;
}

std::string names_of(const std::vector<std::string>& names) {
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

json to_json(const ModelVersion& version) {
  return {{"scenario", version.scenario},
          {"version", version.version},
          {"published", format_time(version.published)},
          {"source", version.source},
          {"live", version.live},
          {"shadow", version.shadow},
          {"quality", version_quality(version.folder)}};
}

json to_json(const CellIndex::Report& report) {
  json object = {{"items", report.items},           {"cells", report.cells},
                 {"cells_read", report.cells_read}, {"read", report.read},
                 {"recall", report.recall},         {"queries", report.queries},
                 {"in_use", report.used},           {"cpu_seconds", report.cpu_seconds}};
  if (const auto& few = report.few; few.wanted > 0)
    object["few"] = {
        {"wanted", few.wanted}, {"cells_read", few.cells_read}, {"read", few.read}, {"recall", few.recall}};
  return object;
}

std::map<std::string, CellIndex::Report> ModelShelf::indexes() const {
  std::map<std::string, CellIndex::Report> reports;
  for (const auto& model : shop_.models())
    if (const auto report = model->index_report()) reports.emplace(model->name(), *report);
  return reports;
}

ModelShelf::ModelShelf(Shop& shop, Options options) : shop_(shop), options_(std::move(options)) {
  if (!options_.log) options_.log = [](const std::string&) {};
  std::string known;
  if (const auto setting = shop_.store().setting(kSetting)) {
    state_ = read_state(*setting);
    // Of this database: a copy of it has a folder of its own.
    if (setting->value("database", "") == absolute_database()) known = setting->value("folder", "");
  }
  std::error_code error;
  if (options_.folder.empty())
    options_.folder = fs::is_directory(known, error) ? known : database_path(options_.database) + ".models";
  clean();
  if (options_.load) load();
  shop_.observe([this](const Asker& asker, const ListRequest& request, const ListReply& reply, double seconds) {
    observe(asker, request, reply, seconds);
  });
  // A pass did not come to its end, or the files are older than the database: from a copy, beside a dump.
  for (const std::string& folder : uncounted()) folders_.later.insert(folder);
  const bool older = !folders_.later.empty();
  thread_ = std::thread([this] { loop(); });
  shop_.keep_models({[this](const std::string& counts) { return receipt_list(counts); }, [this] { ask_for_recount(); },
                     [this] { return unfinished_.load(); }});
  if (older || !shop_.receipts_without_models().empty()) ask_for_recount();
}

ModelShelf::~ModelShelf() {
  shop_.clear_observers();  // nobody is answered any more
  shop_.keep_models({});
  stop();
}

void ModelShelf::stop() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ModelShelf::background(std::function<void()> work) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (stopping_) throw Failure("the server is stopping");
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void ModelShelf::loop() {
  std::unique_lock lock(queue_mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

// --- State.

ModelShelf::State ModelShelf::read_state(const json& setting) {
  State state;
  try {
    for (const auto& [name, value] : setting.at("scenarios").items()) {
      Scenario& scenario = state[name];
      scenario.next = value.at("next").get<int64_t>();
      scenario.live = value.at("live").get<std::string>();
      scenario.shadow = value.at("shadow").get<std::string>();
      scenario.before = value.at("before").get<std::vector<std::string>>();
      for (const json& entry : value.at("versions"))
        scenario.versions.push_back({entry.at("version").get<std::string>(), entry.at("checksum").get<std::string>(),
                                     entry.at("source").get<std::string>(), entry.at("published").get<Micros>(),
                                     entry.value("counted", Micros{0})});
    }
  } catch (const json::exception& problem) {
    throw InvalidInput(
        fmt::format("setting \"models\" of the database: not as this program writes it ({})", problem.what()));
  }
  return state;
}

json ModelShelf::to_json(const State& state) const {
  json scenarios = json::object();
  for (const auto& [name, scenario] : state) {
    json versions = json::array();
    for (const Entry& entry : scenario.versions)
      versions.push_back({{"version", entry.version},
                          {"checksum", entry.checksum},
                          {"source", entry.source},
                          {"published", entry.published},
                          {"counted", entry.counted}});
    scenarios[name] = {{"next", scenario.next},
                       {"live", scenario.live},
                       {"shadow", scenario.shadow},
                       {"before", scenario.before},
                       {"versions", std::move(versions)}};
  }
  return {{"database", absolute_database()},
          {"folder", fs::absolute(options_.folder).string()},
          {"scenarios", std::move(scenarios)}};
}

std::string ModelShelf::absolute_database() const { return fs::absolute(database_path(options_.database)).string(); }

ModelShelf::State ModelShelf::copy() const {
  const std::lock_guard lock(state_mutex_);
  return state_;
}

void ModelShelf::commit(State state) {
  Change change;
  change.settings.emplace_back(kSetting, to_json(state));
  shop_.change(std::move(change));
  int shadowed = 0;
  for (const auto& [name, scenario] : state) shadowed += scenario.shadow.empty() ? 0 : 1;
  shadowed_ = shadowed;
  const std::lock_guard lock(state_mutex_);
  state_ = std::move(state);
}

std::string ModelShelf::folder_of(const std::string& scenario, const std::string& version) const {
  return options_.folder + "/" + scenario + "/" + version;
}

ModelVersion ModelShelf::describe(const std::string& name, const Scenario& scenario, const Entry& entry) const {
  return {name,
          entry.version,
          folder_of(name, entry.version),
          entry.published,
          entry.source,
          scenario.live == entry.version,
          scenario.shadow == entry.version};
}

const ModelShelf::Entry& ModelShelf::entry_of(const State& state, const std::string& scenario,
                                              const std::string& version) {
  const auto found = state.find(scenario);
  if (found == state.end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : state) names.push_back(name);
    throw UnknownModel(
        fmt::format("scenario: no model of '{}' was published; there are: {}", scenario, names_of(names)));
  }
  std::vector<std::string> names;
  for (const Entry& entry : found->second.versions) {
    if (entry.version == version || entry.version.substr(0, entry.version.find('-')) == version) return entry;
    names.push_back(entry.version);
  }
  throw UnknownModel(fmt::format("version: {} has no version '{}'; there are: {}", scenario, version, names_of(names)));
}

std::vector<ModelVersion> ModelShelf::list() const {
  const std::lock_guard lock(state_mutex_);
  std::vector<ModelVersion> versions;
  for (const auto& [name, scenario] : state_)
    for (const Entry& entry : scenario.versions) versions.push_back(describe(name, scenario, entry));
  return versions;
}

std::optional<ModelVersion> ModelShelf::live(const std::string& scenario) const {
  for (const ModelVersion& version : list())
    if (version.scenario == scenario && version.live) return version;
  return std::nullopt;
}

std::vector<std::string> ModelShelf::scenarios() const {
  const std::lock_guard lock(state_mutex_);
  std::vector<std::string> names;
  for (const auto& [name, scenario] : state_) names.push_back(name);
  return names;
}

// --- Changes.

void ModelShelf::load() {
  int shadowed = 0;
  for (const auto& [name, scenario] : state_) {
    if (scenario.live.empty()) continue;
    try {
      shop_.publish(scenario.live, folder_of(name, scenario.live));
      if (scenario.shadow.empty()) continue;
      shop_.shadow(scenario.shadow, folder_of(name, scenario.shadow));
      counts_[name].version = scenario.shadow;
      ++shadowed;
    } catch (const Error& problem) {
      options_.log(
          fmt::format("models: {}: version {} was live and cannot be loaded: {}", name, scenario.live, problem.what()));
    }
  }
  shadowed_ = shadowed;
}

/// Folders that a publish has left behind which did not come to its end: their numbers were never given out.
void ModelShelf::clean() const {
  std::error_code error;
  for (const auto& [name, scenario] : state_)
    for (const auto& folder : fs::directory_iterator(fs::path(options_.folder) / name, error)) {
      const std::string version = folder.path().filename().string();
      const bool known = std::any_of(scenario.versions.begin(), scenario.versions.end(),
                                     [&](const Entry& entry) { return entry.version == version; });
      const bool unfinished = version.find(".fewshop-tmp") != std::string::npos;
      const bool never = std::atoll(version.c_str()) >= scenario.next && version.find('-') != std::string::npos;
      std::error_code ignored;
      if (!known && (unfinished || never)) fs::remove_all(folder.path(), ignored);
    }
}

void ModelShelf::remove_folders(const std::vector<std::string>& folders) const {
  for (const std::string& folder : folders) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (error) options_.log(fmt::format("models: {}: cannot be removed: {}", folder, error.message()));
  }
}

void ModelShelf::prune(State& state, const std::string& name, std::vector<std::string>& removed) const {
  Scenario& scenario = state.at(name);
  const std::string back = scenario.before.empty() ? "" : scenario.before.back();
  const auto spare = [&](const Entry& entry) {
    return entry.version != scenario.live && entry.version != scenario.shadow && entry.version != back;
  };
  while (std::ssize(scenario.versions) > options_.keep) {
    // The one that was published last is what this is done for.
    const auto oldest = std::find_if(scenario.versions.begin(), scenario.versions.end() - 1, spare);
    if (oldest == scenario.versions.end() - 1) return;
    removed.push_back(folder_of(name, oldest->version));
    std::erase(scenario.before, oldest->version);
    scenario.versions.erase(oldest);
  }
}

ModelVersion ModelShelf::make_live(State state, const std::string& name, const std::string& version, bool back) {
  Scenario& scenario = state.at(name);
  const std::string was = scenario.live;
  if (was != version) {
    shop_.publish(version, folder_of(name, version));
    std::erase(scenario.before, version);
    if (!back && !was.empty()) scenario.before.push_back(was);
    scenario.live = version;
    if (scenario.shadow == version || shop_.row_model(name)) {  // models of rows have none
      scenario.shadow.clear();
      shop_.retire_shadow(name);
    }
  } else if (std::ranges::count(shop_.scenarios(), name, &Shop::LiveScenario::name) == 0) {
    shop_.publish(version, folder_of(name, version));  // it could not be loaded at start
  }
  std::vector<std::string> removed;
  prune(state, name, removed);
  try {
    commit(state);
  } catch (...) {
    // What the next start loads is what answers now.
    if (was != version) {
      if (was.empty())
        shop_.retire(name);
      else
        shop_.publish(was, folder_of(name, was));
    }
    throw;
  }
  remove_folders(removed);
  return describe(name, scenario, entry_of(state, name, version));
}

ModelVersion ModelShelf::publish(const std::string& path, bool activate,
                                 std::optional<Micros> if_none_forgotten_since) {
  const std::lock_guard one(work_mutex_);
  if (if_none_forgotten_since && shop_.last_forgotten() >= *if_none_forgotten_since)
    throw ForgottenSince(path + ": somebody was forgotten after its rows were read");
  State state = copy();
  Bundle bundle = read_bundle(path);
  const bool of_rows = is_row_problem(bundle_problem(bundle, path));
  const std::string name = of_rows ? servable_of_rows(bundle, path) : servable_of_items(bundle, path);
  check_name(name);
  if (!of_rows && options_.check_users > 0) {
    const LiveCheck check = check_live(path, options_.database, options_.check_users, &shop_);
    if (!check.difference.empty()) throw RowsDiffer(check);
  }
  Scenario& scenario = state[name];
  const std::string checksum = bundle.manifest.at("checksum").get<std::string>();
  for (Entry& entry : scenario.versions) {
    if (entry.checksum != checksum) continue;
    const json counted = mend(bundle, name, scenario, entry);
    if (!activate && !counted.is_null()) commit(state);
    const ModelVersion version =
        activate ? make_live(state, name, entry.version, false) : describe(name, scenario, entry);
    if (!counted.is_null()) name_in_receipts(version, counted);
    return version;
  }

  Entry entry{fmt::format("{}-{}", scenario.next++, checksum.substr(0, 8)), checksum, fs::absolute(path).string(),
              shop_.now()};
  const std::string version = entry.version, folder = folder_of(name, version);
  scenario.versions.push_back(std::move(entry));
  write_whole(bundle, folder);
  ModelVersion published;
  json counted;  // what receipts say of it, where it is older than a forgetting
  const Micros forgotten = shop_.last_forgotten();
  try {
    counted = recount_new({name, version, folder}, scenario.versions.back().counted);
    if (activate) {
      published = make_live(state, name, version, false);
    } else {
      std::vector<std::string> removed;
      prune(state, name, removed);
      commit(state);
      remove_folders(removed);
      published = describe(name, state.at(name), entry_of(state, name, version));
    }
  } catch (...) {
    remove_folders({folder});
    folders_.replaced(folder);
    throw;
  }
  // The version is there, whatever becomes of the receipts.
  if (!counted.is_null()) name_in_receipts(published, counted);
  if (shop_.last_forgotten() > forgotten) {  // meanwhile: that receipt may not name it
    folders_.later.insert(folder);
    unfinished_ = true;
  }
  return published;
}

/// A version that is on the shelf by its record, and whose files are gone or damaged (a database that was restored on
/// another machine), gets them again. Returns what receipts say of it where it was counted anew.
json ModelShelf::mend(Bundle& bundle, const std::string& name, const Scenario& scenario, Entry& entry) {
  const std::string& version = entry.version;
  const std::string folder = folder_of(name, version);
  try {
    read_bundle(folder);
    return nullptr;
  } catch (const Failure&) {
    throw;  // it may be whole
  } catch (const Error& problem) {
    if (options_.log) options_.log(fmt::format("{} {}: its files are written anew: {}", name, version, problem.what()));
  }
  remove_folders({folder});
  write_whole(bundle, folder);
  entry.counted = 0;  // the files are what they were when they were trained
  return recount_new(describe(name, scenario, entry), entry.counted);
}

ModelVersion ModelShelf::activate(const std::string& scenario, const std::string& version) {
  const std::lock_guard one(work_mutex_);
  const State state = copy();
  return make_live(state, scenario, entry_of(state, scenario, version).version, false);
}

ModelVersion ModelShelf::rollback(const std::string& scenario) {
  const std::lock_guard one(work_mutex_);
  State state = copy();
  const auto found = state.find(scenario);
  if (found == state.end()) entry_of(state, scenario, "");  // says which there are
  require(!found->second.before.empty(), scenario, ": nothing to go back to: no other version was live before ",
          found->second.live.empty() ? "" : found->second.live);
  const std::string version = found->second.before.back();
  return make_live(state, scenario, version, true);
}

void ModelShelf::remove(const std::string& scenario, const std::string& version) {
  const std::lock_guard one(work_mutex_);
  State state = copy();
  const std::string name = entry_of(state, scenario, version).version;
  Scenario& value = state.at(scenario);
  require(name != value.live, "version: ", name, " of ", scenario, " is live; activate another one first");
  require(name != value.shadow, "version: ", name, " of ", scenario, " is the shadow; end that first");
  std::erase(value.before, name);
  std::erase_if(value.versions, [&](const Entry& entry) { return entry.version == name; });
  commit(state);
  remove_folders({folder_of(scenario, name)});
}

}  // namespace fewshop
