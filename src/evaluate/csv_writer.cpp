#include "evaluate/csv_writer.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace fewshop {

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

CsvWriter::CsvWriter(std::string path, const std::vector<std::string>& header)
    : path_(std::move(path)), temporary_(path_ + ".partial"), file_(std::fopen(temporary_.c_str(), "wb")) {
  if (!file_) fail();
  write(header);
}

CsvWriter::~CsvWriter() {
  if (!file_) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

void CsvWriter::write(const std::vector<std::string>& fields) {
  std::string line;
  for (const auto& field : fields) {
    if (&field != fields.data()) line += ',';
    line += csv_field(field);
  }
  line += '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_) != line.size()) fail();
}

void CsvWriter::close() {
  std::FILE* file = std::exchange(file_, nullptr);
  if (std::fclose(file) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) fail();
}

void CsvWriter::fail() const { throw Failure(path_ + ": cannot be written: " + std::strerror(errno)); }

}  // namespace fewshop
