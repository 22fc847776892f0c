#include "http/coding.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <zlib.h>
#include <zstd.h>

#include "http/route.h"

namespace fewshop::http {
namespace {

std::string decode(const std::string& name, std::string_view data, size_t piece = 1 << 20, size_t limit = 1 << 20) {
  const auto decoder = Decoder::of(name, limit);
  std::string out;
  for (size_t i = 0; i < data.size(); i += piece) decoder->feed(data.substr(i, piece), out);
  decoder->finish();
  return out;
}

int status_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const HttpError& e) {
    return e.status;
  }
  return 200;
}

std::string deflated(const std::string& text, int bits) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Coding, WhatIsEncodedIsDecodedInAnyPieces) {
  EXPECT_TRUE(rc::check("encode, decode", [](const std::string& text) {
    const auto piece = *rc::gen::inRange<size_t>(1, 50);
    RC_ASSERT(decode("gzip", encode(Coding::kGzip, text), piece) == text);
    RC_ASSERT(decode("zstd", encode(Coding::kZstd, text), piece) == text);
    RC_ASSERT(decode("deflate", deflated(text, 15), piece) == text);
    RC_ASSERT(decode("deflate", deflated(text, -15), piece) == text);
  }));
}

TEST(Coding, SeveralMembersOfGzipAreOneBody) {
  const std::string two = encode(Coding::kGzip, "one") + encode(Coding::kGzip, "two");
  EXPECT_EQ(decode("gzip", two), "onetwo");
  EXPECT_EQ(decode("gzip", two, 1), "onetwo");
}

TEST(Coding, CutOffAndBrokenBodiesAreRefused) {
  const std::string text(5000, 'x');
  for (const auto& [name, coding] : {std::pair{"gzip", Coding::kGzip}, std::pair{"zstd", Coding::kZstd}}) {
    std::string data = encode(coding, text);
    EXPECT_EQ(status_of([&] { decode(name, data.substr(0, data.size() - 3)); }), 400) << name;
    EXPECT_EQ(status_of([&] { decode(name, "no such format"); }), 400) << name;
    EXPECT_EQ(status_of([&] { decode(name, data + "rest"); }), 400) << name;
  }
  EXPECT_EQ(status_of([&] { decode("deflate", deflated(text, 15) + "rest"); }), 400);
}

TEST(Coding, ABombEndsAtTheLimit) {
  const std::string zeros(50 << 20, '\0');
  const std::string gzip = encode(Coding::kGzip, zeros), zstd = encode(Coding::kZstd, zeros);
  std::string out;
  EXPECT_EQ(status_of([&] { Decoder::of("gzip", 1 << 20)->feed(gzip, out); }), 413);
  EXPECT_LE(out.size(), 1 << 20);
  out.clear();
  EXPECT_EQ(status_of([&] { Decoder::of("zstd", 1 << 20)->feed(zstd, out); }), 413);
  EXPECT_LE(out.size(), 1 << 20);
}

TEST(Coding, AHugeWindowIsNotSetAside) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
  const std::string text = "text";
  std::string out(1000, '\0');
  ZSTD_outBuffer result{out.data(), out.size(), 0};
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  // Without its size in the header, as a stream: the decoder has only the window to go by.
  ZSTD_compressStream2(context, &result, &in, ZSTD_e_flush);
  in = {text.data(), 0, 0};
  ZSTD_compressStream2(context, &result, &in, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  EXPECT_EQ(status_of([&] { decode("zstd", std::string_view(out).substr(0, result.pos)); }), 400);
}

TEST(Coding, NamesAreReadAsTheStandardSays) {
  EXPECT_EQ(Decoder::of("", 1), nullptr);
  EXPECT_EQ(Decoder::of(" Identity ", 1), nullptr);
  EXPECT_NE(Decoder::of("X-GZIP", 1), nullptr);
  EXPECT_EQ(status_of([] { Decoder::of("br", 1); }), 415);
  EXPECT_EQ(status_of([] { Decoder::of("gzip, gzip", 1); }), 415);
  EXPECT_EQ(accepted_coding("gzip, deflate, br"), Coding::kGzip);
  EXPECT_EQ(accepted_coding("gzip;q=0.5, zstd"), Coding::kZstd);
  EXPECT_EQ(accepted_coding("gzip;q=0, zstd; q=0.0"), Coding::kIdentity);
  EXPECT_EQ(accepted_coding(""), Coding::kIdentity);
}

}  // namespace
}  // namespace fewshop::http
