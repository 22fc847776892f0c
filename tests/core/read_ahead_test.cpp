#include "core/read_ahead.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "support/temp_dir.h"

namespace fewshop::testing {
namespace {

constexpr int64_t kSize = 20'000'000;

class ReadAhead : public ::testing::Test {
 protected:
  ReadAhead() : path_(folder_.write("data", std::string(kSize, 'x'))) {}

  /// Has the system write the file out and forget it.
  void forget() const {
    const int file = ::open(path_.c_str(), O_RDWR);
    ::fsync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
  /// Share of its pages that lie in memory.
  double cached() const {
    const int file = ::open(path_.c_str(), O_RDONLY);
    void* pages = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, file, 0);
    const auto page = static_cast<int64_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> there((kSize + page - 1) / page);
    ::mincore(pages, kSize, there.data());
    ::munmap(pages, kSize);
    ::close(file);
    return static_cast<double>(std::count_if(there.begin(), there.end(), [](auto byte) { return byte & 1; })) /
           static_cast<double>(there.size());
  }

  TempDir folder_;
  std::string path_;
};

TEST_F(ReadAhead, AFileComesIntoMemory) {
  forget();
  if (cached() > 0.1) GTEST_SKIP() << "this file system keeps files in memory";
  ASSERT_TRUE(read_ahead(path_, kSize));
  const auto begin = std::chrono::steady_clock::now();
  while (cached() < 1 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(60))
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(cached(), 1);
}

TEST_F(ReadAhead, SmallFilesAndWhatIsNoneAreLeftAlone) {
  EXPECT_FALSE(read_ahead(path_, kSize + 1));
  EXPECT_FALSE(read_ahead(path_));
  EXPECT_FALSE(read_ahead(folder_ / "absent", 0));
  EXPECT_FALSE(read_ahead(folder_.path(), 0));
}

TEST_F(ReadAhead, AFileThatMemoryHasNoRoomForIsLeftAlone) {
  const std::string large = folder_ / "large";
  std::ofstream(large).put('x');
  std::filesystem::resize_file(large, int64_t{1} << 43);  // it takes no room on the disk
  EXPECT_FALSE(read_ahead(large));
}

}  // namespace
}  // namespace fewshop::testing
