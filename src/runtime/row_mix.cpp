#include "runtime/row_mix.h"

#include "runtime/glm.h"
#include "runtime/stack.h"

namespace fewshop {

void RowMix::weights(double support, std::span<double> out) const {
  const auto b = Stack::basis(support);
  for (size_t m = 0; m < members.size(); ++m) {
    out[m] = 0;
    for (int k = 0; k < Stack::kBasis; ++k) out[m] += b[k] * coefficient[m * Stack::kBasis + k];
  }
  softmax(out, out);
}

}  // namespace fewshop
