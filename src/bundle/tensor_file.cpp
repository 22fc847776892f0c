#include "bundle/tensor_file.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace fewshop {

static_assert(std::endian::native == std::endian::little,
              "safetensors is little endian, and arrays are copied as they are");

namespace {

constexpr size_t kPrefix = 8;               // length of the header as a 64-bit number
constexpr size_t kMaxHeader = 100'000'000;  // as the reference implementation has it
constexpr int kMaxDepth = 3;                // { name: { "shape": [ ... ] } }

/// Bytes of one element; 0 for a type that we do not use.
int64_t element_size(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64") return 8;
  if (dtype == "F32" || dtype == "I32") return 4;
  if (dtype == "U8") return 1;
  return 0;
}

/// Bytes that a tensor of this shape has, or -1 where a size is negative or the product overflows.
int64_t byte_count(const std::vector<int64_t>& shape, int64_t element) {
  int64_t count = element;
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
  return count;
}

/// The header as JSON. Deeper nesting than the format has is refused while reading.
nlohmann::json parse_header(std::string_view text, const std::string& origin) {
  const auto depth_guard = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    require(depth <= kMaxDepth, origin, ": header is nested too deep for a safetensors file; the file is damaged");
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), depth_guard);
  } catch (const nlohmann::json::exception& error) {
    throw InvalidInput(origin + ": header is not JSON (" + error.what() +
                       "); the file is damaged or no safetensors file");
  }
}

struct Entry {
  std::string dtype;
  std::vector<int64_t> shape;
  int64_t begin = 0, end = 0;
};

/// A whole number that fits into int64; throws for anything else.
int64_t whole(const nlohmann::json& value, const std::string& origin, const std::string& name) {
  const bool fits = value.is_number_integer() && !(value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX);
  require(fits, origin, ": tensor ", name, ": expected a whole number, got ", value.dump(-1, ' ', true),
          "; the file is damaged");
  return value.get<int64_t>();
}

Entry parse_entry(const nlohmann::json& json, const std::string& origin, const std::string& name, int64_t data_size) {
  const bool complete = json.is_object() && json.contains("dtype") && json["dtype"].is_string() &&
                        json.contains("shape") && json["shape"].is_array() && json.contains("data_offsets") &&
                        json["data_offsets"].is_array() && json["data_offsets"].size() == 2;
  require(complete, origin, ": tensor ", name, ": expected dtype, shape and data_offsets; the file is damaged");
  Entry entry;
  entry.dtype = json["dtype"].get<std::string>();
  const int64_t element = element_size(entry.dtype);
  require(element > 0, origin, ": tensor ", name, ": type ", entry.dtype, " is none of F32, F64, I32, I64, U8");
  for (const auto& size : json["shape"]) entry.shape.push_back(whole(size, origin, name));
  entry.begin = whole(json["data_offsets"][0], origin, name);
  entry.end = whole(json["data_offsets"][1], origin, name);
  require(0 <= entry.begin && entry.begin <= entry.end && entry.end <= data_size, origin, ": tensor ", name, ": bytes ",
          entry.begin, " to ", entry.end, " are outside the ", data_size,
          " bytes of data; the file is damaged or cut off");
  require(byte_count(entry.shape, element) == entry.end - entry.begin, origin, ": tensor ", name,
          ": shape and byte range disagree; the file is damaged");
  return entry;
}

}  // namespace

const TensorFile::Tensor& TensorFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), origin_, ": tensor ", name,
          " is missing; the file is damaged or of another version");
  return found->second;
}

const std::string& TensorFile::text(const std::string& name) const {
  const auto found = text_.find(name);
  require(found != text_.end(), origin_, ": text ", name, " is missing; the file is damaged or of another version");
  return found->second;
}

void TensorFile::put_strings(const std::string& name, const std::vector<std::string>& values) {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> ends;
  ends.reserve(values.size());
  for (const auto& value : values) {
    bytes.insert(bytes.end(), value.begin(), value.end());
    ends.push_back(static_cast<int64_t>(bytes.size()));
  }
  put(name + ".bytes", bytes);
  put(name + ".ends", ends);
}

std::vector<std::string> TensorFile::get_strings(const std::string& name) const {
  const auto bytes = get<uint8_t>(name + ".bytes");
  const auto ends = get<int64_t>(name + ".ends");
  std::vector<std::string> values;
  values.reserve(ends.size());
  int64_t begin = 0;
  for (int64_t end : ends) {
    require(begin <= end && end <= static_cast<int64_t>(bytes.size()), origin_, ": text list ", name, ": an end of ",
            end, " is out of order; the file is damaged");
    values.emplace_back(bytes.begin() + begin, bytes.begin() + end);
    begin = end;
  }
  require(begin == static_cast<int64_t>(bytes.size()), origin_, ": text list ", name,
          " has bytes left over; the file is damaged");
  return values;
}

std::string TensorFile::serialize() const {
  // Wide elements first, so that every array is aligned to its element size within the file; then by name.
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& entry : tensors_) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return element_size(a->second.dtype) > element_size(b->second.dtype);
  });

  nlohmann::json header = nlohmann::json::object();
  if (!text_.empty()) header["__metadata__"] = text_;
  int64_t offset = 0;
  for (const auto* entry : order) {
    const Tensor& tensor = entry->second;
    const auto size = static_cast<int64_t>(tensor.bytes.size());
    require(byte_count(tensor.shape, element_size(tensor.dtype)) == size, origin_, ": tensor ", entry->first, " has ",
            size, " bytes, which is not what its shape says");
    header[entry->first] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw InvalidInput(origin_ + ": a name or text value is not UTF-8; keep such text with put_strings");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');

  std::string out;
  out.reserve(kPrefix + text.size() + offset);
  const uint64_t length = text.size();
  out.append(reinterpret_cast<const char*>(&length), kPrefix);
  out += text;
  for (const auto* entry : order)
    out.append(reinterpret_cast<const char*>(entry->second.bytes.data()), entry->second.bytes.size());
  return out;
}

TensorFile TensorFile::parse(std::string_view bytes, const std::string& origin) {
  require(bytes.size() >= kPrefix, origin, ": ", bytes.size(),
          " bytes are too few for a safetensors file; it is cut off");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kPrefix);
  require(length <= kMaxHeader && length <= bytes.size() - kPrefix, origin, ": header of ", length,
          " bytes does not fit into the file; it is damaged, cut off, or no safetensors file");
  const std::string_view data = bytes.substr(kPrefix + length);
  const nlohmann::json header = parse_header(bytes.substr(kPrefix, length), origin);
  require(header.is_object(), origin, ": header is not an object; the file is damaged");

  TensorFile file;
  file.origin_ = origin;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__") {
      require(json.is_object(), origin, ": __metadata__ is not an object; the file is damaged");
      for (const auto& [key, value] : json.items()) {
        require(value.is_string(), origin, ": __metadata__.", key, " is not text; the file is damaged");
        file.text_[key] = value.get<std::string>();
      }
      continue;
    }
    Entry entry = parse_entry(json, origin, name, static_cast<int64_t>(data.size()));
    ranges.emplace_back(entry.begin, entry.end);
    const auto* bytes_of_all = reinterpret_cast<const std::byte*>(data.data());
    file.tensors_[name] = {std::move(entry.dtype), std::move(entry.shape),
                           std::vector<std::byte>(bytes_of_all + entry.begin, bytes_of_all + entry.end)};
  }
  // Every byte belongs to one tensor: a shared range could make a small file ask for much memory.
  std::sort(ranges.begin(), ranges.end());
  int64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    require(begin == covered, origin, ": data ranges overlap or leave a gap at byte ", covered,
            "; the file is damaged");
    covered = end;
  }
  require(covered == static_cast<int64_t>(data.size()), origin, ": ", data.size() - covered,
          " bytes at the end belong to no tensor; the file is damaged");
  return file;
}

void TensorFile::save(const std::string& path) const {
  const std::string bytes = serialize();
  // Whoever is killed, or finds the disk full, leaves the file that was there.
  const std::string temporary = path + ".partial";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (out && std::rename(temporary.c_str(), path.c_str()) == 0) return;
  const std::string reason = std::generic_category().message(errno);
  std::remove(temporary.c_str());
  throw Failure(path + ": cannot be written (" + reason + ")");
}

TensorFile TensorFile::load(const std::string& path) {
  std::error_code error;
  require(std::filesystem::is_regular_file(path, error), path, ": expected a safetensors file, found ",
          std::filesystem::exists(path, error) ? "something that is not a file" : "nothing");
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const auto size = in ? static_cast<int64_t>(in.tellg()) : -1;
  require(size >= 0, path, ": cannot be read (", std::generic_category().message(errno), ")");
  std::string bytes(size, '\0');
  in.seekg(0);
  in.read(bytes.data(), size);
  require(in.gcount() == size, path, ": only ", in.gcount(), " of ", size, " bytes could be read");
  return parse(bytes, path);
}

}  // namespace fewshop
