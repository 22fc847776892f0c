#include "table/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace fewshop {
namespace {

constexpr size_t kChunk = 1 << 17;

/// A file as it lies on disk, with the possibility to look at its first bytes.
class PlainFile : public ByteSource {
 public:
  explicit PlainFile(std::string path) : path_(std::move(path)) {
    struct stat status = {};
    require(!path_.empty(), "import: a file name is empty");
    const bool exists = ::stat(path_.c_str(), &status) == 0;
    require(exists, path_, ": ", std::strerror(errno), "; expected a file (plain, zstd or gzip)");
    require(!S_ISDIR(status.st_mode), path_, ": expected a file, got a directory");
    // Files are read more than once (header, types, rows), which a pipe does not allow, and opening one may never end.
    require(S_ISREG(status.st_mode), path_,
            ": expected a file, got a pipe or a device; write what it gives into a file first");
    file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    require(file_ >= 0, path_, ": cannot be read: ", std::strerror(errno));
  }
  ~PlainFile() override { ::close(file_); }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  size_t read(char* data, size_t size) override {
    if (peeked_at_ < peeked_.size()) {
      const size_t n = std::min(size, peeked_.size() - peeked_at_);
      std::memcpy(data, peeked_.data() + peeked_at_, n);
      peeked_at_ += n;
      return n;
    }
    return read_file(data, size);
  }

  int64_t position() const override { return position_; }
  const std::string& path() const { return path_; }

  std::string_view peek(size_t size) {
    while (peeked_.size() < size) {
      char byte = 0;
      if (read_file(&byte, 1) == 0) break;
      peeked_ += byte;
    }
    return peeked_;
  }

 private:
  size_t read_file(char* data, size_t size) {
    for (;;) {
      const ssize_t n = ::read(file_, data, size);
      if (n >= 0) {
        position_ += n;
        return static_cast<size_t>(n);
      }
      if (errno != EINTR) throw Failure(path_ + ": cannot be read: " + std::strerror(errno));
    }
  }

  std::string path_, peeked_;
  size_t peeked_at_ = 0;
  int file_ = -1;
  int64_t position_ = 0;
};

class ZstdFile : public ByteSource {
 public:
  explicit ZstdFile(std::unique_ptr<PlainFile> file)
      : file_(std::move(file)), input_(kChunk), stream_(ZSTD_createDStream()) {
    if (!stream_) throw std::bad_alloc();
  }
  ~ZstdFile() override { ZSTD_freeDStream(stream_); }
  ZstdFile(const ZstdFile&) = delete;
  ZstdFile& operator=(const ZstdFile&) = delete;

  size_t read(char* data, size_t size) override {
    ZSTD_outBuffer out{data, size, 0};
    while (out.pos == 0 && size > 0) {
      if (in_.pos == in_.size && !refill()) {
        // What the decoder still holds comes out first.
        const size_t before = out.pos;
        if (status_ != 0) step(out);
        if (out.pos > before) break;
        require(status_ == 0, file_->path(), ": the zstd data ends early; the file is cut off, get it again");
        return 0;
      }
      step(out);
    }
    return out.pos;
  }

  int64_t position() const override { return file_->position(); }

 private:
  bool refill() {
    in_ = {input_.data(), file_->read(input_.data(), input_.size()), 0};
    return in_.size > 0;
  }
  void step(ZSTD_outBuffer& out) {
    status_ = ZSTD_decompressStream(stream_, &out, &in_);
    require(!ZSTD_isError(status_), file_->path(), ": the zstd data is damaged (", ZSTD_getErrorName(status_), ")");
  }

  std::unique_ptr<PlainFile> file_;
  std::vector<char> input_;
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  size_t status_ = 0;  // 0: at the end of a frame
};

class GzipFile : public ByteSource {
 public:
  explicit GzipFile(std::unique_ptr<PlainFile> file) : file_(std::move(file)), input_(kChunk) {
    constexpr int kGzipOnly = 15 + 16;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipFile() override { inflateEnd(&stream_); }
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  size_t read(char* data, size_t size) override {
    stream_.next_out = reinterpret_cast<Bytef*>(data);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out == size && size > 0) {
      if (stream_.avail_in == 0 && !refill()) {
        require(ended_, file_->path(), ": the gzip data ends early; the file is cut off, get it again");
        return 0;
      }
      if (ended_) {  // another member follows
        inflateReset(&stream_);
        ended_ = false;
      }
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        ended_ = true;
      } else {
        require(status == Z_OK || status == Z_BUF_ERROR, file_->path(), ": the gzip data is damaged (",
                stream_.msg ? stream_.msg : "no more is known", ")");
      }
    }
    return size - stream_.avail_out;
  }

  int64_t position() const override { return file_->position(); }

 private:
  bool refill() {
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(file_->read(input_.data(), input_.size()));
    return stream_.avail_in > 0;
  }

  std::unique_ptr<PlainFile> file_;
  std::vector<char> input_;
  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::string& path) {
  auto file = std::make_unique<PlainFile>(path);
  const std::string_view magic = file->peek(4);
  if (magic == "\x28\xb5\x2f\xfd") return std::make_unique<ZstdFile>(std::move(file));
  if (magic.starts_with("\x1f\x8b")) return std::make_unique<GzipFile>(std::move(file));
  return file;
}

int64_t file_bytes(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;
}

}  // namespace fewshop
