#include "store/reader_pool.h"

namespace fewshop {

ReaderPool::Reader ReaderPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return {*this, std::move(connection)};
    }
  }
  return {*this, std::make_unique<Connection>(path_, Store::Access::kRead, options_)};
}

void ReaderPool::Reader::snapshot() { connection_->query("begin").run(); }

ReaderPool::Reader::~Reader() {
  sqlite3* handle = connection_->database().handle();
  // Statements have ended before: they live in the scope of the reader.
  if (!sqlite3_get_autocommit(handle) && sqlite3_exec(handle, "commit", nullptr, nullptr, nullptr) != SQLITE_OK) return;
  const std::lock_guard lock(pool_.mutex_);
  if (pool_.idle_.size() < kKept) pool_.idle_.push_back(std::move(connection_));
}

}  // namespace fewshop
