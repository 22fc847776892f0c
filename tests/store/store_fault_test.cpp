// Files that are no databases, damaged, locked, on full disks; writers that are killed.
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "core/error.h"
#include "store/rating_store.h"
#include "store/store.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using namespace testing;

TEST(StoreTest, FilesThatAreNoDatabasesAreNamed) {
  TempDir dir;
  const auto garbage = dir.write("garbage.db", std::string(5000, '\x8f'));
  const auto path_message = [&](const std::string& path, Store::Access access) {
    return message_of<InvalidInput>([&] { open_store(path, access); });
  };
  for (const auto access : {Store::Access::kRead, Store::Access::kWrite}) {
    EXPECT_THAT(path_message(garbage, access), HasSubstr("not a SQLite database"));
    EXPECT_THAT(path_message(dir.path().string(), access), HasSubstr("directory"));
    EXPECT_THAT(path_message("", access), HasSubstr("empty"));
    EXPECT_THAT(path_message("/dev/null", access), HasSubstr("got a pipe or a device"));
    EXPECT_THAT(path_message("mysql://host/db", access), HasSubstr("unknown kind of database"));
  }
  EXPECT_EQ(testing::read_whole(garbage), std::string(5000, '\x8f'));
  EXPECT_THAT(path_message(dir / "missing.db", Store::Access::kRead), HasSubstr("no such database"));
  EXPECT_FALSE(std::filesystem::exists(dir / "missing.db"));
  EXPECT_THAT(path_message(dir / "no/such/folder.db", Store::Access::kWrite), HasSubstr("folder exists"));
}

TEST(StoreTest, DamagedDatabaseIsAnErrorNotACrash) {
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    write_ratings(*store, 5000);
  }
  auto bytes = testing::read_whole(dir / "shop.db");
  for (size_t i = 4096; i < bytes.size(); i += 7) bytes[i] = static_cast<char>(i * 31);
  dir.write("shop.db", bytes);
  auto store = open_store(dir / "shop.db", Store::Access::kRead);
  EXPECT_THAT(message_of<InvalidInput>([&] {
                auto cursor = store->read("ratings");
                while (cursor->next()) {
                }
              }),
              HasSubstr("damaged"));
}

TEST(StoreTest, LockedDatabaseIsAFailureThatSaysWhatToDo) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  write_ratings(*store, 1);
  Transaction transaction(*store);
  auto second = open_store(dir / "shop.db", Store::Access::kWrite, {.busy_ms = 40});
  EXPECT_THAT(message_of<Failure>([&] { Transaction blocked(*second); }),
              AllOf(HasSubstr("shop.db"), HasSubstr("locked by another program"), HasSubstr("run this again")));
}

TEST(StoreTest, DatabaseInAReadOnlyFolderIsRead) {
  TempDir dir;
  std::filesystem::create_directory(dir / "frozen");
  {
    auto store = open_store(dir / "frozen/shop 100%?.db", Store::Access::kWrite);
    write_ratings(*store, 4);
  }
  std::filesystem::permissions(dir / "frozen", std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_EQ(count(*open_store(dir / "frozen/shop 100%?.db", Store::Access::kRead), "ratings"), 4);
  std::filesystem::permissions(dir / "frozen", std::filesystem::perms::owner_all);
}

/// Runs `body` in a process of its own and returns its wait status.
template <class Body>
int in_child(Body&& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(StoreTest, FullDiskIsAFailureAndKeepsTheOldTable) {
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    write_ratings(*store, 10);
  }
  const int status = in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};  // a file of 1 MiB is all the disk has room for
    setrlimit(RLIMIT_FSIZE, &limit);
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    try {
      write_ratings(*store, 300000);
    } catch (const Failure& e) {
      _exit(std::string(e.what()).find("disk is full") != std::string::npos ? 3 : 4);
    }
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  auto store = open_store(dir / "shop.db", Store::Access::kRead);
  EXPECT_EQ(count(*store, "ratings"), 10);
}

TEST(StoreTest, DatabaseOnAFullDiskIsRead) {
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    write_ratings(*store, 10);
  }
  const int status = in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};  // no room for the files of the write-ahead log
    setrlimit(RLIMIT_FSIZE, &limit);
    _exit(count(*open_store(dir / "shop.db", Store::Access::kRead), "ratings") == 10 ? 3 : 4);
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

TEST(StoreTest, KilledWriterChangesNothing) {
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    write_ratings(*store, 10);
  }
  const int status = in_child([&] {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    Transaction transaction(*store);
    auto writer = store->write("ratings", kRatings);
    for (int i = 0; i < 200000; ++i)
      writer->add(std::vector<Value>{Value::of(std::string_view("someone")), Value::of(1.0), Value::of(int64_t{1})});
    writer->finish();
    kill(getpid(), SIGKILL);
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  EXPECT_EQ(count(*store, "ratings"), 10);
  write_ratings(*store, 20);
  EXPECT_EQ(count(*store, "ratings"), 20);
}

}  // namespace
}  // namespace fewshop
