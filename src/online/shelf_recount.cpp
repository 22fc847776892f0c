// What the shelf does when somebody was forgotten: its versions are counted anew.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <new>
#include <system_error>

#include "bundle/bundle.h"
#include "core/cancel.h"
#include "online/model_shelf.h"
#include "online/receipt.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// Whether the next try may go better: a full disk, a database that is busy, too many open files, a queue that is full,
/// a server that was told to stop.
bool may_pass(const std::exception& problem) {
  return dynamic_cast<const Failure*>(&problem) || dynamic_cast<const Overloaded*>(&problem) ||
         dynamic_cast<const Interrupted*>(&problem) || dynamic_cast<const std::system_error*>(&problem) ||
         dynamic_cast<const std::bad_alloc*>(&problem);
}

/// What a receipt says of counts that were counted anew.
std::string counts_of(const Recount& counted) {
  std::string text = fmt::format("counted anew from {} rows", counted.rows);
  if (counted.rows < counted.trained_rows) text += fmt::format("; it was trained with {}", counted.trained_rows);
  return text;
}

/// A version lacks rows, and of some who are forgotten just now it is not written down yet how many they were.
class BeingForgotten : public Failure {
 public:
  using Failure::Failure;
};

}  // namespace

/// When the rows were read that a bundle was trained with; nothing where it does not say.
std::optional<Micros> ModelShelf::data_read_of(const std::string& folder) {
  const json run = read_manifest(folder).run;
  return parse_time(run.is_object() ? run.value("data_read", "") : "");
}

/// Whether the rows of a bundle were read before somebody was forgotten; one that does not say when: yes.
bool ModelShelf::read_before_forgetting(const std::string& folder) const {
  const Micros forgotten = shop_.last_forgotten();
  if (forgotten == std::numeric_limits<Micros>::min()) return false;
  const auto read = data_read_of(folder);
  return !read || *read <= forgotten;
}

/// Folders of versions that were not counted since somebody was forgotten.
std::vector<std::string> ModelShelf::uncounted() const {
  std::vector<std::string> folders;
  const Micros forgotten = shop_.last_forgotten();
  if (forgotten == std::numeric_limits<Micros>::min()) return folders;
  const std::lock_guard lock(state_mutex_);
  for (const auto& [name, scenario] : state_)
    for (const Entry& entry : scenario.versions) {
      const std::string folder = folder_of(name, entry.version);
      try {
        if (entry.counted < forgotten && read_before_forgetting(folder)) folders.push_back(folder);
      } catch (const std::exception& problem) {
        // Where its files are gone or damaged, the log has said so when it was live.
        if (may_pass(problem)) folders.push_back(folder);
      }
    }
  return folders;
}

json ModelShelf::receipt_list(const std::string& counts) const {
  json list_of = json::array();
  for (const ModelVersion& version : list()) {
    std::vector<std::string> members;
    try {
      members = read_manifest(version.folder).manifest.at("members").get<std::vector<std::string>>();
    } catch (const std::exception&) {
      // It is damaged; whatever it has is held.
    }
    list_of.push_back(version_of_receipt(version.scenario, version.version, version.live, members, counts));
  }
  return list_of;
}

bool ModelShelf::stopping() {
  const std::lock_guard lock(queue_mutex_);
  return stopping_ || cancelled();
}

/// On the shelf's thread, once however often it is asked before that begins.
void ModelShelf::ask_for_recount() {
  if (asked_.exchange(true)) return;
  try {
    background([this] { recount(); });
  } catch (...) {
    asked_ = false;
    throw;
  }
}

/// Counts a version whose files were just written, where its rows are older than a forgetting. Returns what receipts
/// say of it (null: nothing); `counted` is up to when, as before where that has to be tried again.
json ModelShelf::recount_new(const ModelVersion& version, Micros& counted) {
  folders_.replaced(version.folder);
  const Micros through = shop_.last_forgotten();
  if (!read_before_forgetting(version.folder)) return nullptr;
  const Recounted done = try_recount(version, through);
  if (done.state == Recounted::kDone) counted = through;
  if (done.state == Recounted::kLater || done.state == Recounted::kSoon) {
    folders_.later.insert(version.folder);
    unfinished_ = true;
  }
  return done.entry;
}

/// Counts one version anew, unless that was done since so many were forgotten, and puts it in place.
ModelShelf::Recounted ModelShelf::try_recount(const ModelVersion& version, Micros through) {
  try {
    auto& counted = folders_.counted[version.folder];
    if (counted.through < through) counted = {through, recount(version, through)};
    put_in_place(version);
    counted.entry["live"] = version.live;
    return {Recounted::kDone, counted.entry};
  } catch (const std::exception& problem) {
    const bool later = may_pass(problem);
    const bool soon = dynamic_cast<const BeingForgotten*>(&problem);
    options_.log(fmt::format("models: {} {}: cannot be counted anew{}: {}", version.scenario, version.version,
                             later ? " for now" : "", problem.what()));
    return {soon    ? Recounted::kSoon
            : later ? Recounted::kLater
                    : Recounted::kNever,
            version_of_receipt(version.scenario, version.version, version.live, {},
                               fmt::format("as trained{}: {}", later ? ", to be tried again" : "", problem.what()))};
  }
}

/// What receipts say of a version whose files are counted anew now. Throws what may be better the next time (may_pass).
json ModelShelf::recount(const ModelVersion& version, Micros through) {
  const std::string name = version.scenario + " " + version.version;
  Recount counted;
  std::vector<std::string> members;
  try {
    members = read_manifest(version.folder).manifest.at("members").get<std::vector<std::string>>();
    const auto read = data_read_of(version.folder).value_or(std::numeric_limits<Micros>::min());
    counted = fewshop::recount(version.folder, options_.database, shop_.rows_removed_since(read));
  } catch (const std::exception& problem) {
    if (may_pass(problem)) throw;
    counted.obstacle = problem.what();
  }
  if (counted.rows_missing && (shop_.receipts_unwritten() || shop_.last_forgotten() > through))
    throw BeingForgotten("somebody is being forgotten meanwhile");
  if (!counted.obstacle.empty())
    options_.log(fmt::format("models: {}: not counted anew after somebody was forgotten: {}; train it again", name,
                             counted.obstacle));
  if (counted.obstacle.empty() && counted.few())
    options_.log(
        fmt::format("models: {}: counts {} rows since somebody was forgotten, of {} that it was trained with: the "
                    "others were removed since; train it again",
                    name, counted.rows, counted.trained_rows));
  if (counted.changed) folders_.changed.insert(version.folder);
  return version_of_receipt(version.scenario, version.version, version.live, members,
                            counted.obstacle.empty() ? counts_of(counted) : "as trained: " + counted.obstacle,
                            counted.obstacle.empty());
}

/// A version whose files were counted anew takes its own place, where it answers.
void ModelShelf::put_in_place(const ModelVersion& version) {
  if (folders_.changed.count(version.folder) == 0) return;
  const auto models = shop_.models();
  if (version.live && std::any_of(models.begin(), models.end(), [&](const auto& model) {
        return model->name() == version.scenario && model->version() == version.version;
      }))
    shop_.publish(version.version, version.folder);
  if (version.shadow) shop_.shadow(version.version, version.folder);
  folders_.changed.erase(version.folder);
}

/// Receipts that were written before the version came name it now, or later.
void ModelShelf::name_in_receipts(const ModelVersion& version, json entry) {
  entry["live"] = version.live;
  std::optional<Micros> read;
  try {
    read = data_read_of(version.folder);
  } catch (const std::exception&) {
    // It may be of any time.
  }
  try {
    shop_.add_to_receipts(read, entry);
  } catch (const std::exception& problem) {
    options_.log(fmt::format("forgetting: receipts do not name {} {} for now: {}", version.scenario, version.version,
                             problem.what()));
    folders_.later.insert(version.folder);
    unfinished_ = true;
  }
}

void ModelShelf::recount() {
  const std::lock_guard one(work_mutex_);
  asked_ = false;
  remove_training_leftovers();
  const auto waiting = shop_.receipts_without_models();
  const auto versions = list();
  std::erase_if(folders_.later, [&](const std::string& folder) {
    return std::none_of(versions.begin(), versions.end(), [&](const auto& one) { return one.folder == folder; });
  });
  if (waiting.empty() && folders_.later.empty() && uncounted().empty()) {  // an earlier pass has done it
    unfinished_ = false;
    return;
  }
  const Micros through = shop_.last_forgotten();
  json entries = json::array();
  std::vector<ModelVersion> done;
  bool complete = true;
  for (const ModelVersion& version : versions) {
    if (stopping()) return;  // the next start does it
    Recounted one;
    try {
      if (!read_before_forgetting(version.folder)) {
        folders_.later.erase(version.folder);
        continue;
      }
      one = try_recount(version, through);
    } catch (const std::exception& problem) {  // it cannot be read
      one.state = may_pass(problem) ? Recounted::kLater : Recounted::kNever;
      one.entry = version_of_receipt(version.scenario, version.version, version.live, {},
                                     std::string("as trained: ") + problem.what());
    }
    if (stopping()) return;  // what was cut off is no result
    if (one.state == Recounted::kSoon) {
      unfinished_ = true;
      return;
    }
    complete = complete && one.state != Recounted::kLater;
    if (one.state != Recounted::kLater && folders_.later.erase(version.folder) > 0)
      name_in_receipts(version, one.entry);
    entries.push_back(one.entry);
    if (one.state == Recounted::kDone) done.push_back(version);
  }
  try {
    counted_through(done, through);
    shop_.complete_receipts(waiting, entries, through, complete);
  } catch (const Error& problem) {
    complete = false;
    options_.log(fmt::format("forgetting: receipts are not complete: {}", problem.what()));
  }
  unfinished_ = !complete || !folders_.later.empty();
}

void ModelShelf::counted_through(const std::vector<ModelVersion>& versions, Micros through) {
  State state = copy();
  for (const ModelVersion& version : versions)
    for (Entry& entry : state.at(version.scenario).versions)
      if (entry.version == version.version) entry.counted = through;
  if (!versions.empty()) commit(std::move(state));
}

void ModelShelf::on_forgetting(std::function<void()> remove_leftovers) {
  const std::lock_guard lock(leftovers_mutex_);
  remove_leftovers_ = std::move(remove_leftovers);
}

/// What trainings that failed or were stopped have left holds rows of those who were there then.
void ModelShelf::remove_training_leftovers() {
  const std::lock_guard lock(leftovers_mutex_);
  std::error_code ignored;
  if (remove_leftovers_)
    remove_leftovers_();
  else
    std::filesystem::remove_all(options_.folder + "/.training", ignored);
}

}  // namespace fewshop
