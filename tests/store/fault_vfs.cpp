#include "store/fault_vfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/random.h"

namespace fewshop::testing {
namespace {

constexpr int64_t kSector = 512;

struct Change {
  int64_t offset = 0;
  std::string bytes;
  int64_t truncate = -1;  // to this length, where it is not a write
};

void make(std::string& content, const Change& change) {
  if (change.truncate >= 0) {
    content.resize(static_cast<size_t>(change.truncate));
    return;
  }
  const auto end = static_cast<size_t>(change.offset) + change.bytes.size();
  if (content.size() < end) content.resize(end);
  std::memcpy(content.data() + change.offset, change.bytes.data(), change.bytes.size());
}

/// A file as programs see it, and what of it the disk has not.
struct Content {
  std::string seen, on_disk;
  std::vector<Change> unsynced;
};

struct State {
  std::mutex mutex;
  std::map<std::string, Content> files;
  int64_t operations = 0, sync_fails_in = 0, sync_failures = 0, size_limit = -1, power_left = -1;
  int64_t reads_after_sync = 0, failing_reads = 0;
  bool keeps = false, power_cut = false;

  /// Counts a write or a sync; false when the power is off.
  bool operate() {
    ++operations;
    if (power_left == 0) power_cut = true;
    if (power_left > 0) --power_left;
    return !power_cut;
  }
};

State* state = nullptr;  // of the one FaultVfs there is
sqlite3_vfs* real = nullptr;

/// Without truncating first: after that a file system would bring the file to the disk at once.
void store(const std::string& path, const std::string& content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  const bool stored = ::pwrite(file, content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()) &&
                      ::ftruncate(file, static_cast<off_t>(content.size())) == 0;
  ::close(file);
  if (!stored) std::abort();
}

struct File {
  sqlite3_file base;
  Content* content;
  char path[512];
  sqlite3_file* real_file() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* under(sqlite3_file* file) { return of(file)->real_file(); }

int x_close(sqlite3_file* file) { return under(file)->pMethods->xClose(under(file)); }

int x_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  const std::lock_guard lock(state->mutex);
  if (state->failing_reads > 0) {
    --state->failing_reads;
    return SQLITE_IOERR_READ;
  }
  const std::string& seen = of(file)->content->seen;
  const auto have = std::clamp<int64_t>(static_cast<int64_t>(seen.size()) - offset, 0, size);
  if (have > 0) std::memcpy(out, seen.data() + offset, static_cast<size_t>(have));
  if (have == size) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + have, 0, static_cast<size_t>(size - have));
  return SQLITE_IOERR_SHORT_READ;
}

int x_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const std::lock_guard lock(state->mutex);
  if (!state->operate()) return SQLITE_IOERR_WRITE;
  if (state->size_limit >= 0 && offset + size > state->size_limit) return SQLITE_FULL;
  Content& content = *of(file)->content;
  Change change{offset, std::string(static_cast<const char*>(bytes), static_cast<size_t>(size))};
  make(content.seen, change);
  content.unsynced.push_back(std::move(change));
  return SQLITE_OK;
}

int x_truncate(sqlite3_file* file, sqlite3_int64 size) {
  const std::lock_guard lock(state->mutex);
  if (!state->operate()) return SQLITE_IOERR_TRUNCATE;
  Content& content = *of(file)->content;
  content.unsynced.push_back({0, "", size});
  make(content.seen, content.unsynced.back());
  return SQLITE_OK;
}

int x_sync(sqlite3_file* file, int) {
  const std::lock_guard lock(state->mutex);
  if (!state->operate()) return SQLITE_IOERR_FSYNC;
  Content& content = *of(file)->content;
  const bool fails = state->sync_failures > 0 && --state->sync_fails_in <= 0;
  if (fails) --state->sync_failures;
  if (!fails || state->keeps) {
    for (const Change& change : content.unsynced) make(content.on_disk, change);
    store(of(file)->path, content.on_disk);
  }
  content.unsynced.clear();
  if (!fails) state->failing_reads += std::exchange(state->reads_after_sync, 0);
  return fails ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

int x_size(sqlite3_file* file, sqlite3_int64* size) {
  const std::lock_guard lock(state->mutex);
  *size = static_cast<sqlite3_int64>(of(file)->content->seen.size());
  return SQLITE_OK;
}

int x_lock(sqlite3_file* file, int kind) { return under(file)->pMethods->xLock(under(file), kind); }
int x_unlock(sqlite3_file* file, int kind) { return under(file)->pMethods->xUnlock(under(file), kind); }
int x_reserved(sqlite3_file* file, int* out) { return under(file)->pMethods->xCheckReservedLock(under(file), out); }
int x_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int x_sector(sqlite3_file*) { return kSector; }
int x_device(sqlite3_file*) { return 0; }
int x_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return under(file)->pMethods->xShmMap(under(file), page, size, extend, out);
}
int x_shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  return under(file)->pMethods->xShmLock(under(file), offset, n, flags);
}
void x_barrier(sqlite3_file* file) { under(file)->pMethods->xShmBarrier(under(file)); }
int x_unmap(sqlite3_file* file, int remove) { return under(file)->pMethods->xShmUnmap(under(file), remove); }

constexpr sqlite3_io_methods kMethods = {2,          x_close,   x_read,     x_write,   x_truncate, x_sync,   x_size,
                                         x_lock,     x_unlock,  x_reserved, x_control, x_sector,   x_device, x_map,
                                         x_shm_lock, x_barrier, x_unmap,    nullptr,   nullptr};

int x_open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  // Files without a name are of SQLite's own and of no interest.
  if (!path || std::strlen(path) >= sizeof(File::path)) return SQLITE_CANTOPEN;
  const std::lock_guard lock(state->mutex);
  if (state->power_cut) return SQLITE_CANTOPEN;
  const int status = real->xOpen(real, path, under(file), flags, out_flags);
  if (status != SQLITE_OK) return status;
  std::strcpy(of(file)->path, path);
  const auto [found, first] = state->files.try_emplace(path);
  if (first) {
    std::ifstream in(path, std::ios::binary);
    found->second.on_disk.assign(std::istreambuf_iterator<char>(in), {});
    found->second.seen = found->second.on_disk;
  }
  of(file)->content = &found->second;
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int x_delete(sqlite3_vfs*, const char* path, int) {
  const std::lock_guard lock(state->mutex);
  if (state->power_cut) return SQLITE_IOERR_DELETE;
  const auto found = state->files.find(path);
  if (found != state->files.end()) found->second = {};
  return real->xDelete(real, path, 0);
}

sqlite3_vfs vfs;

}  // namespace

FaultVfs::FaultVfs() : name_("fewshop-fault") {
  state = new State;
  real = sqlite3_vfs_find(nullptr);
  vfs = *real;
  vfs.zName = name_.c_str();
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
  vfs.xOpen = x_open;
  vfs.xDelete = x_delete;
  sqlite3_vfs_register(&vfs, 0);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&vfs);
  delete state;
  state = nullptr;
}

void FaultVfs::fail_sync(int64_t n, int64_t count, bool keeps) {
  const std::lock_guard lock(state->mutex);
  state->sync_fails_in = n;
  state->sync_failures = count;
  state->keeps = keeps;
}

void FaultVfs::fail_reads_after_sync(int64_t count) {
  const std::lock_guard lock(state->mutex);
  state->reads_after_sync = count;
}

void FaultVfs::limit_size(int64_t bytes) {
  const std::lock_guard lock(state->mutex);
  state->size_limit = bytes;
}

void FaultVfs::cut_power_after(int64_t n) {
  const std::lock_guard lock(state->mutex);
  state->power_left = n;
}

bool FaultVfs::power_is_cut() const {
  const std::lock_guard lock(state->mutex);
  return state->power_cut;
}

int64_t FaultVfs::operations() const {
  const std::lock_guard lock(state->mutex);
  return state->operations;
}

void FaultVfs::restore_power(uint64_t seed) {
  const std::lock_guard lock(state->mutex);
  Random random(seed);
  for (auto& [path, content] : state->files) {
    for (const Change& change : content.unsynced) {
      if (change.truncate >= 0) {
        if (random.below(2)) make(content.on_disk, change);
        continue;
      }
      for (int64_t at = 0; at < static_cast<int64_t>(change.bytes.size()); at += kSector)
        if (random.below(2))
          make(content.on_disk, {change.offset + at, change.bytes.substr(static_cast<size_t>(at), kSector)});
    }
    // What was deleted stays so; SQLite makes an empty log again where it needs one.
    if (!content.on_disk.empty()) store(path, content.on_disk);
  }
  state->files.clear();
  state->power_left = -1;
  state->power_cut = false;
  state->sync_failures = 0;
}

}  // namespace fewshop::testing
