#include "table/text_source.h"

#include <cstring>

#include "core/error.h"

namespace fewshop {
namespace {

constexpr size_t kLeastFree = 1 << 18;

}  // namespace

TextSource::TextSource(const std::string& path, Encoding encoding)
    : path_(path), encoding_(encoding), bytes_(open_bytes(path)) {}

bool TextSource::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  // Doubling keeps the cost of long records linear, also for readers that begin again at their first byte.
  if (buffer_.size() - end_ < kLeastFree) buffer_.resize(std::max(2 * buffer_.size(), 2 * kLeastFree));
  const size_t n = read_text(buffer_.data() + end_, buffer_.size() - end_);
  end_ += n;
  if (!started_ && n > 0) skip_byte_order_mark();
  return n > 0;
}

size_t TextSource::read_text(char* data, size_t size) {
  if (encoding_ == Encoding::kUtf8) {
    // At the beginning at least a byte order mark is needed in one piece.
    size_t n = bytes_->read(data, size);
    while (!started_ && n > 0 && n < 4) {
      const size_t more = bytes_->read(data + n, size - n);
      if (more == 0) break;
      n += more;
    }
    return n;
  }
  raw_.resize(size / 2);
  const size_t n = bytes_->read(raw_.data(), raw_.size());
  size_t written = 0;
  for (size_t i = 0; i < n; ++i) {
    const auto c = static_cast<unsigned char>(raw_[i]);
    if (c < 0x80) {
      data[written++] = static_cast<char>(c);
    } else {
      data[written++] = static_cast<char>(0xc0 | c >> 6);
      data[written++] = static_cast<char>(0x80 | (c & 0x3f));
    }
  }
  return written;
}

void TextSource::skip_byte_order_mark() {
  started_ = true;
  if (encoding_ == Encoding::kLatin1) return;
  const std::string_view text = window();
  if (text.starts_with("\xef\xbb\xbf")) begin_ += 3;
  require(!text.starts_with("\xff\xfe") && !text.starts_with("\xfe\xff"), path_,
          ": UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8");
}

bool TextSource::next_line(std::string_view& line) {
  size_t searched = 0;
  for (;;) {
    const std::string_view text = window();
    const size_t end = text.find('\n', searched);
    if (end != std::string_view::npos) {
      line = text.substr(0, end);
      consume(end + 1);
      break;
    }
    searched = text.size();
    require(searched <= kMaxRecordBytes, path_, ": a line is longer than ", kMaxRecordBytes >> 20,
            " MiB; is this a text file?");
    if (fill()) continue;
    if (text.empty()) return false;
    line = window();
    consume(line.size());
    break;
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

}  // namespace fewshop
