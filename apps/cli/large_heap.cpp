#include "large_heap.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fewshop::cli {

// Sanitizers have an allocator of their own.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

constexpr const char* kVariable = "GLIBC_TUNABLES";
constexpr const char* kTunable = "glibc.malloc.hugetlb";

/// The words of a file of /proc that a zero byte ends each.
std::vector<std::string> words_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

/// Whether the system gives large pages to memory that asks for them, and to no other.
bool given_when_asked_for() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  const std::string modes{std::istreambuf_iterator<char>(file), {}};
  return modes.find("[madvise]") != std::string::npos;
}

}  // namespace

void keep_heap_in_large_pages() {
  const char* value = std::getenv(kVariable);
  const std::string before = value ? value : "";
  if (before.find(kTunable) != std::string::npos || !given_when_asked_for()) return;
  // First, as a C library may end the variable behind the first setting when it has read it.
  const std::string tunables = std::string(kTunable) + "=1" + (before.empty() ? "" : ":") + before;
  std::error_code problem;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", problem);
  std::vector<std::string> arguments = words_of("/proc/self/cmdline");
  if (problem || arguments.empty() || ::setenv(kVariable, tunables.c_str(), 1) != 0) return;
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  // Where that cannot be, the server runs all the same, with small pages.
}

#else

void keep_heap_in_large_pages() {}

#endif

}  // namespace fewshop::cli
