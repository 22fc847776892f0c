#include "bundle/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "core/error.h"
#include "core/hash.h"
#include "core/system_error.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what) {
  throw Failure(path.string() + ": " + what + ": " + std::strerror(errno));
}

void write_file(const fs::path& path, std::string_view bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail(path, "cannot be created");
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      close(file);
      fail(path, "cannot be written");
    }
    bytes.remove_prefix(written);
  }
  const bool synced = fsync(file) == 0;
  if (close(file) != 0 || !synced) fail(path, "cannot be written");
}

void sync_folder(const fs::path& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

std::string read_file(const fs::path& path) {
  const auto refuse = [&] {
    require(!is_about_the_name(errno), path.string(), ": cannot be read: ", std::strerror(errno));
    fail(path, "cannot be read");
  };
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) refuse();
  struct stat status = {};
  if (fstat(fileno(file.get()), &status) != 0) refuse();
  require(S_ISREG(status.st_mode), path.string(), ": expected a file");
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  const size_t count = std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (std::ferror(file.get())) refuse();
  bytes.resize(count);
  return bytes;
}

nlohmann::json parse_json(const fs::path& path) {
  auto json = nlohmann::json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  require(json.is_object(), path.string(), ": expected a JSON object; the bundle is damaged");
  return json;
}

/// Refuses a bundle whose format this program does not read. The checksum is looked at later: another format may have
/// another one.
void check_format(const std::string& folder, const nlohmann::json& manifest) {
  const auto format = manifest.find("format");
  require(format != manifest.end(), folder, ": manifest.json has no format number; the bundle is damaged");
  require(format->is_number_unsigned() || (format->is_number_integer() && format->get<int64_t>() >= 0), folder,
          ": manifest.json: format: expected a whole number such as ", kBundleFormat, ", got ", format->dump(),
          "; the bundle is damaged");
  const auto number = format->get<uint64_t>();
  require(number >= kOldestBundleFormat, folder, ": bundle format ", number, " is older than this program reads (",
          kOldestBundleFormat, "); train the model again");
  require(number <= kBundleFormat, folder, ": bundle format ", number, " is newer than this program reads (",
          kBundleFormat, "); use a newer fewshop");
}

/// Puts the complete folder `from` in the place of `to`, atomically where the file system can exchange two names.
void put_in_place(const fs::path& from, const fs::path& to) {
  if (!fs::exists(to)) {
    if (rename(from.c_str(), to.c_str()) != 0) fail(to, "cannot be put in place");
    return;
  }
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    const fs::path old = to.string() + ".fewshop-tmp-old";
    fs::remove_all(old);
    if (rename(to.c_str(), old.c_str()) != 0 || rename(from.c_str(), to.c_str()) != 0)
      fail(to, "cannot be put in place");
    fs::remove_all(old);
    return;
  }
  fs::remove_all(from);
}

/// The folder's absolute path without a slash at its end.
fs::path place_of(const std::string& folder) {
  require(!folder.empty(), "--out: the path is empty; expected the folder of a bundle");
  const fs::path target = fs::absolute(folder).lexically_normal();
  return target.filename().empty() ? target.parent_path() : target;
}

}  // namespace

void check_bundle_target(const std::string& folder) {
  const fs::path place = place_of(folder);
  std::error_code error;
  require(!fs::exists(fs::symlink_status(place, error)) || fs::exists(place / "manifest.json", error) ||
              (fs::is_directory(place, error) && fs::is_empty(place, error)),
          folder, ": exists and is not a bundle; it is left alone, choose another --out");
}

void write_bundle(const std::string& folder, const nlohmann::json& manifest, const BundleFiles& files,
                  const nlohmann::json& run) {
  check_bundle_target(folder);
  const fs::path place = place_of(folder);
  const fs::path temporary = place.string() + ".fewshop-tmp";
  try {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    fs::create_directories(temporary);
    nlohmann::json complete = manifest;
    complete["format"] = kBundleFormat;
    for (const auto& [name, bytes] : files) {
      fs::create_directories((temporary / name).parent_path());
      write_file(temporary / name, bytes);
      complete["checksums"][name] = to_hex(hash64(bytes));
    }
    complete["checksum"] = to_hex(hash64(complete.dump()));
    write_file(temporary / "manifest.json", complete.dump(2) + "\n");
    write_file(temporary / "run.json", run.dump(2) + "\n");
    sync_folder(temporary);
    put_in_place(temporary, place);
    sync_folder(place.parent_path());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    try {
      throw;
    } catch (const fs::filesystem_error& e) {
      throw Failure(folder + ": cannot be written: " + e.code().message());
    }
  }
}

Bundle read_manifest(const std::string& folder) {
  const fs::path place(folder);
  require(fs::exists(place), folder, ": no such bundle; expected a folder that `fewshop train --out` wrote");
  require(fs::is_directory(place) && fs::exists(place / "manifest.json"), folder,
          ": not a bundle (no manifest.json); expected a folder that `fewshop train --out` wrote");
  Bundle bundle;
  bundle.manifest = parse_json(place / "manifest.json");
  check_format(folder, bundle.manifest);
  nlohmann::json unsigned_manifest = bundle.manifest;
  const auto checksum = bundle.manifest.find("checksum");
  unsigned_manifest.erase("checksum");
  require(checksum != bundle.manifest.end() && checksum->is_string() &&
              *checksum == to_hex(hash64(unsigned_manifest.dump())),
          folder, ": manifest.json does not match its checksum; the bundle is damaged, copy or train it again");
  // No checksum covers it: a damaged one is as none.
  if (fs::is_regular_file(place / "run.json"))
    bundle.run = nlohmann::json::parse(read_file(place / "run.json"), nullptr, false);
  if (bundle.run.is_discarded()) bundle.run = nullptr;
  return bundle;
}

Bundle read_bundle(const std::string& folder) {
  Bundle bundle = read_manifest(folder);
  const fs::path place(folder);
  const auto checksums = bundle.manifest.find("checksums");
  require(checksums != bundle.manifest.end() && checksums->is_object(), folder, ": manifest.json has no checksums");
  for (const auto& [name, expected] : checksums->items()) {
    require(name.find("..") == std::string::npos && !name.starts_with("/"), folder, ": file name ", name,
            " leads outside");
    require(fs::is_regular_file(place / name), folder, ": ", name, " is missing; the bundle is incomplete");
    std::string bytes = read_file(place / name);
    require(expected.is_string() && expected == to_hex(hash64(bytes)), folder, ": ", name,
            " does not match its checksum; the bundle is damaged, copy or train it again");
    bundle.files[name] = std::move(bytes);
  }
  return bundle;
}

}  // namespace fewshop
