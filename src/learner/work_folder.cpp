#include "learner/work_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "runtime/members.h"

namespace fewshop {

namespace fs = std::filesystem;

WorkFolder::WorkFolder(const std::string& out, const std::string& key) {
  if (out.empty()) return;
  fs::path bundle = fs::absolute(out).lexically_normal();
  if (bundle.filename().empty()) bundle = bundle.parent_path();
  folder_ = bundle.string() + ".training";
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw Failure(folder_ + ": cannot be created: " + error.message());
  lock();
  std::string found;
  std::ifstream(folder_ + "/key") >> found;
  if (found == key) {
    say("train: continues the interrupted training in " + folder_);
    return;
  }
  // The key comes last: a folder that was emptied half way belongs to nobody.
  fs::remove(folder_ + "/key");
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().filename() != "lock") fs::remove_all(entry.path());
  std::ofstream file(folder_ + "/key");
  file << key;
  file.close();
  if (!file) throw Failure(folder_ + "/key: cannot be written (" + std::strerror(errno) + ")");
}

/// Two trainings into one folder would write over each other's fits. The lock goes with the process, killed or not.
void WorkFolder::lock() {
  const int file = open((folder_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) throw Failure(folder_ + ": cannot be written");
  lock_ = std::shared_ptr<int>(new int(file), [](int* f) {
    close(*f);
    delete f;
  });
  if (flock(file, LOCK_EX | LOCK_NB) != 0)
    throw Failure(folder_ + ": another training is writing this model; wait for it, or choose another --out");
}

std::string WorkFolder::file(const std::string& stage) const { return folder_ + "/" + stage + ".safetensors"; }

std::string WorkFolder::checkpoint(const std::string& stage) const {
  return folder_.empty() ? "" : folder_ + "/" + stage + ".checkpoint";
}

template <class Load>
auto WorkFolder::read(const std::string& stage, nlohmann::json& chosen, Load&& load) const
    -> decltype(load(std::declval<TensorFile>())) {
  if (folder_.empty() || !fs::exists(file(stage))) return nullptr;
  try {
    const TensorFile kept = TensorFile::load(file(stage));
    nlohmann::json read = nlohmann::json::parse(kept.text("chosen"));
    auto member = load(kept);
    if (member) chosen = std::move(read);
    return member;
  } catch (const std::exception& damaged) {
    say(fmt::format("train: {} is damaged and is fitted again ({})", file(stage), damaged.what()));
    return nullptr;
  }
}

template <class AnyMember>
void WorkFolder::keep(const std::string& stage, const AnyMember& member, const nlohmann::json& chosen) const {
  if (folder_.empty()) return;
  TensorFile kept;
  member.save(kept);
  kept.put_text("chosen", chosen.dump());
  kept.save(file(stage));
  fs::remove(checkpoint(stage));
}

std::unique_ptr<Member> WorkFolder::finished(const std::string& stage, nlohmann::json& chosen) const {
  return read(stage, chosen, [](const TensorFile& kept) { return load_member(kept); });
}

std::unique_ptr<RowMember> WorkFolder::finished_row(const std::string& stage, nlohmann::json& chosen,
                                                    const RowMemberLoader& other) const {
  return read(stage, chosen, [&](const TensorFile& kept) { return load_row_member(kept, other); });
}

void WorkFolder::finish(const std::string& stage, const Member& member, const nlohmann::json& chosen) const {
  keep(stage, member, chosen);
}

void WorkFolder::finish_row(const std::string& stage, const RowMember& member, const nlohmann::json& chosen) const {
  keep(stage, member, chosen);
}

void WorkFolder::remove() const {
  if (!folder_.empty()) fs::remove_all(folder_);
}

}  // namespace fewshop
