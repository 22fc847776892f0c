#include "feature/column_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/hash.h"

namespace fewshop {
namespace {

using nlohmann::json;

// Little-endian, as every machine this runs on:
//   8 bytes  magic with format version
//   u64      XXH3 of everything that follows
//   u64      size of the header
//   header   JSON {key, encoders, items: {rows, columns}, tasks, rows: ...}; arrays by position and count
//   arrays   each at a multiple of 64 bytes
constexpr char kMagic[8] = {'f', 'w', 's', 'c', 'o', 'l', '0', '1'};
constexpr size_t kPrefix = 24, kAlign = 64;

size_t aligned(size_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

/// Collects the bytes of all arrays and notes where each stands, relative to the first.
struct Body {
  std::string bytes;

  template <class T>
  json add(std::span<const T> array) {
    bytes.resize(aligned(bytes.size()));
    const json place = {bytes.size(), array.size()};
    bytes.append(reinterpret_cast<const char*>(array.data()), array.size_bytes());
    return place;
  }

  json add(const Columns& columns) {
    json list = json::array();
    for (const auto& c : columns.columns)
      list.push_back({{"name", c.name},
                      {"width", c.width},
                      {"vocabulary", c.vocabulary},
                      {"dense", add(c.dense)},
                      {"offsets", add(c.offsets)},
                      {"ids", add(c.ids)}});
    return {{"rows", columns.rows}, {"columns", list}};
  }
};

/// A read-only mapping of a whole file.
class Mapping {
 public:
  explicit Mapping(const std::string& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    struct stat info {};
    if (::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
      size_ = static_cast<size_t>(info.st_size);
      data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (data_ == MAP_FAILED) data_ = nullptr;
    }
    ::close(descriptor);
  }
  ~Mapping() {
    if (data_) ::munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::string_view bytes() const { return data_ ? std::string_view(static_cast<const char*>(data_), size_) : ""; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

template <class T>
std::span<const T> array_at(std::string_view body, const json& place) {
  const size_t offset = place.at(0), count = place.at(1);
  require(offset % kAlign == 0 && offset <= body.size() && count <= (body.size() - offset) / sizeof(T),
          "cache: bad array");
  return {reinterpret_cast<const T*>(body.data() + offset), count};
}

Columns columns_at(std::string_view body, const json& header, const std::shared_ptr<const Mapping>& mapping) {
  Columns columns;
  columns.rows = header.at("rows");
  for (const auto& c : header.at("columns"))
    columns.columns.push_back({c.at("name"), c.at("width"), c.at("vocabulary"), array_at<float>(body, c.at("dense")),
                               array_at<int64_t>(body, c.at("offsets")), array_at<int32_t>(body, c.at("ids"))});
  columns.storage.push_back(mapping);
  return columns;
}

}  // namespace

std::optional<CachedColumns> open_column_cache(const std::string& file, const std::string& key) {
  const auto mapping = std::make_shared<const Mapping>(file);
  const std::string_view bytes = mapping->bytes();
  if (bytes.size() < kPrefix || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) return std::nullopt;
  uint64_t checksum = 0, header_size = 0;
  std::memcpy(&checksum, bytes.data() + 8, 8);
  std::memcpy(&header_size, bytes.data() + 16, 8);
  if (hash64(bytes.substr(16)) != checksum || header_size > bytes.size() - kPrefix) return std::nullopt;
  try {
    const json header = json::parse(bytes.substr(kPrefix, header_size));
    if (header.at("key") != key) return std::nullopt;
    const size_t begin = aligned(kPrefix + header_size);
    const std::string_view body = bytes.substr(std::min(begin, bytes.size()));
    return CachedColumns{encoders_from_json(header.at("encoders")), columns_at(body, header.at("items"), mapping),
                         columns_at(body, header.at("tasks"), mapping), columns_at(body, header.at("rows"), mapping),
                         header.at("notes").get<std::vector<std::string>>()};
  } catch (const std::exception&) {
    return std::nullopt;  // written by another version: rebuilt
  }
}

bool write_column_cache(const std::string& file, const std::string& key, const CachedColumns& columns) {
  namespace fs = std::filesystem;
  Body body;
  json header = {{"key", key}, {"encoders", encoders_to_json(columns.encoders)}, {"notes", columns.notes}};
  header["items"] = body.add(columns.items);
  header["tasks"] = body.add(columns.tasks);
  header["rows"] = body.add(columns.rows);
  const std::string text = header.dump();
  const uint64_t header_size = text.size();
  std::string bytes(reinterpret_cast<const char*>(&header_size), 8);
  bytes += text;
  bytes.resize(aligned(kPrefix + text.size()) - 16);
  bytes += body.bytes;
  const uint64_t checksum = hash64(bytes);

  std::error_code error;
  fs::create_directories(fs::path(file).parent_path(), error);
  const std::string temporary = file + ".fewshop-tmp" + std::to_string(::getpid());
  {
    std::ofstream out(temporary, std::ios::binary);
    out.write(kMagic, sizeof kMagic);
    out.write(reinterpret_cast<const char*>(&checksum), 8);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (out) fs::rename(temporary, file, error);
    if (out && !error) return true;
  }
  fs::remove(temporary, error);
  return false;
}

}  // namespace fewshop
