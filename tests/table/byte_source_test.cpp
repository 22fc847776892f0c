#include "table/byte_source.h"

#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "core/error.h"
#include "support/temp_dir.h"
#include "table/records.h"
#include "table/text_source.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TempDir;

std::string zstd_of(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);  // as the program zstd does
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

std::string gzip_of(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
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

std::string content_of(const std::string& path, size_t step = 4096) {
  const auto source = open_bytes(path);
  std::string all, buffer(step, '\0');
  for (size_t n; (n = source->read(buffer.data(), buffer.size())) > 0;) all.append(buffer, 0, n);
  EXPECT_EQ(source->position(), file_bytes(path));
  return all;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 60000; ++i) text += std::to_string(i * 7919) + "\n";
  return text;
}

TEST(ByteSourceTest, FindsOutTheCompressionFromTheFirstBytes) {
  TempDir dir;
  const std::string text = long_text();
  for (const size_t step : {1000, 1 << 20}) {
    EXPECT_EQ(content_of(dir.write("plain", text), step), text);
    EXPECT_EQ(content_of(dir.write("zstd", zstd_of(text)), step), text);
    EXPECT_EQ(content_of(dir.write("gzip", gzip_of(text)), step), text);
  }
  EXPECT_EQ(content_of(dir.write("a", "")), "");
  EXPECT_EQ(content_of(dir.write("b", "x")), "x");
  EXPECT_EQ(content_of(dir.write("c", zstd_of(""))), "");
}

TEST(ByteSourceTest, FramesAndMembersAfterEachOtherAreOneText) {
  TempDir dir;
  EXPECT_EQ(content_of(dir.write("zstd", zstd_of("one,") + zstd_of("two"))), "one,two");
  EXPECT_EQ(content_of(dir.write("gzip", gzip_of("one,") + gzip_of("two"))), "one,two");
}

TEST(ByteSourceTest, CutOffCompressionIsFoundWhereverItIsCut) {
  TempDir dir;
  for (const auto& whole : {zstd_of(long_text()), gzip_of(long_text())})
    for (const size_t size : {whole.size() - 1, whole.size() / 2, whole.size() / 3, size_t{5}, size_t{40}}) {
      const auto path = dir.write("cut", whole.substr(0, size));
      EXPECT_THAT(message_of<InvalidInput>([&] { content_of(path); }), HasSubstr("ends early")) << size;
    }
}

TEST(ByteSourceTest, DamagedCompressionIsFound) {
  TempDir dir;
  for (auto bytes : {zstd_of(long_text()), gzip_of(long_text())}) {
    for (size_t i = 100; i < 140; ++i) bytes[i] = '\x55';
    EXPECT_THROW(content_of(dir.write("bad", bytes)), InvalidInput);
  }
  EXPECT_THAT(message_of<InvalidInput>([&] { content_of(dir.write("tail", gzip_of("a") + "garbage behind")); }),
              HasSubstr("damaged"));
}

TEST(ByteSourceTest, MissingFilesAndDirectoriesAreNamed) {
  TempDir dir;
  EXPECT_THAT(message_of<InvalidInput>([&] { open_bytes(dir / "absent.csv"); }),
              AllOf(HasSubstr("absent.csv"), HasSubstr("No such file")));
  EXPECT_THAT(message_of<InvalidInput>([&] { open_bytes(dir.path().string()); }), HasSubstr("got a directory"));
  EXPECT_THROW(open_bytes(""), InvalidInput);
}

TEST(ByteSourceTest, PipesAndDevicesAreRefusedWithoutWaitingForThem) {
  TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  for (const std::string& path : {dir / "pipe", std::string("/dev/zero")})
    EXPECT_THAT(message_of<InvalidInput>([&] { open_bytes(path); }),
                AllOf(HasSubstr(path), HasSubstr("expected a file, got a pipe or a device")));
}

TEST(TextSourceTest, MarksAndLineEndsAreTakenOff) {
  TempDir dir;
  TextSource source(dir.write("a.txt", "\xef\xbb\xbfone\r\ntwo\n\nlast"), Encoding::kUtf8);
  std::vector<std::string> lines;
  for (std::string_view line; source.next_line(line);) lines.emplace_back(line);
  EXPECT_THAT(lines, ::testing::ElementsAre("one", "two", "", "last"));
}

TEST(TextSourceTest, Latin1BecomesUtf8) {
  TempDir dir;
  TextSource source(dir.write("a.txt",
                              "caf\xe9 \xa3"
                              "5\n"),
                    Encoding::kLatin1);
  std::string_view line;
  ASSERT_TRUE(source.next_line(line));
  EXPECT_EQ(line, "café £5");
}

TEST(TextSourceTest, Utf16IsRefusedWithTheCure) {
  TempDir dir;
  const auto path = dir.write("a.txt", std::string("\xff\xfe"
                                                   "a\0,\0",
                                                   6));
  EXPECT_THAT(message_of<InvalidInput>([&] { TextSource(path, Encoding::kUtf8).fill(); }), HasSubstr("iconv"));
}

TEST(TextSourceTest, EndlessLineIsRefused) {
  TempDir dir;
  const auto path = dir.write("a.zst", zstd_of(std::string(40 << 20, 'x')));
  TextSource source(path, Encoding::kUtf8);
  std::string_view line;
  EXPECT_THAT(message_of<InvalidInput>([&] { source.next_line(line); }), HasSubstr("longer than 16 MiB"));
}

}  // namespace
}  // namespace fewshop
