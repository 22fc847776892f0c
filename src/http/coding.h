#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace fewshop::http {

/// Content codings (header Content-Encoding): gzip, deflate (with and without zlib's header), zstd, identity.

/// Decodes a body piece by piece, so that a zip bomb ends at its limit and not in memory.
class Decoder {
 public:
  /// Nothing for identity and no coding. Throws HttpError 415 "unsupported_encoding" for others, for two at once too.
  static std::unique_ptr<Decoder> of(std::string_view content_encoding, size_t limit);
  virtual ~Decoder() = default;

  /// Appends what `data` decodes to. Throws HttpError 413 beyond the limit, 400 "invalid_body" for broken data.
  virtual void feed(std::string_view data, std::string& out) = 0;
  /// Throws HttpError 400 where the data is cut off.
  virtual void finish() = 0;
};

/// What Accept-Encoding lets us answer in; the first of zstd, gzip that it allows.
enum class Coding { kIdentity, kGzip, kZstd };
Coding accepted_coding(std::string_view accept_encoding);
std::string_view coding_name(Coding coding);

/// At the fastest level of each: the time is taken from the thread that serves.
std::string encode(Coding coding, std::string_view body);

/// Whether text of this content type is worth it.
bool is_compressible(std::string_view content_type);

}  // namespace fewshop::http
