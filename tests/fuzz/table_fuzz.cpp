// The readers never crash, and a record without a problem has a field for every column and is UTF-8 without zero bytes.
// The first byte chooses the format, the second one its details.
#include "core/error.h"
#include "memory_file.h"
#include "table/recipe.h"

namespace {

using fewshop::FileFormat;
using Kind = FileFormat::Kind;

FileFormat choose(uint8_t kind, uint8_t details) {
  FileFormat format;
  format.kind = static_cast<Kind>(kind % 7);
  const char* separators[] = {",", "\t", "::", ";", "||", "aab", " ", "\""};
  format.separator = separators[details % 8];
  if (details & 8) format.columns = {"a", "b", "c"};
  if (details & 16) format.quote = 0;
  if (details & 32) format.encoding = fewshop::Encoding::kLatin1;
  if (details & 64) format.skip = 1;
  if (format.kind == Kind::kFixed) {
    format.widths = {2, 3, 1};
  } else if (format.kind == Kind::kItems) {
    format.line_first = details & 128;
    if (details & 8) format.separator = "";
  } else if (format.kind == Kind::kJson) {
    format.path = details & 1 ? "a.b" : "";
    format.key = details & 2 ? "key" : "";
  }
  return format;
}

void read_all(const std::string& path, const FileFormat& format) {
  const auto reader = fewshop::open_records(path, format);
  fewshop::Record record;
  int64_t line = 0;
  while (reader->next(record)) {
    if (record.line < line) std::abort();
    line = record.line;
    if (!record.problem.empty()) continue;
    if (record.fields.size() != reader->columns().size()) std::abort();
    for (const auto& field : record.fields) {
      if (field.find('\0') != std::string_view::npos) std::abort();
      for (const auto type : {"integer", "real", "time", "boolean"}) {
        fewshop::Value value;
        fewshop::parse_field(field, {*fewshop::type_from_name(type), ""}, value);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const MemoryFile file(data + 2, size - 2);
  try {
    if (data[0] == 255)
      fewshop::guess_recipe({file.path()});
    else
      read_all(file.path(), choose(data[0], data[1]));
  } catch (const fewshop::InvalidInput&) {
  }
  return 0;
}
