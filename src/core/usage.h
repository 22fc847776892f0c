#pragma once

#include <cstdint>

namespace fewshop {

/// CPU seconds of the calling thread, and of the whole process.
double thread_cpu_seconds();
double process_cpu_seconds();

/// Memory of the process that lies in RAM, in bytes; 0 where the system does not tell.
int64_t resident_bytes();

/// The most that the process had in RAM since the last reset (or its start), in bytes; 0 where the system does not
/// tell.
int64_t peak_resident_bytes();
void reset_peak_resident();

}  // namespace fewshop
