#include "runtime/context_head.h"

#include <algorithm>
#include <cmath>

#include "runtime/inner_slope.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

float dot(const float* a, const float* b, size_t n) {
  // Sixteen independent sums, so that the compiler can use vector registers without reordering a single sum.
  float sums[16] = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (size_t j = 0; j < 16; ++j) sums[j] += a[i + j] * b[i + j];
  for (; i < n; ++i) sums[i & 15] += a[i] * b[i];
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  return sums[0];
}

/// out [rows] = start [rows] + matrix [rows, columns] x [columns]
void affine(const float* matrix, const float* start, const float* x, size_t rows, size_t columns, float* out) {
  for (size_t r = 0; r < rows; ++r) out[r] = start[r] + dot(matrix + r * columns, x, columns);
}

/// out [columns] = matrix^T [rows, columns] x [rows]
void transposed(const float* matrix, const float* x, size_t rows, size_t columns, float* out) {
  std::fill_n(out, columns, 0.0F);
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) out[c] += x[r] * matrix[r * columns + c];
}

}  // namespace

// Axes: S support rows, F inputs, H what the context acts on: outputs of the first layer, or inputs.
struct ContextHead::State : Workspace {
  HeadSupport support;
  std::vector<double> rate;       // [J]
  std::vector<float> context;     // [K]
  std::vector<float> moved;       // [H] V c, or g + G c
  std::vector<float> shift;       // [F] B c
  std::vector<float> first;       // [S, H] concatenated: the first layer without V c
  std::vector<float> pulled;      // [S, H] sum over steps of rate * share * d loss / d what the context acts on
  std::vector<float> sum, sum_x;  // [H]
  std::vector<float> gradient;    // [K]
  mutable std::vector<std::vector<float>> values, slopes;  // of each layer's outputs, after its activation
  mutable std::vector<float> input;                        // [F] multiplicative: what the layer reads
  mutable std::vector<float> back, query;                  // [H]
  mutable std::vector<double> output, slope;               // [O]
  mutable std::vector<double> slope_of_context;            // [K]
};

ContextHead::ContextHead(Arrays arrays) : a_(std::move(arrays)) {
  require(!a_.layers.empty() && a_.context > 0 && a_.scale > 0 && a_.steps.parts == 1 &&
              (a_.multiplicative ? a_.layers.size() == 1 : a_.layers.size() >= 2),
          "context head: sizes are missing");
  for (size_t l = 0; l < a_.layers.size(); ++l) {
    const Layer& layer = a_.layers[l];
    require(layer.inputs > 0 && layer.outputs > 0 && layer.bias.size() == static_cast<size_t>(layer.outputs) &&
                layer.weight.size() == layer.bias.size() * layer.inputs &&
                (l == 0 || layer.inputs == a_.layers[l - 1].outputs),
            "context head: the sizes of layer ", l, " disagree");
    require_finite(layer.weight, "context head");
    require_finite(layer.bias, "context head");
  }
  const size_t acts_on = a_.multiplicative ? a_.layers[0].inputs : a_.layers[0].outputs;
  require(a_.layers.back().outputs == a_.link.outputs && a_.weight.size() == acts_on * a_.context &&
              a_.gain.size() == (a_.multiplicative ? acts_on : 0) &&
              a_.shift.size() == (a_.multiplicative ? acts_on * a_.context : 0) &&
              (a_.coordinate.empty() || a_.coordinate.size() == static_cast<size_t>(a_.context)),
          "context head: the sizes of the context disagree");
  a_.steps.check();
  for (const auto* values : {&a_.weight, &a_.gain, &a_.shift, &a_.coordinate}) require_finite(*values, "context head");
}

std::unique_ptr<Workspace> ContextHead::workspace() const {
  auto state = std::make_unique<State>();
  const size_t inputs = a_.layers[0].inputs, acts_on = a_.multiplicative ? inputs : a_.layers[0].outputs;
  for (auto* buffer : {&state->moved, &state->sum, &state->sum_x, &state->back, &state->query}) buffer->resize(acts_on);
  state->context.resize(a_.context);
  state->gradient.resize(a_.context);
  state->slope_of_context.resize(a_.context);
  state->input.resize(inputs);
  state->shift.resize(inputs);
  for (const Layer& layer : a_.layers) {
    state->values.emplace_back(layer.outputs);
    state->slopes.emplace_back(layer.outputs);
  }
  state->output.resize(a_.link.outputs);
  state->slope.resize(a_.link.outputs);
  return state;
}

std::span<const float> ContextHead::context(const Workspace& workspace) const {
  return static_cast<const State&>(workspace).context;
}

/// What the context makes of what it acts on.
void ContextHead::place_context(State& w) const {
  const size_t k = a_.context;
  for (size_t h = 0; h < w.moved.size(); ++h) {
    w.moved[h] = (a_.multiplicative ? a_.gain[h] : 0) + dot(a_.weight.data() + h * k, w.context.data(), k);
    if (a_.multiplicative) w.shift[h] = dot(a_.shift.data() + h * k, w.context.data(), k);
  }
}

/// w.output of a row: its first layer without the context (concatenated), or x (multiplicative).
void ContextHead::outputs_of(const State& w, const float* first, const float* x) const {
  const Layer& last = a_.layers.back();
  if (a_.multiplicative) {
    for (size_t d = 0; d < w.input.size(); ++d) w.input[d] = x[d] * w.moved[d] + w.shift[d];
    affine(last.weight.data(), last.bias.data(), w.input.data(), last.outputs, last.inputs, w.values[0].data());
  } else {
    for (size_t l = 0; l < a_.layers.size(); ++l) {
      const Layer& layer = a_.layers[l];
      float* out = w.values[l].data();
      if (l == 0)
        for (int32_t h = 0; h < layer.outputs; ++h) out[h] = first[h] + w.moved[h];
      else
        affine(layer.weight.data(), layer.bias.data(), w.values[l - 1].data(), layer.outputs, layer.inputs, out);
      if (l + 1 == a_.layers.size()) break;
      for (int32_t h = 0; h < layer.outputs; ++h) out[h] = a_.smooth ? std::tanh(out[h]) : std::max(out[h], 0.0F);
    }
  }
  std::copy(w.values.back().begin(), w.values.back().end(), w.output.begin());
}

/// w.back: the derivative, in what the context acts on, of the outputs times `slope` [O], after outputs_of.
void ContextHead::pull_back(const State& w, const float* slope) const {
  const float* behind = slope;
  for (size_t l = a_.layers.size(); l-- > (a_.multiplicative ? 0 : 1);) {
    const Layer& layer = a_.layers[l];
    const bool ends = l == (a_.multiplicative ? 0 : 1);
    float* out = ends ? w.back.data() : w.slopes[l - 1].data();
    transposed(layer.weight.data(), behind, layer.outputs, layer.inputs, out);
    if (!a_.multiplicative) {
      const auto& value = w.values[l - 1];
      for (size_t h = 0; h < value.size(); ++h)
        out[h] *= a_.smooth ? 1 - value[h] * value[h] : (value[h] > 0 ? 1.0F : 0.0F);
    }
    behind = out;
  }
}

void ContextHead::adapt(const HeadSupport& support, std::span<const ColumnView> /*description*/,
                        Workspace& workspace) const {
  auto& w = static_cast<State&>(workspace);
  const Layer& layer = a_.layers[0];
  const size_t rows = support.target.size(), size = layer.inputs, acts_on = w.moved.size(), k = a_.context;
  w.support = support;
  std::fill(w.context.begin(), w.context.end(), 0.0F);
  double total = 0;
  for (const float weight : support.weight) total += weight;
  w.pulled.assign(rows * acts_on, 0.0F);
  if (!a_.multiplicative) {
    w.first.resize(rows * acts_on);
    for (size_t s = 0; s < rows; ++s)
      affine(layer.weight.data(), layer.bias.data(), support.x.data() + s * size, acts_on, size,
             w.first.data() + s * acts_on);
  }
  a_.steps.rates(static_cast<double>(rows), w.rate);
  place_context(w);
  for (int step = 0; step < (rows == 0 ? 0 : a_.steps.steps); ++step) {
    std::fill(w.sum.begin(), w.sum.end(), 0.0F);
    std::fill(w.sum_x.begin(), w.sum_x.end(), 0.0F);
    for (size_t s = 0; s < rows; ++s) {
      const float* x = support.x.data() + s * size;
      outputs_of(w, w.first.data() + (a_.multiplicative ? 0 : s * acts_on), x);
      inner_slope(a_.link, a_.scale, w.output, support.target[s], support.offset.empty() ? 0 : support.offset[s],
                  w.slope);
      const double share = support.weight[s] / std::max(total, 1e-6);
      std::transform(w.slope.begin(), w.slope.end(), w.slopes.back().begin(),
                     [&](double slope) { return static_cast<float>(share * slope); });
      pull_back(w, w.slopes.back().data());
      float* pulled = w.pulled.data() + s * acts_on;
      const auto rate = static_cast<float>(w.rate[step]);
      for (size_t h = 0; h < acts_on; ++h) {
        w.sum[h] += w.back[h];
        pulled[h] += rate * w.back[h];
        if (a_.multiplicative) w.sum_x[h] += w.back[h] * x[h];
      }
    }
    transposed(a_.weight.data(), (a_.multiplicative ? w.sum_x : w.sum).data(), acts_on, k, w.gradient.data());
    if (a_.multiplicative)
      for (size_t h = 0; h < acts_on; ++h)
        for (size_t i = 0; i < k; ++i) w.gradient[i] += w.sum[h] * a_.shift[h * k + i];
    for (size_t i = 0; i < k; ++i)
      w.context[i] -= static_cast<float>(w.rate[step]) * (a_.coordinate.empty() ? 1 : a_.coordinate[i]) * w.gradient[i];
    place_context(w);
  }
}

/// w.output of a row of features.
void ContextHead::answer(const State& w, const float* x) const {
  const Layer& layer = a_.layers[0];
  if (!a_.multiplicative)
    affine(layer.weight.data(), layer.bias.data(), x, layer.outputs, layer.inputs, w.query.data());
  outputs_of(w, w.query.data(), x);
}

void ContextHead::predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const {
  const auto& w = static_cast<const State&>(workspace);
  answer(w, x.data());
  for (double& value : w.output) value = offset + a_.scale * value;
  a_.link.predict(w.output, out);
}

double ContextHead::explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                            std::span<double> contribution) const {
  const auto& w = static_cast<const State&>(workspace);
  const size_t k = a_.context, acts_on = w.moved.size(), size = a_.layers[0].inputs;
  answer(w, x.data());
  const double value = offset + a_.scale * w.output[output];
  std::fill(w.slopes.back().begin(), w.slopes.back().end(), 0.0F);
  w.slopes.back()[output] = 1;
  pull_back(w, w.slopes.back().data());
  // The answer moves with the context by t = d answer / d c, and row s moved the context by -coordinate * V^T pulled_s.
  std::vector<double>& t = w.slope_of_context;
  for (size_t i = 0; i < k; ++i) {
    t[i] = 0;
    for (size_t h = 0; h < acts_on; ++h)
      t[i] += a_.multiplicative ? w.back[h] * (x[h] * a_.weight[h * k + i] + a_.shift[h * k + i])
                                : w.back[h] * a_.weight[h * k + i];
    if (!a_.coordinate.empty()) t[i] *= a_.coordinate[i];
  }
  double sum = 0;
  for (size_t h = 0; h < acts_on; ++h) {
    double weight = 0, shift = 0;
    for (size_t i = 0; i < k; ++i) {
      weight += t[i] * a_.weight[h * k + i];
      if (a_.multiplicative) shift += t[i] * a_.shift[h * k + i];
    }
    w.query[h] = static_cast<float>(weight);
    w.back[h] = static_cast<float>(shift);
  }
  for (size_t s = 0; s < contribution.size(); ++s) {
    const float *pulled = w.pulled.data() + s * acts_on, *row = w.support.x.data() + s * size;
    double moved = 0;
    for (size_t h = 0; h < acts_on; ++h)
      moved += pulled[h] * (a_.multiplicative ? w.query[h] * row[h] + w.back[h] : w.query[h]);
    contribution[s] = -a_.scale * moved;
    sum += contribution[s];
  }
  return value - sum;
}

void ContextHead::save(TensorFile& file, const std::string& prefix) const {
  file.put_text(prefix + "kind", std::string(kind()));
  a_.link.save(file, prefix);
  put_one<double>(file, prefix + "scale", a_.scale);
  file.put(prefix + "shape",
           std::vector<int32_t>{a_.multiplicative, a_.smooth, a_.context, static_cast<int32_t>(a_.layers.size())});
  std::vector<int32_t> sizes{a_.layers[0].inputs};
  for (size_t l = 0; l < a_.layers.size(); ++l) {
    sizes.push_back(a_.layers[l].outputs);
    file.put(prefix + "weight." + std::to_string(l), a_.layers[l].weight);
    file.put(prefix + "bias." + std::to_string(l), a_.layers[l].bias);
  }
  file.put(prefix + "sizes", sizes);
  file.put(prefix + "context.weight", a_.weight);
  file.put(prefix + "context.gain", a_.gain);
  file.put(prefix + "context.shift", a_.shift);
  file.put(prefix + "coordinate", a_.coordinate);
  a_.steps.save(file, prefix);
}

std::unique_ptr<TaskHead> ContextHead::load(const TensorFile& file, const std::string& prefix) {
  Arrays a;
  a.link = HeadLink::load(file, prefix);
  a.scale = get_one<double>(file, prefix + "scale");
  const auto shape = file.get<int32_t>(prefix + "shape"), sizes = file.get<int32_t>(prefix + "sizes");
  require(shape.size() == 4 && sizes.size() >= 2 && sizes.size() == static_cast<size_t>(shape[3]) + 1,
          "context head: tensors shape and sizes disagree; the file is damaged");
  a.multiplicative = shape[0] != 0;
  a.smooth = shape[1] != 0;
  a.context = shape[2];
  for (size_t l = 0; l + 1 < sizes.size(); ++l)
    a.layers.push_back({sizes[l], sizes[l + 1], file.get<float>(prefix + "weight." + std::to_string(l)),
                        file.get<float>(prefix + "bias." + std::to_string(l))});
  a.weight = file.get<float>(prefix + "context.weight");
  a.gain = file.get<float>(prefix + "context.gain");
  a.shift = file.get<float>(prefix + "context.shift");
  a.coordinate = file.get<float>(prefix + "coordinate");
  a.steps = StepTable::load(file, prefix);
  return std::make_unique<ContextHead>(std::move(a));
}

}  // namespace fewshop
