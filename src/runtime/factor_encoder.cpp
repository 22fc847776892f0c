#include "runtime/encoder_forms.h"

namespace fewshop::encoder {
namespace {

/// Every field is one vector [k] with one more number behind it: what mf and deepfm begin with.
std::vector<FieldVector> field_vectors(const std::vector<Encoder::Field>& fields, int32_t k,
                                       const Parameter& parameter) {
  std::vector<FieldVector> vectors;
  for (const auto& field : fields) {
    const int64_t rows = field.width ? field.width : field.vocabulary;
    vectors.push_back({parameter("embedding." + field.name, rows * (k + 1)), k + 1, field.width});
  }
  return vectors;
}

/// The vector of a field's value [k + 1], in the scratch.
const float* read(const FieldVector& vector, const ColumnView& value, Encoder::Scratch& scratch) {
  scratch.embedding.resize(static_cast<size_t>(vector.width));
  vector.read(value, scratch.embedding.data());
  return scratch.embedding.data();
}

/// mf (nn/matrix_factorisation.cpp). A part is the sum of vectors and bias of the task's side, then of the other.
class MfEncoder : public Encoder {
 public:
  explicit MfEncoder(Arrays arrays) : Encoder(std::move(arrays)), k_(options().embedding) {
    const auto get = [this](const std::string& n, int64_t s) { return parameter(n, s); };
    vectors_ = field_vectors(fields(), k_, get);
    for (const Field& field : fields()) of_task_.push_back(field.name.starts_with("tasks."));
    start_ = parameter("task.start", k_);
    set_sizes(2 * (k_ + 1), k_ + 1);
  }

  void finish(std::span<const float> part, Scratch& /*scratch*/, std::span<float> features) const override {
    const float *task = part.data(), *other = task + k_ + 1;
    for (int32_t i = 0; i < k_; ++i) features[i] = (task[i] + start_[i]) * other[i];
    features[k_] = task[k_] + other[k_];
  }

 protected:
  void add_value(size_t field, const ColumnView& value, Scratch& scratch, std::span<float> part) const override {
    const float* x = read(vectors_[field], value, scratch);
    MutableVector(part.data() + (of_task_[field] ? 0 : k_ + 1), k_ + 1) += Vector(x, k_ + 1);
  }

 private:
  int32_t k_;
  std::vector<FieldVector> vectors_;
  std::vector<bool> of_task_;
  const float* start_ = nullptr;
};

/// deepfm (nn/deepfm.cpp). A part is the sum of vectors [k], of their squares [k], of first-order weights [1], and the
/// product of the first layer.
class DeepFmEncoder : public Encoder {
 public:
  explicit DeepFmEncoder(Arrays arrays) : Encoder(std::move(arrays)), k_(options().embedding) {
    const auto get = [this](const std::string& n, int64_t s) { return parameter(n, s); };
    vectors_ = field_vectors(fields(), k_, get);
    layers_ = {static_cast<int64_t>(vectors_.size()) * k_, options(), get};
    set_sizes(2 * k_ + 1 + layers_.part_size(), 1 + k_ + layers_.outputs());
  }

  void finish(std::span<const float> part, Scratch& scratch, std::span<float> features) const override {
    const Vector sum(part.data(), k_), squares(part.data() + k_, k_);
    features[0] = part[2 * k_];
    MutableVector(features.data() + 1, k_).array() = (sum.array().square() - squares.array()) / 2;
    if (layers_.part_size()) layers_.finish(part.data() + 2 * k_ + 1, scratch, features.data() + 1 + k_);
  }

 protected:
  void add_value(size_t field, const ColumnView& value, Scratch& scratch, std::span<float> part) const override {
    const float* x = read(vectors_[field], value, scratch);
    const Vector vector(x, k_);
    MutableVector(part.data(), k_) += vector;
    MutableVector(part.data() + k_, k_) += vector.cwiseAbs2();
    part[2 * k_] += x[k_];
    if (layers_.part_size()) layers_.add(static_cast<int64_t>(field) * k_, x, k_, part.data() + 2 * k_ + 1);
  }

 private:
  int32_t k_;
  std::vector<FieldVector> vectors_;
  DenseLayers layers_;
};

}  // namespace

std::unique_ptr<Encoder> make_mf(Encoder::Arrays arrays) { return std::make_unique<MfEncoder>(std::move(arrays)); }

std::unique_ptr<Encoder> make_deepfm(Encoder::Arrays arrays) {
  return std::make_unique<DeepFmEncoder>(std::move(arrays));
}

}  // namespace fewshop::encoder
