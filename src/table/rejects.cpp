#include "table/rejects.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace fewshop {
namespace {

// More of a line helps nobody; a whole file may be one.
constexpr size_t kMaxRaw = 10'000;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

RejectFile::RejectFile(std::string path) : path_(std::move(path)) { std::remove(path_.c_str()); }

RejectFile::~RejectFile() {
  if (!file_) return;
  std::fclose(file_);
  std::remove(path_.c_str());
}

void RejectFile::add(const std::string& file, int64_t line, std::string_view reason, std::string_view raw) {
  if (count_++ == 0) {
    first_ = fmt::format("{}:{}: {}", file, line, reason);
    file_ = std::fopen(path_.c_str(), "wb");
    if (!file_) throw Failure(path_ + ": cannot be written: " + std::strerror(errno));
    fmt::print(file_, "file\tline\treason\traw\n");
  }
  const auto text = fmt::format("{}\t{}\t{}\t{}{}\n", escaped(file), line, escaped(reason),
                                escaped(raw.substr(0, kMaxRaw)), raw.size() > kMaxRaw ? " ..." : "");
  std::fwrite(text.data(), 1, text.size(), file_);
}

void RejectFile::finish() {
  if (!file_) return;
  const bool failed = std::ferror(file_) != 0;
  const bool closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (failed || !closed) {
    std::remove(path_.c_str());
    throw Failure(path_ + ": cannot be written: the disk is full");
  }
}

}  // namespace fewshop
