#include "core/system_error.h"

#include <cerrno>

namespace fewshop {

bool is_about_the_name(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
    case ENXIO:
    case ENODEV:
      return true;
    default:
      return false;
  }
}

}  // namespace fewshop
