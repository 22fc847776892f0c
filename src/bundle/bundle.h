#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace fewshop {

/// The files of a bundle by relative path ("members/als.safetensors"), as bytes.
using BundleFiles = std::map<std::string, std::string>;

inline constexpr int kBundleFormat = 1;        // what write_bundle writes
inline constexpr int kOldestBundleFormat = 1;  // the oldest that read_bundle reads

/// Throws InvalidInput when `folder` is something that is not a bundle and holds anything: what write_bundle would
/// refuse to replace. Called before a training, not only at its end.
void check_bundle_target(const std::string& folder);

/// Writes `files` and manifest.json (with `format` and the checksums of all files added) into `folder`: under a
/// temporary name beside it first, synchronised to disk, then in one step in place of what stood there. `run` becomes
/// run.json, which no checksum covers. Throws Failure (disk full, no permission) and leaves no trace then.
void write_bundle(const std::string& folder, const nlohmann::json& manifest, const BundleFiles& files,
                  const nlohmann::json& run);

/// Reads a bundle back. Throws InvalidInput when the folder is not a bundle, its format is none that this program reads
/// (older, newer, or no format at all), a file is missing or its checksum does not match.
struct Bundle {
  nlohmann::json manifest, run;
  BundleFiles files;
};
Bundle read_bundle(const std::string& folder);

/// manifest.json and run.json alone. Throws where read_bundle would because of them; files are not looked at.
Bundle read_manifest(const std::string& folder);

}  // namespace fewshop
