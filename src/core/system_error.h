#pragma once

namespace fewshop {

/// Whether an error of the system (errno) says that what was named is not there, is of another kind or may not be used:
/// the business of who named it (InvalidInput). Others (too many open files, a disk that fails) may be gone the next
/// time (Failure).
bool is_about_the_name(int error);

}  // namespace fewshop
