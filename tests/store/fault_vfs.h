#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace fewshop::testing {

/// An SQLite VFS over the default one whose disk fails when it is told to. Writes lie in memory until they are synced,
/// as in a system's page cache, and are seen by every connection of this VFS; only a sync brings them to the file. One
/// at a time; all connections through it are closed before it goes.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  /// What ShopStore::Options::vfs takes.
  const std::string& name() const { return name_; }

  /// The n-th sync from now (1: the next one), and `count` in all, fails; what it should have written stays unwritten
  /// and is taken for written, as Linux does it, unless `keeps` says that the disk has it nevertheless.
  void fail_sync(int64_t n, int64_t count = 1, bool keeps = false);
  /// The first `count` reads after the next sync that succeeds fail.
  void fail_reads_after_sync(int64_t count);
  /// Writes that would make a file longer than `bytes` fail with SQLITE_FULL; -1: none.
  void limit_size(int64_t bytes);
  /// Power goes after n more writes and syncs: from then on everything fails.
  void cut_power_after(int64_t n);
  bool power_is_cut() const;
  /// With all connections closed: of the writes that were not synced each sector reached the disk, or did not, by
  /// chance; the power is back.
  void restore_power(uint64_t seed);

  int64_t operations() const;  // writes and syncs since the beginning

 private:
  std::string name_;
};

}  // namespace fewshop::testing
