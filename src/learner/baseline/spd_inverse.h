#pragma once

#include <cstdint>

namespace fewshop {

/// Replaces a symmetric positive definite matrix by its inverse: column-major [n, n] float, of which the lower triangle
/// is read and written. False where the matrix is not positive definite. One thread, a quarter of its memory besides;
/// about n^3 multiply-adds, nearly all of them in matrix products (recursive blocks), so it runs at the rate of those.
bool invert_spd(float* matrix, int64_t n);

}  // namespace fewshop
