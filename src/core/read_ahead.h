#pragma once

#include <cstdint>
#include <string>

namespace fewshop {

/// Asks the system to read a file into its cache, from the beginning to the end: what jumps about in it later (an
/// index, a table from its end) otherwise waits for the disk page by page. Returns before it is read. Nothing is done,
/// and false returned, where the file has less than `from` bytes, where memory has no room for twice as much, or where
/// it cannot be opened.
///
/// It opens the file and closes it, which takes away every lock that this process holds on it (fcntl): call it before a
/// database is opened.
bool read_ahead(const std::string& path, int64_t from = int64_t{64} << 20);

}  // namespace fewshop
