#pragma once

#include <memory>
#include <string>

#include "runtime/member.h"
#include "runtime/row_members.h"

namespace fewshop {

/// Where a training keeps finished fits and the checkpoint of the running one until its bundle is complete: a folder
/// beside the bundle. They are used again only by a training with the same key (data, scenario, seed, version).
class WorkFolder {
 public:
  /// Opens (or creates, or empties) the folder and locks it; `out` empty = nothing is kept. Throws Failure where it
  /// cannot be written, or where another training is at work on the same bundle.
  WorkFolder(const std::string& out, const std::string& key);

  /// The member that a stage has fitted, with what was chosen; null where it has not come so far.
  std::unique_ptr<Member> finished(const std::string& stage, nlohmann::json& chosen) const;
  void finish(const std::string& stage, const Member& member, const nlohmann::json& chosen) const;
  /// The same for members of rows; `other` reads kinds that the runtime does not know.
  std::unique_ptr<RowMember> finished_row(const std::string& stage, nlohmann::json& chosen,
                                          const RowMemberLoader& other) const;
  void finish_row(const std::string& stage, const RowMember& member, const nlohmann::json& chosen) const;
  /// Where a stage may keep its checkpoint; empty = nowhere.
  std::string checkpoint(const std::string& stage) const;

  void remove() const;

 private:
  void lock();
  template <class Load>
  auto read(const std::string& stage, nlohmann::json& chosen, Load&& load) const
      -> decltype(load(std::declval<TensorFile>()));
  template <class AnyMember>
  void keep(const std::string& stage, const AnyMember& member, const nlohmann::json& chosen) const;
  std::string file(const std::string& stage) const;

  std::string folder_;
  std::shared_ptr<int> lock_;
};

}  // namespace fewshop
