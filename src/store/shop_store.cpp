#include "store/shop_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>

#include "core/error.h"
#include "store/event_codec.h"
#include "store/event_queue.h"
#include "store/server_lock.h"
#include "store/shop_reader.h"
#include "store/shop_schema.h"
#include "store/shop_writer.h"

namespace fewshop {
namespace {

constexpr int kTruncateBusyMs = 100;

int on_log(void* pages, sqlite3*, const char*, int in_log) {
  *static_cast<int*>(pages) = in_log;
  return SQLITE_OK;
}

/// A new file is only there after a power loss when its folder is synced, too.
void sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

/// ShopStore in one SQLite file.
///
/// What a commit that fails leaves. SQLite takes the transaction back and memory is only changed after a commit, so
/// that nothing of it is seen. After a failed sync, though, the system may have marked pages of the log as written that
/// are not, and a later sync that succeeds says nothing of them: frames that are acknowledged later may stand behind a
/// hole. And the frames of the failed transaction may or may not be in the file, where a recovery after a crash would
/// find them. So the log is not used again: before the next change the connection is opened anew, the log (of which
/// every transaction up to the last acknowledged one was synced when it was acknowledged) is copied into the database,
/// the database is synced, the log is cut to nothing, and memory is filled from the database. While this fails, every
/// write() throws Failure and readers go on with what was acknowledged. A write() that threw may be found complete
/// after a crash in between, never in part.
///
/// A sync that fails while the log is copied is as bad, and SQLite keeps silent of it where it copies by itself: so
/// that is done here, too. And a database is opened in the same way: who had it before may have seen a sync fail.
class SqliteShopStore final : public ShopStore {
 public:
  SqliteShopStore(std::string path, const Options& options)
      : path_(std::move(path)),
        lock_(options.lock ? std::make_unique<ServerLock>(path_) : nullptr),
        options_{options.busy_ms, options.vfs, true},
        checkpoint_pages_(options.checkpoint_pages),
        reader_(path_, options_, queue_),
        now_(system_time()) {
    open_connection();
    const bool created = connection_->database().created();
    checkpoint();
    prepare_schema(*connection_);
    if (created && options_.vfs.empty()) sync_folder_of(path_);
    event_columns_ = event_columns(*connection_);
    fill_memory();
  }

  void write(const std::function<void(Writer&)>& change) override {
    const std::lock_guard lock(mutex_);
    transact([&](ShopWriter& writer) { change(writer); });
  }

  int64_t index(int64_t at_most, Micros now, Doubled* doubled) override {
    const std::lock_guard lock(mutex_);
    now_ = now;
    int64_t moved = 0;
    std::map<std::string, int64_t> changes;
    std::set<std::string> people;
    transact([&](ShopWriter& writer) {
      moved = writer.come_due(at_most);
      if (moved < at_most) moved += writer.drain(at_most - moved);
      changes = writer.item_changes();
      people = writer.doubled();
    });
    if (!doubled) return moved;
    for (const auto& [id, rows] : changes) doubled->rows[id] = -rows;
    doubled->people = std::move(people);
    return moved;
  }

  int64_t queued() const override { return queue_.size(); }

  bool truncate_log() override {
    const std::lock_guard lock(mutex_);
    if (!sound_) recover();
    // Whoever waits here lets writers wait: a reader that takes long is asked about again later.
    connection_->database().set_busy_ms(kTruncateBusyMs);
    bool done = false;
    try {
      done = checkpoint();
    } catch (...) {
      sound_ = false;
      throw;
    }
    connection_->database().set_busy_ms(options_.busy_ms);
    return done;
  }

  bool has_event(const std::string& event_id) override { return reader_.has_event(event_id); }
  bool counts_row(const std::string& event_id, const std::string& item_id) override {
    return reader_.counts_row(event_id, item_id);
  }
  std::vector<uint64_t> removed_id_hashes() override { return reader_.removed_id_hashes(); }
  void each_event_id(int64_t at_most, const std::function<void(std::string_view)>& use) override {
    reader_.each_event_id(at_most, use);
  }
  std::vector<EventRow> history(const std::string& user_id, const std::string& client_id, int64_t at_most,
                                Micros until) override {
    return reader_.history(user_id, client_id, at_most, until);
  }
  std::vector<EventRow> served_rows(const std::string& user_id, const std::string& client_id,
                                    const RowsWanted& wanted) override {
    return reader_.served_rows(user_id, client_id, wanted);
  }
  void each_event(const std::function<void(const EventRow&)>& use) override { reader_.each_event(use); }
  std::map<std::string, int64_t> rows_elsewhere(const std::string& user_id) override {
    return reader_.rows_elsewhere(user_id);
  }
  std::vector<EventRow> withheld(const std::string& user_id) override { return reader_.withheld(user_id); }
  bool scan_rows(Place& place, int64_t at_most, const std::function<bool(std::string_view, Micros)>& wanted,
                 std::vector<OldRow>& found) override {
    return reader_.scan_rows(place, at_most, wanted, found);
  }
  Counts counts() override { return reader_.counts(); }
  std::optional<UserRecord> user(const std::string& user_id) override { return reader_.user(user_id); }
  std::optional<ItemRecord> item(const std::string& item_id) override { return reader_.item(item_id); }
  Page<UserRecord> users(int64_t n, const std::string& cursor) override { return reader_.users(n, cursor); }
  Page<ItemRecord> items(int64_t n, const std::string& cursor, const std::string& search) override {
    return reader_.items(n, cursor, search);
  }
  Page<FeedbackRecord> feedback(const std::string& event, const std::string& user_id, const std::string& item_id,
                                int64_t n, const std::string& cursor) override {
    return reader_.feedback(event, user_id, item_id, n, cursor);
  }
  void each_item(const std::function<void(const ItemRecord&)>& use) override { reader_.each_item(use); }
  std::optional<Columns> user_columns(const std::string& user_id) override {
    return reader_.columns("users", "user_id", user_id);
  }
  std::optional<Columns> item_columns(const std::string& item_id) override {
    return reader_.columns("items", "item_id", item_id);
  }
  void each_item_columns(const std::function<void(const std::string&, const Columns&)>& use) override {
    reader_.each_item_columns(use);
  }
  std::vector<std::string> items_where(const std::string& condition) override { return reader_.items_where(condition); }
  bool item_where(const std::string& condition, const std::string& item_id) override {
    return reader_.item_where(condition, item_id);
  }
  void each_item_count(Micros now, const std::function<void(const std::string&, int64_t)>& use) override {
    reader_.each_item_count(now, use);
  }
  void each_future_row(Micros now, const std::function<void(const EventRow&)>& use) override {
    reader_.each_future_row(now, use);
  }
  void each_actor(const std::function<bool(const std::string&, const std::string&)>& use) override {
    reader_.each_actor(use);
  }
  std::vector<Actor> actors_of_item(const std::string& item_id, int64_t at_most) override {
    return reader_.actors_of_item(item_id, at_most);
  }
  std::map<std::string, std::string> joins() override { return reader_.joins(); }
  std::vector<std::string> refusals() override { return reader_.refusals(); }
  std::optional<nlohmann::json> setting(const std::string& name) override { return reader_.setting(name); }
  std::map<std::string, nlohmann::json> settings(const std::string& prefix) override {
    return reader_.settings(prefix);
  }
  int64_t rows_removed_since(Micros time) override { return reader_.rows_removed_since(time); }

 private:
  void open_connection() {
    connection_ = std::make_unique<Connection>(path_, Store::Access::kWrite, options_);
    connection_->exec("pragma secure_delete = on");
    connection_->exec("pragma cache_size = -65536");
    connection_->exec("pragma wal_autocheckpoint = 0");
    sqlite3_wal_hook(connection_->database().handle(), on_log, &log_pages_);
    // A log that a long reader has let grow is cut afterwards.
    connection_->exec("pragma journal_size_limit = 67108864");
  }

  void fill_memory() {
    queue_.clear();
    identity_ = Identity::read(*connection_);
    int64_t last = 0;
    auto query = connection_->query("select batch, events from fewshop_queue order by batch");
    while (query.step()) {
      last = query.integer(0);
      queue_.add(last, decode_events(query.view(1)));
    }
    next_batch_ = std::max(next_batch_, last + 1);
  }

  /// Copies the log into the database and cuts it to nothing; false where a reader needs it.
  bool checkpoint() {
    int left = 0;
    sqlite3* handle = connection_->database().handle();
    const int status = sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_TRUNCATE, &left, nullptr);
    if (status == SQLITE_BUSY) return false;
    if (status != SQLITE_OK) connection_->database().fail(status, path_);
    return true;
  }

  /// See above. Throws Failure where the disk does not allow it.
  void recover() {
    connection_.reset();
    try {
      open_connection();
      if (!checkpoint())
        throw Failure(path_ + ": the write-ahead log, after a failed write, is still being read; try again");
      fill_memory();
      sound_ = true;
    } catch (const InvalidInput& error) {
      // Nothing was asked wrongly: the disk refuses what it allowed before.
      throw Failure(error.what());
    }
  }

  template <class Change>
  void transact(Change&& change) {
    if (!sound_) recover();
    ShopWriter writer({*connection_, queue_, identity_, event_columns_, next_batch_, now_});
    try {
      connection_->exec("begin immediate");
      change(writer);
      writer.finish();
      connection_->exec("commit");
    } catch (...) {
      undo(writer.identity_changed());
      throw;
    }
    next_batch_ = writer.next_batch();
    // In this order: an event may replace one of its own id that has just left the queue.
    queue_.drop_through(writer.drained_through());
    for (auto& [number, events] : writer.batches()) queue_.add(number, std::move(events));
    if (log_pages_ < checkpoint_pages_) return;
    // Waits for nobody; what readers still need is copied the next time. The change itself is durable already.
    const int status = sqlite3_wal_checkpoint_v2(connection_->database().handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                                 nullptr, nullptr);
    if (status != SQLITE_OK && status != SQLITE_BUSY) sound_ = false;
  }

  /// Takes back what has not been committed.
  void undo(bool identity_changed) noexcept {
    sqlite3* handle = connection_->database().handle();
    const int error = sqlite3_errcode(handle) & 0xff;
    // A full disk has ended the transaction itself, perhaps.
    sqlite3_exec(handle, "rollback", nullptr, nullptr, nullptr);
    const bool harmless = error == SQLITE_OK || error == SQLITE_ROW || error == SQLITE_DONE || error == SQLITE_BUSY ||
                          error == SQLITE_ERROR || error == SQLITE_CONSTRAINT || error == SQLITE_TOOBIG ||
                          error == SQLITE_FULL || error == SQLITE_NOMEM || error == SQLITE_MISMATCH;
    if (!harmless || !sqlite3_get_autocommit(handle)) sound_ = false;
    if (!identity_changed || !sound_) return;
    try {
      identity_ = Identity::read(*connection_);
    } catch (...) {
      sound_ = false;
    }
  }

  std::string path_;
  std::unique_ptr<ServerLock> lock_;
  DatabaseOptions options_;
  int checkpoint_pages_;
  EventQueue queue_;
  ShopReader reader_;

  std::mutex mutex_;   // of all below
  int log_pages_ = 0;  // outlives the connection, which writes it
  std::unique_ptr<Connection> connection_;
  bool sound_ = true;  // false after a write that failed, until recover()
  std::string event_columns_;
  Identity identity_;
  int64_t next_batch_ = 1;
  Micros now_;
};

}  // namespace

std::unique_ptr<ShopStore> ShopStore::open(const std::string& location, const Options& options) {
  const std::string path = database_path(location);
  require(options.create || ::access(path.c_str(), F_OK) == 0, path, ": no such database");
  return std::make_unique<SqliteShopStore>(path, options);
}

}  // namespace fewshop
