#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fewshop {

/// The bytes of a file, decompressed when its first bytes say zstd or gzip (several frames or members count as one).
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// Puts at most `size` bytes at `data`; 0 at the end. Throws InvalidInput when compressed data is damaged or ends
  /// early, Failure when the disk cannot be read.
  virtual size_t read(char* data, size_t size) = 0;

  /// Bytes of the file itself that have been read so far (progress).
  virtual int64_t position() const = 0;
};

/// Throws InvalidInput for a missing file, a directory, and what may not be read.
std::unique_ptr<ByteSource> open_bytes(const std::string& path);

/// Size of the file in bytes, 0 when it is unknown (a pipe).
int64_t file_bytes(const std::string& path);

}  // namespace fewshop
