#include <algorithm>
#include <string>
#include <vector>

#include "core/error.h"
#include "nn/dense_batch.h"

namespace fewshop::nn {
namespace {

using at::Tensor;

void check_rows(const char* which, const DenseRows& rows, int64_t tasks, int64_t inputs, at::ScalarType type,
                bool only_x) {
  require(rows.x.dim() == 3 && rows.x.size(0) == tasks && rows.x.size(2) == inputs && rows.x.scalar_type() == type,
          "dense_inner_loop: ", which, ".x: expected [", tasks, ", rows, ", inputs, "] of type ", type, ", got ",
          rows.x.sizes(), " of type ", rows.x.scalar_type());
  if (only_x) return;
  for (const auto* t : {&rows.target, &rows.weight, &rows.offset})
    require((t == &rows.offset && !t->defined()) ||
                (t->defined() && t->sizes() == rows.x.sizes().slice(0, 2) && t->scalar_type() == type),
            "dense_inner_loop: ", which, ": targets, weights and offsets have the shape ", rows.x.sizes().slice(0, 2),
            " and the type of x, ", type);
}

}  // namespace

int64_t beside_size(const DenseInnerLoop& loop, const at::Tensor& beside) {
  switch (loop.family) {
    case Family::kGaussian:
    case Family::kNegativeBinomial:
      return 1;
    case Family::kOrdinal:
      return beside.defined() ? std::max<int64_t>(1, beside.numel()) : 1;
    default:
      return 0;
  }
}

void check_dense(const DenseInnerLoop& loop, const DenseParameters& p, const DenseRows& support, const DenseRows& query,
                 bool with_loss) {
  require(loop.sizes.size() >= 2, "dense_inner_loop: sizes: expected inputs and outputs, got ", loop.sizes.size());
  require(loop.order == 1 || loop.order == 2, "dense_inner_loop: order is 1 or 2, got ", loop.order);
  require(loop.steps >= 0, "dense_inner_loop: steps: expected at least 0, got ", loop.steps);
  require(loop.family == Family::kCategorical || loop.sizes.back() == 1, "dense_inner_loop: ", family_name(loop.family),
          ": expected one output, got ", loop.sizes.back());
  const size_t count = 2 * (loop.sizes.size() - 1);
  require(p.initial.size() == count && p.step_size.size() == count, "dense_inner_loop: expected ", count,
          " parameters and step sizes, got ", p.initial.size(), " and ", p.step_size.size());
  require(support.x.defined(), "dense_inner_loop: support.x is missing");
  const at::ScalarType type = support.x.scalar_type();
  require(type == at::kFloat || type == at::kDouble, "dense_inner_loop: expected float or double, got ", type);
  for (size_t i = 0; i < count; ++i) {
    const int64_t in = loop.sizes[i / 2], out = loop.sizes[i / 2 + 1];
    const std::vector<int64_t> shape = i % 2 == 0 ? std::vector<int64_t>{out, in} : std::vector<int64_t>{out};
    require(p.initial[i].sizes() == shape && p.initial[i].scalar_type() == type, "dense_inner_loop: parameter ", i,
            ": expected ", at::IntArrayRef(shape), " of type ", type, ", got ", p.initial[i].sizes(), " of type ",
            p.initial[i].scalar_type());
    if (!p.step_size[i].defined()) continue;
    std::vector<int64_t> full{loop.steps};
    full.insert(full.end(), shape.begin(), shape.end());
    const auto got = p.step_size[i].sizes();
    require((got == at::IntArrayRef(full) || (got.size() == 1 && got[0] == loop.steps)) &&
                p.step_size[i].scalar_type() == type,
            "dense_inner_loop: step size ", i, ": expected [", loop.steps, "] or ", at::IntArrayRef(full), " of type ",
            type, ", got ", got, " of type ", p.step_size[i].scalar_type());
  }
  const std::vector<int64_t> factors{support.x.size(0), loop.steps, static_cast<int64_t>(count)};
  require(!p.step_factor.defined() ||
              (p.step_factor.sizes() == at::IntArrayRef(factors) && p.step_factor.scalar_type() == type),
          "dense_inner_loop: step_factor: expected ", at::IntArrayRef(factors), " of type ", type);
  const int64_t psi = beside_size(loop, p.beside);
  require(psi == 0 || (p.beside.defined() && p.beside.numel() == psi && p.beside.scalar_type() == type),
          "dense_inner_loop: ", family_name(loop.family), ": `beside` is missing or has the wrong size or type");
  check_rows("support", support, support.x.size(0), loop.sizes.front(), type, false);
  check_rows("query", query, support.x.size(0), loop.sizes.front(), type, !with_loss);
}

}  // namespace fewshop::nn
