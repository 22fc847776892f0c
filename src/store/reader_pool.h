#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/connection.h"

namespace fewshop {

/// Read-only connections, taken by any thread and given back.
class ReaderPool {
 public:
  ReaderPool(std::string path, DatabaseOptions options) : path_(std::move(path)), options_(std::move(options)) {}

  /// A connection, given back at the end. snapshot(): what it reads from then on is one state of the database.
  class Reader {
   public:
    Reader(ReaderPool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader();
    Connection* operator->() { return connection_.get(); }
    Connection& operator*() { return *connection_; }
    void snapshot();

   private:
    ReaderPool& pool_;
    std::unique_ptr<Connection> connection_;
  };
  Reader take();

 private:
  // More are opened where more threads read at once; so many are kept.
  static constexpr size_t kKept = 8;

  std::string path_;
  DatabaseOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace fewshop
