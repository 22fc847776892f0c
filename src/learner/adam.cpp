#include "learner/adam.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace fewshop::learning {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.99;
constexpr int64_t kChunk = 1 << 13;  // numbers of one piece of work: they stay in the first cache

template <class T>
using Numbers = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>;

template <class T>
Numbers<T> piece_of(const at::Tensor& tensor, int64_t begin, int64_t end) {
  return {tensor.data_ptr<T>() + begin, end - begin};
}

template <class T>
void move(const Eigen::Array<T, Eigen::Dynamic, 1>& g, Numbers<T> x, Numbers<T> m, Numbers<T> v, double scale,
          double root, double epsilon) {
  constexpr T b1 = kBeta1, b2 = kBeta2;
  m = b1 * m + (1 - b1) * g;
  v = b2 * v + (1 - b2) * g.square();
  x -= static_cast<T>(scale) * m / (v.sqrt() * static_cast<T>(root) + static_cast<T>(epsilon));
}

}  // namespace

Adam::Adam(std::vector<Parameter>& parameters, double epsilon) : parameters_(parameters), epsilon_(epsilon) {
  for (const auto& p : parameters) {
    first.push_back(at::zeros(p.value.sizes(), p.value.scalar_type()));
    second.push_back(at::zeros(p.value.sizes(), p.value.scalar_type()));
  }
}

void Adam::step(const std::vector<std::vector<at::Tensor>>& shards, double lr, int threads) {
  at::NoGradGuard no_grad;
  ++steps;
  const double scale = lr / (1 - std::pow(kBeta1, steps)), root = 1 / std::sqrt(1 - std::pow(kBeta2, steps));
  struct Piece {
    size_t parameter;
    int64_t begin, end;
  };
  std::vector<at::Tensor> values;
  std::vector<std::vector<at::Tensor>> gradients;  // by parameter
  std::vector<Piece> pieces;
  for (size_t p = 0; p < parameters_.size(); ++p) {
    const auto& parameter = parameters_[p];
    values.push_back(parameter.value.contiguous());
    auto& all = gradients.emplace_back();
    for (const auto& shard : shards)
      if (shard[p].defined()) all.push_back(shard[p].contiguous());
    if (parameter.decay.defined()) all.push_back((2 * parameter.decay * parameter.value).contiguous());
    for (int64_t i = 0; i < values[p].numel(); i += kChunk)
      pieces.push_back({p, i, std::min(i + kChunk, values[p].numel())});
  }
  // A few pieces are done sooner than a second thread is awake.
  constexpr size_t kFew = 16;
  parallel_for(static_cast<int64_t>(pieces.size()), pieces.size() < kFew ? 1 : threads, 1,
               [&](int64_t first_piece, int64_t last_piece, int) {
                 for (int64_t i = first_piece; i < last_piece; ++i) {
                   const size_t p = pieces[i].parameter;
                   const int64_t begin = pieces[i].begin, end = pieces[i].end;
                   AT_DISPATCH_FLOATING_TYPES(values[p].scalar_type(), "adam", [&] {
                     Eigen::Array<scalar_t, Eigen::Dynamic, 1> sum =
                         Eigen::Array<scalar_t, Eigen::Dynamic, 1>::Zero(end - begin);
                     for (const auto& g : gradients[p]) sum += piece_of<scalar_t>(g, begin, end);
                     move<scalar_t>(sum, piece_of<scalar_t>(values[p], begin, end),
                                    piece_of<scalar_t>(first[p], begin, end), piece_of<scalar_t>(second[p], begin, end),
                                    scale, root, epsilon_);
                   });
                 }
               });
  for (size_t p = 0; p < parameters_.size(); ++p)
    if (!values[p].is_same(parameters_[p].value)) parameters_[p].value.copy_(values[p]);
}

}  // namespace fewshop::learning
