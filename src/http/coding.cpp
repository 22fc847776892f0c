#include "http/coding.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/text.h"
#include "http/route.h"

namespace fewshop::http {
namespace {

[[noreturn]] void broken(const char* what) {
  throw HttpError(400, "invalid_body", std::string("the body is not ") + what + ", or is cut off");
}

class LimitedDecoder : public Decoder {
 public:
  explicit LimitedDecoder(size_t limit) : limit_(limit) {}

 protected:
  void append(std::string& out, const char* data, size_t size) const {
    if (out.size() + size > limit_)
      throw HttpError(413, "body_too_large", "the decompressed body is over " + std::to_string(limit_) + " bytes");
    out.append(data, size);
  }

 private:
  size_t limit_;
};

class ZlibDecoder : public LimitedDecoder {
 public:
  ZlibDecoder(size_t limit, bool gzip) : LimitedDecoder(limit), gzip_(gzip) {}
  ~ZlibDecoder() override {
    if (open_) inflateEnd(&stream_);
  }

  void feed(std::string_view data, std::string& out) override {
    if (data.empty()) return;
    if (!open_) {
      // What "deflate" means was never settled: with zlib's header by the standard, without by some clients. The
      // header's first byte names method 8.
      const int bits = gzip_ ? 15 + 16 : (data.front() & 0x0f) == 8 ? 15 : -15;
      if (inflateInit2(&stream_, bits) != Z_OK) throw std::bad_alloc();
      open_ = true;
    }
    char piece[16 << 10];
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream_.avail_in = static_cast<uInt>(data.size());
    for (;;) {
      if (ended_) {
        // A gzip file may have several members, as written by parallel compressors.
        if (stream_.avail_in == 0) return;
        if (!gzip_ || inflateReset(&stream_) != Z_OK) broken(name());
        ended_ = false;
      }
      stream_.next_out = reinterpret_cast<Bytef*>(piece);
      stream_.avail_out = sizeof piece;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) broken(name());
      append(out, piece, sizeof piece - stream_.avail_out);
      if (status == Z_STREAM_END)
        ended_ = true;
      else if (stream_.avail_out != 0)
        return;
    }
  }
  void finish() override {
    if (!ended_) broken(name());
  }

 private:
  const char* name() const { return gzip_ ? "gzip" : "deflate"; }

  z_stream stream_{};
  bool gzip_, open_ = false, ended_ = false;
};

class ZstdDecoder : public LimitedDecoder {
 public:
  explicit ZstdDecoder(size_t limit) : LimitedDecoder(limit), context_(ZSTD_createDCtx()) {
    if (!context_) throw std::bad_alloc();
    // The window is memory that the sender chooses: 8 MiB is what every decoder must take (RFC 8878).
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 23);
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  void feed(std::string_view data, std::string& out) override {
    char piece[16 << 10];
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    for (;;) {
      ZSTD_outBuffer result{piece, sizeof piece, 0};
      const size_t before = in.pos;
      const size_t status = ZSTD_decompressStream(context_, &result, &in);
      if (ZSTD_isError(status)) broken("zstd");
      if (in.pos > before || result.pos > 0) rest_ = status;
      append(out, piece, result.pos);
      if (in.pos == in.size && result.pos < sizeof piece) return;
    }
  }
  void finish() override {
    if (rest_ != 0) broken("zstd");
  }

 private:
  ZSTD_DCtx* context_;
  size_t rest_ = 1;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) { return ascii_lower(trim(text)); }

}  // namespace

std::unique_ptr<Decoder> Decoder::of(std::string_view content_encoding, size_t limit) {
  const std::string name = lower(content_encoding);
  if (name.empty() || name == "identity") return nullptr;
  if (name == "gzip" || name == "x-gzip") return std::make_unique<ZlibDecoder>(limit, true);
  if (name == "deflate") return std::make_unique<ZlibDecoder>(limit, false);
  if (name == "zstd") return std::make_unique<ZstdDecoder>(limit);
  throw HttpError(415, "unsupported_encoding", "Content-Encoding is one of gzip, deflate, zstd, identity");
}

Coding accepted_coding(std::string_view accept_encoding) {
  bool gzip = false, zstd = false;
  while (!accept_encoding.empty()) {
    const size_t end = std::min(accept_encoding.find(','), accept_encoding.size());
    const std::string_view item = accept_encoding.substr(0, end);
    accept_encoding.remove_prefix(std::min(end + 1, accept_encoding.size()));
    const size_t semicolon = item.find(';');
    const std::string name = lower(item.substr(0, semicolon));
    bool allowed = true;
    if (semicolon != std::string_view::npos) {
      const std::string quality = lower(item.substr(semicolon + 1));
      if (quality.starts_with("q=")) allowed = std::strtod(quality.c_str() + 2, nullptr) > 0;
    }
    if (name == "gzip" || name == "x-gzip") gzip = allowed;
    if (name == "zstd") zstd = allowed;
  }
  return zstd ? Coding::kZstd : gzip ? Coding::kGzip : Coding::kIdentity;
}

std::string_view coding_name(Coding coding) {
  return coding == Coding::kGzip ? "gzip" : coding == Coding::kZstd ? "zstd" : "identity";
}

std::string encode(Coding coding, std::string_view body) {
  std::string out;
  if (coding == Coding::kZstd) {
    out.resize(ZSTD_compressBound(body.size()));
    const size_t size = ZSTD_compress(out.data(), out.size(), body.data(), body.size(), 1);
    if (ZSTD_isError(size)) throw std::bad_alloc();
    out.resize(size);
  } else if (coding == Coding::kGzip) {
    z_stream stream{};
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
    out.resize(deflateBound(&stream, body.size()));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream.avail_in = static_cast<uInt>(body.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int status = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (status != Z_STREAM_END) throw std::bad_alloc();
  } else {
    out = body;
  }
  return out;
}

bool is_compressible(std::string_view type) {
  return type.starts_with("text/") || type.find("json") != std::string_view::npos ||
         type.find("javascript") != std::string_view::npos || type.find("xml") != std::string_view::npos;
}

}  // namespace fewshop::http
