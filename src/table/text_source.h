#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "table/byte_source.h"

namespace fewshop {

enum class Encoding { kUtf8, kLatin1 };

/// A record (a line, a quoted field) is at most this long: beyond it the file is hardly the text that it was taken for.
inline constexpr size_t kMaxRecordBytes = size_t{16} << 20;

/// A window over the text of a file: UTF-8 without byte order mark (declared Latin-1 is converted; UTF-8 itself is
/// checked later, record by record).
///
///   while (...) { look at window(); if it is too short: fill(); consume(what was used); }
///
/// Views into the window are valid until the next fill().
class TextSource {
 public:
  TextSource(const std::string& path, Encoding encoding);

  const std::string& path() const { return path_; }
  std::string_view window() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }

  /// Appends more text to the window; false at the end of the file.
  bool fill();
  void consume(size_t size) { begin_ += size; }

  /// The next line without its end ("\n" or "\r\n"); false at the end. Valid until the next call of anything here.
  /// Throws InvalidInput for a line above kMaxRecordBytes.
  bool next_line(std::string_view& line);

  int64_t position() const { return bytes_->position(); }

 private:
  size_t read_text(char* data, size_t size);
  void skip_byte_order_mark();

  std::string path_;
  Encoding encoding_;
  std::unique_ptr<ByteSource> bytes_;
  std::string buffer_, raw_;
  size_t begin_ = 0, end_ = 0;
  bool started_ = false;
};

}  // namespace fewshop
