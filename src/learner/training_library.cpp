#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "core/error.h"
#include "core/resources.h"
#include "learner/training.h"
#include "runtime/members.h"

namespace fewshop {
namespace {

constexpr const char* kFile = "libfewshop_train.so";

/// The training library is built and installed beside the engine. Kept open until the process ends: libtorch registers
/// its operators once and cannot be unloaded.
const TrainingLibrary& open_training_library() {
  const std::filesystem::path path = std::filesystem::path(library_folder()) / kFile;
  if (!std::filesystem::exists(path))
    throw Failure(
        fmt::format("{}: expected the library that trains here, found no file; build fewshop with "
                    "-DFEWSHOP_TRAINING=ON (needs libtorch), or install {} beside libfewshop.so",
                    path.string(), kFile));
  // Local: the symbols of libtorch and of the hundreds of libraries behind it stay out of the program's own.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw Failure(fmt::format("{}: the library that trains cannot be opened: {}; is libtorch installed?", path.string(),
                              dlerror()));
  const auto table = static_cast<const TrainingLibrary*>(dlsym(library, "fewshop_training_library"));
  if (!table)
    throw Failure(
        fmt::format("{}: is not fewshop's library that trains (no fewshop_training_library in it)", path.string()));
  if (table->abi != TrainingLibrary::kAbi)
    throw Failure(fmt::format("{}: is of another build (interface {}, expected {}); build or install both again",
                              path.string(), table->abi, TrainingLibrary::kAbi));
  return *table;
}

}  // namespace

const TrainingLibrary& training_library() {
  static const TrainingLibrary& library = open_training_library();
  return library;
}

void allow_training_members() {
  set_training_loader([](const TensorFile& file) { return training_library().load_member(file); });
}

}  // namespace fewshop
