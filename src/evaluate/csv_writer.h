#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace fewshop {

/// Writes one CSV file (RFC 4180, "\n" line ends) under a temporary name, which close() renames to the right one.
/// Throws Failure when the disk does not take it.
class CsvWriter {
 public:
  CsvWriter(std::string path, const std::vector<std::string>& header);
  ~CsvWriter();
  CsvWriter(const CsvWriter&) = delete;
  CsvWriter& operator=(const CsvWriter&) = delete;

  void write(const std::vector<std::string>& fields);
  void close();

 private:
  [[noreturn]] void fail() const;
  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
};

/// A field as RFC 4180 wants it: quoted where it has to be.
std::string csv_field(std::string_view text);

}  // namespace fewshop
