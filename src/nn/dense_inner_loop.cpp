#include "nn/dense_inner_loop.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/error.h"
#include "nn/dense_batch.h"
#include "nn/dense_sums.h"

namespace fewshop::nn {
namespace {

using at::Tensor;

Tensor plain(const Tensor& t) { return t.defined() ? t.detach().contiguous() : t; }

DenseRows plain(const DenseRows& rows) {
  return {plain(rows.x), plain(rows.target), plain(rows.weight), plain(rows.offset)};
}

DenseInputs plain(const DenseInnerLoop& loop, const DenseParameters& p, const DenseRows& support,
                  const DenseRows& query) {
  DenseInputs inputs{loop, {{}, {}, plain(p.beside), plain(p.step_factor)}, plain(support), plain(query)};
  for (const auto& t : p.initial) inputs.parameters.initial.push_back(plain(t));
  for (const auto& t : p.step_size) inputs.parameters.step_size.push_back(plain(t));
  return inputs;
}

/// The tensors that may want a gradient, in the order of flat().
std::vector<Tensor> flat(const DenseParameters& p, const Tensor& x, const Tensor& x_query) {
  std::vector<Tensor> all = p.initial;
  all.insert(all.end(), p.step_size.begin(), p.step_size.end());
  for (const auto& t : {p.beside, p.step_factor, x, x_query}) all.push_back(t);
  return all;
}

std::vector<Tensor> flat(const DenseOutputs& o) {
  return flat({o.initial, o.step_size, o.beside, o.step_factor}, o.x, o.x_query);
}

bool requires_gradient(const Tensor& t) { return t.defined() && t.requires_grad(); }

DenseNeeds needs_of(const DenseInnerLoop& loop, const DenseParameters& p, const Tensor& x, const Tensor& x_query) {
  const bool steps =
      requires_gradient(p.step_factor) || std::any_of(p.step_size.begin(), p.step_size.end(), requires_gradient);
  return {loop.order, requires_gradient(x) || requires_gradient(x_query), steps, requires_gradient(p.beside)};
}

/// [q, outputs] <-> [q, out_pad].
template <class T>
void copy_rows(int64_t rows, int64_t columns, const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(from + i * from_stride, columns, to + i * to_stride);
    if (to_stride > columns) std::fill_n(to + i * to_stride + columns, to_stride - columns, T(0));
  }
}

/// The inner loop and the outputs of the query rows, kept for a backward pass where there will be one.
template <class T>
class Adapted {
 public:
  Adapted(DenseInputs inputs, const DenseNeeds& needs, bool keep)
      : tasks_(std::move(inputs)),
        needs_(needs),
        keep_(keep),
        states_(keep ? tasks_.inputs().tasks() : 0),
        memory_(tasks_.groups()) {}

  Tensor forward() {
    const DenseInputs& in = tasks_.inputs();
    const auto& head = tasks_.model().layers().back();
    Tensor output = at::empty({in.tasks(), in.query.x.size(1), head.out}, in.query.x.options());
    tasks_.for_groups([&](int64_t g, int64_t begin, int64_t end) {
      dense::DenseTask<T> one;
      const bool steps = keep_ && needs_.steps();
      const auto shape = [&](int64_t t) {
        return (keep_ ? states_[t] : one).shape(tasks_.model(), tasks_.support(t), tasks_.query(t), steps);
      };
      std::vector<int64_t> size;
      for (int64_t t = begin; t < end; ++t) size.push_back(shape(t));
      int64_t total = 0;
      for (const int64_t s : size) total = keep_ ? total + s : std::max(total, s);
      auto memory = numbers<T>(total);
      T* block = memory.second;
      for (int64_t t = begin; t < end; ++t) {
        dense::DenseTask<T>& task = keep_ ? states_[t] : one;
        if (!keep_) shape(t);
        task.place(block);
        if (keep_) block += size[t - begin];
        task.adapt(tasks_.support_rows(t));
        copy_rows<T>(tasks_.query(t), head.out, task.predict(tasks_.x_query(t)), head.out_pad,
                     output.data_ptr<T>() + t * output.stride(0), head.out);
      }
      if (keep_) memory_[g] = std::move(memory.first);
    });
    return output;
  }

  DenseOutputs backward(const Tensor& gradient) {
    DenseSums<T> sums(tasks_, needs_);
    DenseOutputs out = sums.own();
    const auto& head = tasks_.model().layers().back();
    tasks_.for_groups([&](int64_t g, int64_t begin, int64_t end) {
      DenseGradients<T>& sum = sums.begin(g);
      DensePass<T> pass(needs_);
      const auto padded = numbers<T>(gradient.size(1) * head.out_pad);
      for (int64_t t = begin; t < end; ++t) {
        copy_rows<T>(gradient.size(1), head.out, gradient.data_ptr<T>() + t * gradient.stride(0), head.out,
                     padded.second, head.out_pad);
        pass.run(states_[t], padded.second, sum);
        pass.copy_own(states_[t], t, out);
      }
    });
    sums.finish(out);
    return out;
  }

 private:
  DenseBatch<T> tasks_;
  DenseNeeds needs_;
  bool keep_;
  std::vector<dense::DenseTask<T>> states_;
  std::vector<std::shared_ptr<void>> memory_;  // one block per group
};

/// The query loss and, task by task, its gradients.
template <class T>
double loss_and_gradients(DenseInputs inputs, const DenseNeeds& needs, bool with_gradients, DenseOutputs* out) {
  const DenseBatch<T> tasks(std::move(inputs));
  DenseSums<T> sums(tasks, needs);
  if (with_gradients) *out = sums.own();
  const DenseRows& query = tasks.inputs().query;
  const auto& head = tasks.model().layers().back();
  const auto& loss = tasks.model().loss();
  std::vector<double> losses(tasks.groups());
  tasks.for_groups([&](int64_t g, int64_t begin, int64_t end) {
    DenseGradients<T>& sum = sums.begin(g);
    DensePass<T> pass(needs);
    dense::DenseTask<T> task;
    const bool steps = with_gradients && needs.steps();
    int64_t size = 0;
    for (int64_t t = begin; t < end; ++t)
      size = std::max(size, task.shape(tasks.model(), tasks.support(t), tasks.query(t), steps));
    const int64_t outputs = query.x.size(1) * head.out_pad;
    const auto memory = numbers<T>(size + 2 * outputs);
    T *const block = memory.second + 2 * outputs, *const link = memory.second, *const gradient = link + outputs;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t q = tasks.query(t);
      task.shape(tasks.model(), tasks.support(t), q, steps);
      task.place(block);
      task.adapt(tasks.support_rows(t));
      std::copy_n(task.predict(tasks.x_query(t)), q * head.out_pad, link);
      const T *target = tasks.query_target(t), *weight = tasks.query_weight(t), *offset = tasks.query_offset(t);
      for (int64_t i = 0; offset && i < q; ++i)
        for (int64_t j = 0; j < head.out; ++j) link[i * head.out_pad + j] += offset[i];
      losses[g] += loss.value(q, link, head.out_pad, target, weight, needs.beside ? sum.beside : nullptr);
      if (!with_gradients) continue;
      loss.gradient(q, link, head.out_pad, target, weight, gradient);
      pass.run(task, gradient, sum);
      pass.copy_own(task, t, *out);
    }
  });
  if (with_gradients) sums.finish(*out);
  double total = 0;
  for (const double l : losses) total += l;
  return total;
}

/// The outputs' place in the graph: knows how to go back through all tasks.
template <class T>
struct AdaptedNode : torch::autograd::Node {
  std::unique_ptr<Adapted<T>> adapted;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    if (!adapted) throw Failure("dense_inner_loop: went back a second time without retain_graph");
    if (!gradients[0].defined()) return torch::autograd::variable_list(num_outputs());
    return flat(adapted->backward(gradients[0].detach().contiguous()));
  }
  void release_variables() override { adapted.reset(); }
};

/// The loss's place in the graph: its gradients are there already.
struct LossNode : torch::autograd::Node {
  std::vector<Tensor> gradients;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& upstream) override {
    torch::autograd::variable_list result(num_outputs());
    if (!upstream[0].defined()) return result;
    for (size_t i = 0; i < result.size() && i < gradients.size(); ++i)
      if (gradients[i].defined()) result[i] = gradients[i] * upstream[0];
    return result;
  }
  void release_variables() override { gradients.clear(); }
};

template <class Node>
void connect(const std::shared_ptr<Node>& node, const std::vector<Tensor>& inputs, Tensor& output) {
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  torch::autograd::set_history(output, node);
}

bool wants_graph(const std::vector<Tensor>& inputs) {
  return at::GradMode::is_enabled() && std::any_of(inputs.begin(), inputs.end(), requires_gradient);
}

template <class T>
Tensor run(const DenseInnerLoop& loop, const DenseParameters& parameters, const DenseRows& support,
           const Tensor& x_query) {
  const auto inputs = flat(parameters, support.x, x_query);
  const bool graph = wants_graph(inputs);
  auto adapted = std::make_unique<Adapted<T>>(plain(loop, parameters, support, {x_query, {}, {}, {}}),
                                              needs_of(loop, parameters, support.x, x_query), graph);
  Tensor output;
  {
    at::NoGradGuard no_grad;
    output = adapted->forward();
  }
  if (!graph) return output;
  const std::shared_ptr<AdaptedNode<T>> node(new AdaptedNode<T>, torch::autograd::deleteNode);
  node->adapted = std::move(adapted);
  connect(node, inputs, output);
  return output;
}

template <class T>
Tensor run_loss(const DenseInnerLoop& loop, const DenseParameters& parameters, const DenseRows& support,
                const DenseRows& query) {
  const auto inputs = flat(parameters, support.x, query.x);
  const bool graph = wants_graph(inputs);
  DenseNeeds needs = needs_of(loop, parameters, support.x, query.x);
  if (!graph) needs.beside = false;
  DenseOutputs gradients;
  Tensor loss;
  {
    at::NoGradGuard no_grad;
    loss = at::full({}, loss_and_gradients<T>(plain(loop, parameters, support, query), needs, graph, &gradients),
                    support.x.options());
  }
  if (!graph) return loss;
  const std::shared_ptr<LossNode> node(new LossNode, torch::autograd::deleteNode);
  node->gradients = flat(gradients);
  connect(node, inputs, loss);
  return loss;
}

template <class T>
std::vector<Tensor> run_weights(const DenseInnerLoop& loop, const DenseParameters& parameters,
                                const DenseRows& support) {
  at::NoGradGuard no_grad;
  const Tensor none = at::empty({support.x.size(0), 0, support.x.size(2)}, support.x.options());
  const DenseBatch<T> tasks(plain(loop, parameters, support, {none, {}, {}, {}}));
  std::vector<Tensor> result;
  for (const auto& t : parameters.initial) {
    std::vector<int64_t> shape{support.x.size(0)};
    shape.insert(shape.end(), t.sizes().begin(), t.sizes().end());
    result.push_back(at::empty(shape, support.x.options()));
  }
  tasks.for_groups([&](int64_t, int64_t begin, int64_t end) {
    dense::DenseTask<T> task;
    for (int64_t t = begin; t < end; ++t) {
      const auto memory = numbers<T>(task.shape(tasks.model(), tasks.support(t), 0, false));
      task.place(memory.second);
      task.adapt(tasks.support_rows(t));
      for (size_t l = 0; l < tasks.model().layers().size(); ++l)
        task.adapted(static_cast<int64_t>(l), result[2 * l].data_ptr<T>() + t * result[2 * l].stride(0),
                     result[2 * l + 1].data_ptr<T>() + t * result[2 * l + 1].stride(0));
    }
  });
  return result;
}

bool is_float(const DenseRows& rows) { return rows.x.scalar_type() == at::kFloat; }

}  // namespace

Tensor dense_inner_loop(const DenseInnerLoop& loop, const DenseParameters& parameters, const DenseRows& support,
                        const Tensor& x_query) {
  check_dense(loop, parameters, support, {x_query, {}, {}, {}}, false);
  return is_float(support) ? run<float>(loop, parameters, support, x_query)
                           : run<double>(loop, parameters, support, x_query);
}

Tensor dense_inner_loop_loss(const DenseInnerLoop& loop, const DenseParameters& parameters, const DenseRows& support,
                             const DenseRows& query) {
  check_dense(loop, parameters, support, query, true);
  return is_float(support) ? run_loss<float>(loop, parameters, support, query)
                           : run_loss<double>(loop, parameters, support, query);
}

std::vector<Tensor> dense_inner_loop_weights(const DenseInnerLoop& loop, const DenseParameters& parameters,
                                             const DenseRows& support) {
  const Tensor none = support.x.dim() == 3 ? support.x.narrow(1, 0, 0) : support.x;
  check_dense(loop, parameters, support, {none, {}, {}, {}}, false);
  return is_float(support) ? run_weights<float>(loop, parameters, support)
                           : run_weights<double>(loop, parameters, support);
}

Tensor mean_row_weights(const Tensor& mask, const Tensor& weight) {
  const Tensor importance = mask * weight;
  return importance / importance.sum(1, true).clamp_min(1e-6);
}

}  // namespace fewshop::nn
