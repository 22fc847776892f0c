#pragma once

#include <memory>
#include <string>

#include "store/store.h"

namespace fewshop {

/// A store in one SQLite file (write-ahead log, synchronous = FULL). `open_store` is the door to use.
std::unique_ptr<Store> open_sqlite(const std::string& path, Store::Access access, const StoreOptions& options);

}  // namespace fewshop
